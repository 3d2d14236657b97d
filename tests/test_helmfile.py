"""The examples' trees in the hands of the real helmfile and Helm."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
import yaml
from kiwi_component_opendesk import OpenDesk
from kiwi_component_opendesk._facts import facts
from kiwi_component_opendesk._selection import APPS, EXTRAS
from trees import EXAMPLES, SEED, fakes, kiwistack, objects, stub_values, templated, with_stub_charts
from trees import helmfile as run

pytestmark = pytest.mark.real_server

TARGETS = ("cust-kiwistack", "cust-acme", "core-1")


@attrs.frozen
class Rendered:
    """What helmfile printed when it rendered a whole tree."""

    manifests: str
    order: tuple[str, ...]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Build an example as it stands; the cluster first, so that its customers find its tree."""

    @cache
    def build(name: str) -> Path:
        out = tmp_path_factory.mktemp("trees") / name
        kiwistack("build", EXAMPLES / name, "--out", out)
        return out

    return build


@pytest.fixture(scope="module")
def stubbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Build an example with a stub for each chart that cannot be had without a network."""
    examples = with_stub_charts(tmp_path_factory.mktemp("stubbed") / "examples")

    @cache
    def build(name: str) -> Path:
        kiwistack("build", examples / name)
        return examples / name / "generated"

    return build


@pytest.fixture(scope="module")
def rendered(
    request: pytest.FixtureRequest, helmfile: Path, stubbed: Callable[[str], Path]
) -> Callable[[str, str], Rendered]:
    @cache
    def render(name: str, helm: str) -> Rendered:
        done = run(helmfile, request.getfixturevalue(helm), stubbed(name), "template", handed=fakes(stubbed(name)))
        return Rendered(manifests=done.stdout, order=tuple(templated(done.stderr)))

    return render


@pytest.mark.parametrize("lane", ["default", "dev"])
@pytest.mark.parametrize("name", TARGETS)
def test_list_shows_every_release_once_with_its_stage_and_needs_no_seed(
    helmfile: Path, helm: Path, tree: Callable[[str], Path], name: str, lane: str
) -> None:
    folder = tree(name)
    listed = json.loads(run(helmfile, helm, folder, "-e", lane, "list", "--output", "json").stdout)
    found = {item["name"]: re.findall(r"deployStage:([\w-]+)", item["labels"]) for item in listed}
    assert len(found) == len(listed)
    releases = json.loads((folder / "stack.json").read_bytes())["releases"]
    assert found == {release["name"]: [release["stage"]] for release in releases}
    assert {item["namespace"] for item in listed} == (
        {"kiwi-ingress", "kiwi-cert-manager", "kiwi-llm-gateway", "kiwi-search-gateway"} if name == "core-1" else {name}
    )


def test_each_release_of_opendesk_has_the_stage_that_upstream_gives_it(
    helmfile: Path, helm: Path, tree: Callable[[str], Path]
) -> None:
    listed = json.loads(run(helmfile, helm, tree("cust-kiwistack"), "list", "--output", "json").stdout)
    stages = {item["name"]: re.findall(r"deployStage:([\w-]+)", item["labels"])[0] for item in listed}
    upstream = {name: release.stage for name, release in facts().releases.items() if release.stage}
    assert {name: stage for name, stage in upstream.items() if name in stages} == {
        name: stage for name, stage in stages.items() if name in upstream
    }
    assert stages["onyx-redis"] == stages["onyx-opensearch"] == "030-services-external"


@pytest.mark.parametrize(("name", "version"), [(name, "helm") for name in TARGETS] + [("cust-acme", "helm3")])
def test_template_renders_the_whole_tree_in_order(
    rendered: Callable[[str, str], Rendered], stubbed: Callable[[str], Path], name: str, version: str
) -> None:
    order = rendered(name, version).order
    needs = needs_in(stubbed(name))
    assert sorted(order) == sorted(needs)
    assert [pair for pair in _pairs(needs) if order.index(pair[0]) > order.index(pair[1])] == []


def test_what_depends_on_another_comes_after_it(rendered: Callable[[str, str], Rendered]) -> None:
    """Read from what helmfile does, against what upstream's own values files name."""
    order = rendered("cust-kiwistack", "helm").order
    wanted = [
        ("ums", "opendesk-keycloak-bootstrap"),
        *[(before, "onyx") for before in ("opendesk-keycloak-bootstrap", "postgresql", "minio", "postfix")],
        *[(before, "onyx") for before in ("onyx-redis", "onyx-opensearch")],
        *[(before, after) for before, after in _databases() if after in order],
        *[("opendesk-migrations-pre", name) for name in facts().releases if name in order],
        *[("foundation", name) for name in order if name != "namespace"],
        ("namespace", "foundation"),
    ]
    wrong = [pair for pair in wanted if order.index(pair[0]) > order.index(pair[1])]
    assert wrong == []
    assert len([pair for pair in wanted if pair[0] in {"postgresql", "mariadb"}]) > 8


