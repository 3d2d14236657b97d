from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import cast

import attrs
import pytest
from kiwi_component_memo import Memo, MemoBackends
from kiwi_core import BucketOffer, ExistingServices, OidcOffer, PostgresOffer, SecretKey, Value
from kiwi_core.errors import ComposeError
from kiwi_core.testing import CLUSTER, ComponentKit, Trial, dump_chart, dump_schema, load_chart, load_schema, trial

MEMO = Path(__file__).parent.parent
FACTS = resources.files("kiwi_component_memo") / "facts"
ALONE = attrs.evolve(CLUSTER, offers=())
OLD, HEAD = "91c4e6b20d7a", "d07f5a38c9e1"


def image(tag: str = "0.2.0") -> dict[str, str]:
    return {"memo": f"registry.example/memo:{tag}@sha256:{'0' * 64}"}


def on_trial(memo: Memo = Memo(), *, tag: str = "0.2.0") -> Trial:  # noqa: B008 -- frozen
    return trial(memo, MemoBackends(), images=image(tag))


class TestMemo(ComponentKit):
    component = Memo(replicas=2, workers=3)
    served_by = (MemoBackends(),)
    images = image()


class TestMemoWithTheLeast(ComponentKit):
    component = Memo(welcome="")
    served_by = (MemoBackends(),)
    images = image("0.1.0")
    cluster = ALONE


class TestBackends(ComponentKit):
    component = MemoBackends(sign_in_host="id", size="1Gi")


def at(tree: Value, path: str) -> Value:
    for step in path.split("."):
        assert isinstance(tree, Mapping)
        tree = tree[step]
    return tree


def policies(found: Trial) -> dict[str, str]:
    listed = json.loads(found.files()["stack.json"])["policies"]
    return {policy["name"]: policy["because"] for policy in listed}


def test_the_servers_come_first_and_the_welcome_memo_last() -> None:
    found = on_trial()
    assert {"memo-postgres", "memo-s3", "memo-keycloak"} <= set(found.needs("memo-pre"))
    assert "memo-pre" in found.needs("memo")
    assert found.releases[-1] == "memo-post"
    assert "memo-post" not in on_trial(Memo(welcome="")).releases


def test_the_application_is_wired_to_the_servers_of_its_namespace() -> None:
    values = on_trial().values("memo")
    assert at(values, "s3") == {"endpoint": "http://memo-s3:7070", "region": "us-east-1", "bucket": "memo-files"}
    assert at(values, "oidc") == {"issuer": "http://memo-keycloak:8080/realms/memo", "clientId": "memo"}
    assert at(values, "url") == "https://memo.trial.example"


def test_the_web_and_the_worker_restart_with_what_each_reads() -> None:
    values = on_trial().values("memo")
    marks = [at(values, f"{part}.podAnnotations.checksum/secrets") for part in ("web", "worker")]
    assert marks[0] != marks[1]


def test_it_has_a_host_only_where_there_is_an_ingress() -> None:
    assert on_trial().values("memo")["host"] == "memo.trial.example"
    assert "host" not in trial(Memo(), MemoBackends(), cluster=ALONE, images=image()).values("memo")
    with pytest.raises(ComposeError, match="does not offer"):
        trial(Memo(), MemoBackends(sign_in_host="id"), cluster=ALONE, images=image())


def test_keycloak_s_public_name_is_that_of_the_issuer() -> None:
    found = trial(Memo(), MemoBackends(sign_in_host="id"), images=image())
    assert found.values("memo-keycloak")["url"] == "https://id.trial.example"
    assert at(found.values("memo"), "oidc.issuer") == "https://id.trial.example/realms/memo"


def test_the_website_leaves_the_cluster_only_where_its_issuer_is_outside() -> None:
    assert "memo-web-egress" not in policies(on_trial())
    outside = ExistingServices(
        postgres=PostgresOffer(host="db", admin=SecretKey("db", "password")),
        bucket=BucketOffer(endpoint_url="http://s3:9000", admin_user="root", admin=SecretKey("s3", "password")),
        oidc=OidcOffer(issuer="https://id.elsewhere.example:8443/realms/trial"),
    )
    found = trial(Memo(), outside, images=image())
    assert policies(found)["memo-web-egress"] == "memo calls the identity provider (id.elsewhere.example)"


