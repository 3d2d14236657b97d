"""The examples as a newcomer meets them: clean, the same everywhere, and true in every form."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from kiwi_core import _engine as engine
from kiwi_core.cli import main
from trees import EXAMPLES, kiwistack

TENANT_TOML = """\
slug = "kiwistack"
domain = "kiwistack.example"
cluster = "core-1"

[[components]]
kind = "opendesk"

[[components]]
kind = "onyx"
replicas = 2
email_domains = ["kiwistack.example"]
"""

CLUSTER_TOML = """\
name = "core-1"
tier = "core"
pod_cidrs = ["10.244.0.0/16"]
service_cidrs = ["10.96.0.0/12"]
node_cidrs = ["192.0.2.0/24"]
ingress_addresses = ["198.51.100.10"]

[api_server]
address = "192.0.2.10"

[[components]]
kind = "ingress-nginx"
issuer = "letsencrypt"

[[components]]
kind = "cert-manager"
email = "operator@platform.example"

[[components]]
kind = "litellm"

[[components]]
kind = "searxng"

[[customers]]
slug = "kiwistack"
domain = "kiwistack.example"
ports = ["25/tcp", "587/tcp", "993/tcp", "995/tcp", "10000/udp"]

[[customers]]
slug = "acme"
domain = "acme.example"
"""

TARGETS = ("cust-kiwistack", "cust-acme", "core-1")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The examples, to be changed."""
    folder = tmp_path / "examples"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("generated", "kiwi-component-*"))
    return folder


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def recorded(repo: Path, key: str, *, build: bool = False) -> object:
    """What a tree's manifest says."""
    if build:
        kiwistack("build", repo)
    return json.loads((repo / "generated" / "manifest.json").read_bytes())[key]


def findings(printed: str) -> list[dict[str, str]]:
    results = json.loads(printed)["results"]
    return [result for result in results if result["outcome"] == "finding"]


@pytest.mark.parametrize("name", TARGETS)
def test_dev_has_no_finding(name: str) -> None:
    assert findings(kiwistack("check", EXAMPLES / name, "--json")) == []


@pytest.mark.parametrize(("name", "images"), [("cust-kiwistack", 6), ("cust-acme", 1), ("core-1", 9)])
def test_dogfood_wants_digests_and_nothing_else_and_its_commands_give_them(
    copy: Path, capsys: pytest.CaptureFixture[str], name: str, images: int
) -> None:
    target = str(copy / name)
    assert main(["check", target, "--lane", "dogfood", "--json"]) == 1
    found = findings(capsys.readouterr().out)
    assert {result["rule"] for result in found} == {"c"}
    assert len(found) == images
    assert all("has no digest" in result["message"] for result in found)
    file = copy / "od-platform" / "environments" / "dogfood" / "images.yaml"
    comment = "# what dogfood runs\n"
    file.write_text(comment + file.read_text(encoding="utf-8"), encoding="utf-8")
    for result in found:
        command, words = result["fix"].split(" ")[0], result["fix"].split(" ")[1:]
        assert command == "kiwistack"
        assert main([word.replace("<digest>", "0" * 64) for word in words]) == 0
    assert file.read_text(encoding="utf-8").startswith(comment)
    capsys.readouterr()
    assert main(["build", target, "--lane", "dogfood"]) == 0
    written = files_in(copy / name / "generated")
    assert not any(path.startswith("charts/") for path in written)
    assert b"oci://%s/%s" in written["helmfile.yaml.gotmpl"]


@pytest.mark.parametrize("name", TARGETS)
def test_an_image_or_a_chart_stands_in_one_place(copy: Path, name: str) -> None:
    kiwistack("build", copy / name)
    written = files_in(copy / name / "generated")
    summary = json.loads(written["stack.json"])
    told = {"stack.json", "report.html", "environments/dev/images.yaml", "environments/dev/charts.yaml"}
    others = b"".join(content for path, content in written.items() if path not in told)
    pinned = written["environments/dev/images.yaml"].decode()
    for reference in summary["images"].values():
        image, _, tag = reference.partition(":")
        version, _, digest = tag.partition("@")
        assert f'"{tag}"' in pinned
        assert image.encode() not in others
        assert f":{version}".encode() not in others
        assert not digest or digest.encode() not in others
    assert len(summary["images"]) >= 5


@pytest.mark.parametrize(
    ("pin", "changed"),
    [
        (("--image", "opendesk-xwikiPostgres=17.4.5@sha256:" + "0" * 64), "environments/dev/images.yaml"),
        (("--chart", "opendesk-xwiki=9.9.9"), "environments/dev/charts.yaml"),
    ],
)
def test_a_pin_that_is_bumped_changes_the_files_that_it_stands_in_and_no_others(
    copy: Path, pin: tuple[str, str], changed: str
) -> None:
    customer = copy / "cust-kiwistack"
    kiwistack("build", customer)
    before = files_in(customer / "generated")
    kiwistack("pins", "bump", customer, *pin)
    kiwistack("build", customer)
    after = files_in(customer / "generated")
    assert sorted(before) == sorted(after)
    assert {path for path in after if after[path] != before[path]} == {
        changed,
        "stack.json",
        "report.html",
        "manifest.json",
    }