def test_the_gateways_of_the_cluster_stand_in_namespaces_of_their_own(
    rendered: Callable[[str, str], Rendered], stubbed: Callable[[str], Path]
) -> None:
    order = rendered("core-1", "helm").order
    assert order.index("cert-manager") < order.index("cert-issuers")
    assert order.index("litellm-db") < order.index("litellm")
    denied = [item for item in objects(rendered("core-1", "helm").manifests) if name_of(item) == "default-deny"]
    assert len(denied) == 4
    assert b"cust-" not in b"".join(path.read_bytes() for path in stubbed("core-1").glob("values/[!f]*"))


def test_both_helms_render_the_same_objects(rendered: Callable[[str, str], Rendered]) -> None:
    one, other = (objects(rendered("cust-acme", version).manifests) for version in ("helm", "helm3"))
    assert one == other


def test_the_pins_and_the_bindings_reach_the_chart(rendered: Callable[[str, str], Rendered]) -> None:
    manifests = rendered("cust-kiwistack", "helm").manifests
    values = stub_values(manifests, "onyx")
    assert isinstance(values, dict)
    values = cast("dict[str, dict[str, Any]]", values)
    assert values["api"]["image"] == {"repository": "docker.io/onyxdotapp/onyx-backend", "tag": "v4.6.1"}
    assert values["configMap"]["POSTGRES_HOST"] == "postgresql"
    assert values["configMap"]["S3_ENDPOINT_URL"] == "http://minio:9000"
    assert values["configMap"]["SMTP_SERVER"] == "postfix"
    assert values["configMap"]["OPENID_CONFIG_URL"].startswith("https://id.kiwistack.example/realms/opendesk/")
    assert values["api"]["resources"]["requests"]["cpu"] == "500m"
    assert values["postgresql"] == {"enabled": False}
    kinds = {(item["kind"], name_of(item)) for item in objects(manifests)}
    assert {("NetworkPolicy", "default-deny"), ("Secret", "onyx-postgresql"), ("Deployment", "onyx-redis")} <= kinds