def test_an_image_before_the_column_that_the_welcome_memo_needs_fails_the_build() -> None:
    (finding,) = on_trial(tag="0.1.0").findings
    assert "[g] component memo" in finding
    assert HEAD in finding
    assert "0.2.0" in finding
    assert on_trial(Memo(welcome=""), tag="0.1.0").findings == ()


@pytest.mark.parametrize("settings", [{"replicas": 0}, {"workers": 0}])
def test_settings_of_memo_out_of_range_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Memo(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", [{"realm": "a/b"}, {"person": 'k"'}, {"size": "1"}])
def test_settings_of_the_servers_that_are_none_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        MemoBackends(**settings)


# The facts


@pytest.mark.parametrize("name", ["keycloak", "memo", "postgres", "s3"])
def test_the_captures_of_charts_are_as_they_were_written(name: str) -> None:
    content = (FACTS / "charts" / f"{name}-0.1.0.json").read_bytes()
    captured = load_chart(content, file=name)
    assert dump_chart(captured) == content
    assert captured.hard_coded == ()
    assert captured.cluster_objects == ()
    assert all(workload.annotations for workload in captured.workloads)


def test_the_captured_history_is_that_of_the_application() -> None:
    content = (FACTS / "schemas" / "memo.json").read_bytes()
    captured = load_schema(content, file="memo")
    assert dump_schema(captured) == content
    found: dict[str, tuple[str, ...]] = {}
    for path in (MEMO / "app/src/memo/migrations/versions").glob("[!_]*.py"):
        said = {
            cast("ast.Name", node.targets[0]).id: ast.literal_eval(node.value)
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Assign)
        }
        parent: str | None = said["down_revision"]
        found[said["revision"]] = (parent,) if parent else ()
    assert captured.revisions == found
    version = tomllib.loads((MEMO / "app/pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert captured.tags == {"0.1.0": (OLD,), version: (HEAD,)}


def test_the_application_s_lock_has_a_hash_for_everything_and_no_address() -> None:
    lock = (MEMO / "app" / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert "--index-url" not in lock
    pinned = [line for line in lock.splitlines() if "==" in line]
    assert len(pinned) > 9
    assert all(line.endswith("\\") for line in pinned)


# The demonstration


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """The demonstration's folder, to be changed."""
    return Path(shutil.copytree(MEMO / "demo", tmp_path / "demo", ignore=shutil.ignore_patterns("generated")))


def kiwistack(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kiwi_core", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def results(folder: Path, *words: str) -> list[dict[str, str]]:
    listed = json.loads(kiwistack("check", folder / "cust-demo", *words, "--json").stdout)["results"]
    return cast("list[dict[str, str]]", listed)


def test_the_demonstration_keeps_all_seven_rules(demo: Path) -> None:
    found = results(demo)
    assert [item for item in found if item["outcome"] == "finding"] == []
    assert {item["rule"] for item in found if item["outcome"] == "pass"} >= set("abcdefg")


def test_dogfood_wants_digests_and_nothing_else(demo: Path) -> None:
    findings = [item for item in results(demo, "--lane", "dogfood") if item["outcome"] == "finding"]
    assert len(findings) == 5
    assert all("has no digest" in item["message"] for item in findings)
    file = demo / "template" / "environments" / "dogfood" / "images.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    pinned = [f'{line[:-1]}@sha256:{"0" * 64}"' if line.startswith("    tag: ") else line for line in lines]
    file.write_text("\n".join(pinned) + "\n", encoding="utf-8")
    assert [item for item in results(demo, "--lane", "dogfood") if item["outcome"] == "finding"] == []
    built = kiwistack("build", demo / "cust-demo", "--lane", "dogfood")
    assert built.returncode == 0, built.stderr
    assert not (demo / "cust-demo" / "generated" / "charts").exists()