def test_a_tenant_records_the_tree_of_its_cluster_and_check_says_when_they_disagree(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    customer, cluster = copy / "cust-acme", copy / "core-1"
    assert recorded(customer, "cluster_tree", build=True) is None
    kiwistack("build", cluster)
    assert recorded(customer, "cluster_tree", build=True) == recorded(cluster, "digest")
    assert main(["check", str(customer)]) == 0
    kiwistack("pins", "bump", cluster, "--image", "searxng=2026.11.1")
    kiwistack("build", cluster)
    capsys.readouterr()
    assert main(["check", str(customer)]) == 1
    shown = capsys.readouterr().out
    assert "finding: [a] cluster core-1: this tree was checked against sha256:" in shown
    assert str(recorded(cluster, "digest")) in shown
    kiwistack("build", customer)
    assert main(["check", str(customer)]) == 0


def test_a_tenant_is_not_built_for_a_cluster_that_says_something_other_than_its_tree(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = copy / "core-1"
    kiwistack("build", cluster)
    spec = cluster / "cluster.py"
    text = spec.read_text(encoding="utf-8")
    spec.write_text(text.replace('issuer="letsencrypt"', 'issuer="other"'), encoding="utf-8")
    assert main(["build", str(copy / "cust-acme")]) == 1
    shown = capsys.readouterr().out
    assert "[a] cluster core-1: its spec says something other" in shown
    assert f"kiwistack build {cluster}" in shown
    kiwistack("build", cluster)
    assert main(["build", str(copy / "cust-acme")]) == 0


def test_another_customer_changes_the_cluster_and_not_its_neighbours(copy: Path) -> None:
    customer, cluster = copy / "cust-acme", copy / "core-1"
    kiwistack("build", cluster)
    kiwistack("build", customer)
    before, gateways = files_in(customer / "generated"), files_in(cluster / "generated")
    spec = cluster / "cluster.py"
    third = '    customers=(\n        Customer(slug="third", domain="third.example"),\n'
    text = spec.read_text(encoding="utf-8").replace("    customers=(\n", third)
    spec.write_text(text, encoding="utf-8")
    kiwistack("build", cluster)
    kiwistack("build", customer)
    after, now = files_in(customer / "generated"), files_in(cluster / "generated")
    # The two files that say which tree of the cluster it was checked against.
    assert {path for path in after if after[path] != before[path]} == {"manifest.json", "report.html"}
    changed = {path for path in now if now[path] != gateways[path]}
    # The hook of its virtual key, and the time that it may take.
    assert changed == {
        "helmfile.yaml.gotmpl",
        "manifest.json",
        "report.html",
        "stack.json",
        "values/litellm-post.yaml.gotmpl",
        *(f"values/foundation-{name}.yaml.gotmpl" for name in ("ingress", "llm-gateway", "search-gateway")),
    }


def test_an_onyx_before_the_table_that_its_seed_needs_is_refused(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    customer = str(copy / "cust-kiwistack")
    assert main(["pins", "bump", customer, "--image", "onyxBackend=v2.11.4"]) == 0
    assert main(["build", customer]) == 1
    shown = capsys.readouterr().out
    for text in ("f220515df7b4", "v2.12.0", "images.yaml:", "41fa44bef321"):
        assert text in shown
    assert not (copy / "cust-kiwistack" / "generated").exists()


def test_python_and_toml_give_equal_values(copy: Path) -> None:
    python = engine.load(copy / "cust-kiwistack").stack
    for spec, text in (("cust-kiwistack/tenant", TENANT_TOML), ("core-1/cluster", CLUSTER_TOML)):
        (copy / f"{spec}.py").unlink()
        (copy / f"{spec}.toml").write_text(text, encoding="utf-8")
    data = engine.load(copy / "cust-kiwistack").stack
    assert data.target == python.target
    assert data.cluster == python.cluster


def test_two_builds_on_two_machines_are_the_same(tmp_path: Path, copy: Path) -> None:
    """Another folder, home, time zone, hash seed, locale and seed in the environment; the same bytes."""
    one, other = tmp_path / "one", tmp_path / "two" / "deep"
    again = shutil.copytree(copy, tmp_path / "again")
    kiwistack("build", again / "cust-kiwistack", "--out", one)
    strange = {
        "HOME": str(tmp_path),
        "TZ": "Pacific/Kiritimati",
        "PYTHONHASHSEED": "4242",
        "LC_ALL": "C",
        "MASTER_PASSWORD": "must not matter",
    }
    kiwistack("build", copy / "cust-kiwistack", "--out", other, cwd=tmp_path, environment=strange)
    assert files_in(one) == files_in(other)
    assert not any(b"must not matter" in content for content in files_in(other).values())


def test_what_a_tenant_did_not_choose_leaves_no_trace(copy: Path, tmp_path: Path) -> None:
    spec = copy / "cust-kiwistack" / "tenant.py"
    text = spec.read_text(encoding="utf-8")
    assert "        Onyx(" in text
    kept = [line for line in text.splitlines() if "Onyx(" not in line and "kiwi_component_onyx" not in line]
    spec.write_text("\n".join(kept) + "\n", encoding="utf-8")
    shutil.rmtree(copy / "cust-kiwistack" / "overlays")
    kiwistack("build", copy / "cust-kiwistack", "--out", tmp_path / "out")
    written = files_in(tmp_path / "out")
    assert not any(b"onyx" in content or "onyx" in path for path, content in written.items())
    assert b"installed" not in written["helmfile.yaml.gotmpl"]


def test_a_release_that_left_takes_its_files_along(copy: Path) -> None:
    customer = copy / "cust-kiwistack"
    kiwistack("build", customer)
    assert (customer / "generated" / "overlays" / "onyx.yaml").is_file()
    (customer / "overlays" / "onyx.yaml").unlink()
    assert "1 removed" in kiwistack("build", customer)
    assert not (customer / "generated" / "overlays").exists()