@pytest.mark.parametrize(
    "opendesk",
    [
        OpenDesk(apps=APPS, extras=tuple(EXTRAS), enterprise=True),
        OpenDesk(apps=APPS, extras=("clamav-distributed", "dkimpy")),
        OpenDesk(apps=("nubus",)),
        OpenDesk(apps=("open-xchange", "jitsi", "cryptpad")),
        OpenDesk(apps=("element", "xwiki", "notes")),
        OpenDesk(apps=("collabora", "openproject"), enterprise=True, extras=("alerts", "dashboards")),
    ],
    ids=lambda opendesk: f"{len(opendesk.apps)}-{opendesk.apps[-1]}",
)
def test_every_choice_of_apps_renders_in_order(helmfile: Path, helm: Path, tmp_path: Path, opendesk: OpenDesk) -> None:
    examples = with_stub_charts(tmp_path / "examples", enterprise=opendesk.enterprise)
    (examples / "cust-acme" / "tenant.py").unlink()
    choice = {"kind": "opendesk", "apps": opendesk.apps, "extras": opendesk.extras, "enterprise": opendesk.enterprise}
    components = "\n".join(f"{key} = {json.dumps(value)}" for key, value in choice.items())
    (examples / "cust-acme" / "tenant.toml").write_text(
        f'slug = "acme"\ndomain = "acme.example"\ncluster = "core-1"\n[[components]]\n{components}\n', encoding="utf-8"
    )
    cluster = examples / "core-1" / "cluster.py"
    ports = 'ports=("25/tcp", "587/tcp", "993/tcp", "995/tcp", "10000/udp"), address="198.51.100.20"'
    text = cluster.read_text(encoding="utf-8").replace('domain="acme.example"', f'domain="acme.example", {ports}')
    cluster.write_text(text, encoding="utf-8")
    kiwistack("build", examples / "cust-acme")
    out = examples / "cust-acme" / "generated"
    order = templated(run(helmfile, helm, out, "template", handed=fakes(out)).stderr)
    needs = needs_in(out)
    assert sorted(order) == sorted(needs)
    assert set(order) == {"namespace", "foundation", *opendesk.reasons()}
    assert [pair for pair in _pairs(needs) if order.index(pair[0]) > order.index(pair[1])] == []


def test_another_seed_gives_other_secrets_and_nothing_else(
    helmfile: Path, helm: Path, stubbed: Callable[[str], Path]
) -> None:
    one, other = (
        objects(run(helmfile, helm, stubbed("core-1"), "template", seed=seed).stdout) for seed in (SEED, SEED[::-1])
    )
    changed = {str(a["kind"]) for a, b in zip(one, other, strict=True) if a != b}
    assert changed == {"Secret"}


def test_without_a_seed_nothing_is_rendered(helmfile: Path, helm: Path, stubbed: Callable[[str], Path]) -> None:
    done = run(helmfile, helm, stubbed("cust-acme"), "template", check=False)
    assert done.returncode != 0
    assert "MASTER_PASSWORD" in done.stderr
    assert objects(done.stdout) == []


def test_a_cycle_planted_in_the_tree_is_refused(
    helmfile: Path, helm: Path, stubbed: Callable[[str], Path], tmp_path: Path
) -> None:
    """That template would notice is what makes its passing a proof of the order."""
    broken, whole = tmp_path / "out", stubbed("core-1")
    broken.mkdir()
    for item in whole.iterdir():
        (broken / item.name).symlink_to(item)
    (broken / "helmfile.yaml.gotmpl").unlink()
    text = (whole / "helmfile.yaml.gotmpl").read_text(encoding="utf-8")
    head, found, rest = text.partition('- "name": "namespace-cert-manager"\n')
    assert found
    needs = '"needs":\n    - "kiwi-cert-manager/cert-manager"\n  "wait": true'
    text = head + found + rest.replace('"wait": true', needs, 1)
    (broken / "helmfile.yaml.gotmpl").write_text(text, encoding="utf-8")
    assert run(helmfile, helm, broken, "list").returncode == 0
    done = run(helmfile, helm, broken, "template", seed=SEED, check=False)
    assert done.returncode != 0
    assert "cycle" in done.stderr


def name_of(item: dict[str, object]) -> str:
    return str(cast("dict[str, object]", item["metadata"])["name"])


def needs_in(tree: Path) -> dict[str, list[str]]:
    """Read the needs from what was written, not from what was meant."""
    text = (tree / "helmfile.yaml.gotmpl").read_text(encoding="utf-8").split("releases:\n")[1]
    releases = yaml.safe_load(re.sub(r"\{\{.*\}\}", "late", text))
    return {item["name"]: [need.split("/")[1] for need in item.get("needs", ())] for item in releases}


def _pairs(needs: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    return ((before, after) for after, found in needs.items() for before in found)


def _databases() -> Iterator[tuple[str, str]]:
    """Yield the server of each database with the release whose values files name it, as upstream has it."""
    for name, release in facts().releases.items():
        for key in release.names.databases:
            engine = str(facts().databases[key]["type"])
            if name not in {"postgresql", "mariadb"}:
                yield engine, name
