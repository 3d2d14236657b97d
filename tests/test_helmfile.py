"""The example's tree in the hands of the real helmfile and Helm."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from trees import EXAMPLES, SEED, kiwistack, objects, stub_values, templated, with_stub_charts
from trees import helmfile as run

pytestmark = pytest.mark.real_server

STAGES = {
    "foundation": "000-foundation",
    "onyx-opensearch": "030-services-external",
    "onyx-redis": "030-services-external",
    "onyx": "050-components",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tree") / "out"
    kiwistack("build", EXAMPLES / "cust-kiwistack", "--out", out)
    return out


@pytest.fixture(scope="module")
def stubbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole tree, with a stub for each chart that cannot be had without a network."""
    folder = tmp_path_factory.mktemp("stubbed")
    customer = with_stub_charts(folder / "examples")
    kiwistack("build", customer, "--out", folder / "out")
    return folder / "out"


@pytest.mark.parametrize("lane", ["default", "dev"])
def test_list_shows_every_release_once_with_its_stage_and_needs_no_seed(
    helmfile: Path, helm: Path, tree: Path, lane: str
) -> None:
    listed = json.loads(run(helmfile, helm, tree, "-e", lane, "list", "--output", "json").stdout)
    stages = [(item["name"], re.findall(r"deployStage:([\w-]+)", item["labels"])) for item in listed]
    assert sorted(stages) == sorted((name, [stage]) for name, stage in STAGES.items())
    assert {item["namespace"] for item in listed} == {"cust-kiwistack"}


@pytest.mark.parametrize("version", ["helm", "helm3"])
def test_template_renders_the_whole_tree_in_order(
    request: pytest.FixtureRequest, helmfile: Path, stubbed: Path, version: str
) -> None:
    done = run(helmfile, request.getfixturevalue(version), stubbed, "template", seed=SEED)
    order = templated(done.stderr)
    assert sorted(order) == sorted(STAGES)
    for release, needs in needs_in(stubbed).items():
        assert all(order.index(need) < order.index(release) for need in needs)
    kinds = {(item["kind"], item["metadata"]["name"]) for item in objects(done.stdout)}  # type: ignore[index]
    assert {("NetworkPolicy", "default-deny"), ("Secret", "onyx-postgresql"), ("Deployment", "onyx-redis")} <= kinds


def test_both_helms_render_the_same_objects(helmfile: Path, helm: Path, helm3: Path, stubbed: Path) -> None:
    one, other = (objects(run(helmfile, program, stubbed, "template", seed=SEED).stdout) for program in (helm, helm3))
    assert one == other


def test_the_pins_and_the_bindings_reach_the_chart(helmfile: Path, helm: Path, stubbed: Path) -> None:
    values = stub_values(run(helmfile, helm, stubbed, "template", seed=SEED).stdout, "onyx")
    assert isinstance(values, dict)
    assert values["api"]["image"] == {"repository": "docker.io/onyxdotapp/onyx-backend", "tag": "v4.6.1"}
    assert values["configMap"]["POSTGRES_HOST"] == "postgresql"
    assert values["api"]["resources"]["requests"]["cpu"] == "500m"
    assert values["postgresql"] == {"enabled": False}


def test_another_seed_gives_other_secrets_and_nothing_else(helmfile: Path, helm: Path, stubbed: Path) -> None:
    one, other = (objects(run(helmfile, helm, stubbed, "template", seed=seed).stdout) for seed in (SEED, SEED[::-1]))
    changed = {str(a["kind"]) for a, b in zip(one, other, strict=True) if a != b}
    assert changed == {"Secret"}


def test_without_a_seed_nothing_is_rendered(helmfile: Path, helm: Path, stubbed: Path) -> None:
    done = run(helmfile, helm, stubbed, "template", check=False)
    assert done.returncode != 0
    assert "MASTER_PASSWORD" in done.stderr
    assert objects(done.stdout) == []


def test_a_cycle_planted_in_the_tree_is_refused(helmfile: Path, helm: Path, stubbed: Path, tmp_path: Path) -> None:
    """That template would notice is what makes its passing a proof of the order."""
    broken = tmp_path / "out"
    broken.mkdir()
    for item in stubbed.iterdir():
        (broken / item.name).symlink_to(item)
    (broken / "helmfile.yaml.gotmpl").unlink()
    text = (stubbed / "helmfile.yaml.gotmpl").read_text(encoding="utf-8")
    needs = '"needs":\n    - "cust-kiwistack/onyx"\n  "wait": true'
    (broken / "helmfile.yaml.gotmpl").write_text(text.replace('"wait": true', needs, 1), encoding="utf-8")
    assert run(helmfile, helm, broken, "list").returncode == 0
    done = run(helmfile, helm, broken, "template", seed=SEED, check=False)
    assert done.returncode != 0
    assert "cycle" in done.stderr


def needs_in(tree: Path) -> dict[str, list[str]]:
    """Read the needs from what was written, not from what was meant."""
    text = (tree / "helmfile.yaml.gotmpl").read_text(encoding="utf-8").split("releases:\n")[1]
    releases = yaml.safe_load(re.sub(r"\{\{.*\}\}", "late", text))
    return {item["name"]: [need.split("/")[1] for need in item.get("needs", ())] for item in releases}
