"""Helm in this process and Helm as a program: the same objects, and the same refusals."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kiwi_core import Value
from kiwi_core import _engine as engine
from kiwi_core._compose.stack import Stack, StackRelease
from kiwi_core._compose.values import merge
from kiwi_core._deliver.chart_cache import Cache
from kiwi_core._deliver.charts import Chart, Charts
from kiwi_core._deliver.helm_engine import Engine, Request, find_engine
from kiwi_core._deliver.helm_sdk import HelmSdk
from kiwi_core._deliver.manifests import read_manifests, read_plain
from kiwi_core._deliver.registry import Registries
from kiwi_core._deliver.render import Renderer
from kiwi_core._derive.credentials import derive_all
from kiwi_core._derive.password import Seed
from kiwi_core._model.capture import Json
from kiwi_core.errors import ExternalError, InputError
from render_charts import FOURTH, REFUSED, RICH, lay
from trees import SEED, kiwistack, with_stub_charts
from trees import helmfile as run

pytestmark = pytest.mark.real_server
helm_python = pytest.importorskip("helm_python", reason="the extra kiwi-core[helm] is not installed")

ENGINES = ("sdk", "helm", "helm3")
TARGETS = ("core-1", "cust-acme", "cust-kiwistack")
LAYERS: Mapping[str, Mapping[str, Value]] = {
    "none": {},
    "null": {"null_me": {"x": None}, "list": None},
    "numbers": {"a": 3, "big": 1e21, "float": 0.1, "list": [1.0, -5, 2**53, 1e-7]},
    "texts": {"x": "a\u2028b\x7f\U0001f600 {{ .Values }} ref+echo://x yes 08 \n\t\"'\\"},
    "subcharts": {"tags": {"extras": True}, "sub": {"on": False}, "left": {"on": True}, "other": {"own": {"deep": []}}},
    "globals": {"global": {"g": None, "h": [{"i": True}]}, "other": {"given": None}},
}


@pytest.fixture
def engines(request: pytest.FixtureRequest, tmp_path: Path) -> Mapping[str, Engine]:
    cache = Cache(folder=tmp_path / "cache")
    programs = {name: find_engine(str(request.getfixturevalue(name)), cache) for name in ENGINES[1:]}
    return {"sdk": HelmSdk(), **programs}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_stub_charts(tmp_path_factory.mktemp("stubbed") / "examples")


def request_of(chart: Path, values: Mapping[str, Value]) -> Request:
    filled = cast("Mapping[str, Json]", values)
    apis = ("cert-manager.io/v1",)
    return Request(name="r", namespace="cust-x", chart=chart, values=filled, kubernetes="v1.37.0", apis=apis)


def rendered(engine: Engine, request: Request) -> list[str]:
    """Return what an engine renders, in an order of its own."""
    found = [
        item for out in engine.render(request) for item in read_manifests(out.text, release="r", source=out.source)
    ]
    return sorted(json.dumps([item.source, item.object], sort_keys=True) for item in found)


@pytest.mark.parametrize("name", LAYERS)
def test_a_chart_with_much_of_what_helm_can_renders_alike(
    engines: Mapping[str, Engine], tmp_path: Path, name: str
) -> None:
    request = request_of(lay(tmp_path / "rich", RICH), LAYERS[name])
    one, other, third = (rendered(engines[engine], request) for engine in ENGINES)
    assert one == other == third
    kinds = [json.loads(item)[1]["kind"] for item in one]
    assert kinds.count("Job") == kinds.count("Pod") == kinds.count("Service") == 1
    assert "NOTES" not in "".join(one)


def test_where_helm_4_differs_from_helm_3_the_one_in_this_process_is_helm_4(
    engines: Mapping[str, Engine], tmp_path: Path
) -> None:
    request = request_of(lay(tmp_path / "fourth", FOURTH), {})
    one, other = (rendered(engines[name], request) for name in ENGINES[:2])
    assert one == other
    assert [json.loads(item)[1]["data"]["it"].count("\n") for item in one] == [1, 5]


def test_what_templates_may_ask_for_is_what_was_said(engines: Mapping[str, Engine], tmp_path: Path) -> None:
    items = [json.loads(item)[1] for item in rendered(engines["sdk"], request_of(lay(tmp_path / "rich", RICH), {}))]
    data = next(item["data"] for item in items if item["metadata"]["name"] == "r-rich")
    assert (data["kubernetes"], data["minor"], data["has"], data["has_not"]) == ("v1.37.0", "37", "true", "false")
    assert (data["files"], data["ignored"], data["looked_up"]) == ("from a file: é", "", "{}")
    assert (data["octal"], data["word"], data["time"], data["exponent"]) == (15, True, "12:30:45", 1000)
    release = json.loads(data["release"])
    assert (release["Name"], release["Namespace"], release["IsInstall"]) == ("r", "cust-x", True)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), texts
)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.dictionaries(texts.filter(lambda key: key not in {"a", "global", "sub", "tags"}), trees, max_size=4))
def test_any_values_reach_the_templates_alike(engines: Mapping[str, Engine], tmp_path: Path, values: Any) -> None:
    request = request_of(lay(tmp_path / "rich", RICH), values)
    assert rendered(engines["sdk"], request) == rendered(engines["helm"], request)


words = st.text(st.sampled_from("0123456789+-._xobeEyYnNtrufalsinkTRUE:~=aABf"), min_size=1, max_size=8)


@settings(max_examples=1500, deadline=None)
@given(text=words)
def test_a_plain_scalar_is_read_as_helm_reads_it(text: str) -> None:
    """Whatever is a plain scalar to both readers: what is syntax is not asked about."""
    try:
        (node,) = yaml.compose_all(f"a: {text}\n", Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return
    value = cast("Any", node).value[0][1]
    if not isinstance(value, yaml.ScalarNode) or value.style or value.value != text:
        return
    try:
        said = helm_python.values_from_yaml(f"a: {text}\n")["a"]
    except helm_python.HelmError:
        with pytest.raises(ValueError, match="no number"):
            read_plain(text)
        return
    found = read_plain(text)
    assert found == said
    assert isinstance(found, bool) == isinstance(said, bool)


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("name", REFUSED)
def test_what_helm_refuses_names_chart_release_and_file(
    engines: Mapping[str, Engine], examples: Path, tmp_path: Path, name: str, engine_name: str
) -> None:
    base = {"Chart.yaml": "apiVersion: v2\nname: bad\nversion: 1.0.0\n", "templates/ok.yaml": "# nothing\n"}
    folder = lay(tmp_path / "bad", {**base, **REFUSED[name].files})
    stack = engine.load(examples / "cust-acme").stack
    release = attrs.evolve(
        stack.by_name["hello"],
        layers=(attrs.evolve(stack.by_name["hello"].layers[0], values={"why": "because it may"}),),
    )

    class Here(Charts):
        def of(self, release: StackRelease, stack: Stack) -> Chart:  # noqa: ARG002 -- whatever is asked for
            return Chart(title="bad 1.0.0", digest="0", path=lambda: folder)

    cache = Cache(folder=tmp_path / "cache")
    renderer = Renderer(engine=engines[engine_name], charts=Here(cache=cache, registries=Registries()), cache=cache)
    with pytest.raises(InputError) as raised:
        renderer.render(attrs.evolve(stack, releases=(release,)))
    (problem,) = raised.value.problems
    assert "release hello: chart bad 1.0.0 cannot be rendered" in problem.message
    for word in REFUSED[name].said:
        assert word in problem.message
    wanted = REFUSED[name].where
    assert wanted is None or str(problem.where).startswith(wanted)
    assert "kiwistack explain hello" in str(problem.hint)


@pytest.fixture(scope="module")
def built(examples: Path) -> Callable[[str], Path]:
    def build(name: str) -> Path:
        kiwistack("build", examples / name)
        return examples / name / "generated"

    return build


@pytest.mark.parametrize("name", TARGETS)
def test_every_engine_renders_the_examples_alike(
    engines: Mapping[str, Engine], examples: Path, tmp_path: Path, name: str
) -> None:
    stack = engine.load(examples / name).stack
    found: list[object] = []
    for which, helm in engines.items():
        cache = Cache(folder=tmp_path / which)
        renderer = Renderer(engine=helm, charts=Charts(cache=cache, registries=Registries()), cache=cache)
        cold = renderer.render(stack)
        assert renderer.render(stack).releases == cold.releases
        found.append(cold.releases)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("name", TARGETS[:2])
def test_with_the_seed_it_is_what_helmfile_renders(
    engines: Mapping[str, Engine],
    examples: Path,
    built: Callable[[str], Path],
    helmfile: Path,
    helm: Path,
    name: str,
    tmp_path: Path,
) -> None:
    """Values in layers, merged by Helm and derived in templates there; merged and derived in Python here."""
    said = run(helmfile, helm, built(name), "template", "--include-crds", seed=SEED).stdout
    stack = engine.load(examples / name).stack
    cache = Cache(folder=tmp_path / "cache")
    renderer = Renderer(engine=engines["sdk"], charts=Charts(cache=cache, registries=Registries()), cache=cache)
    derived = derive_all(Seed(SEED), stack.credentials)
    rendering = renderer.render(stack, revealed={late: derived[late] for late in stack.credentials})
    here = sorted(json.dumps(item.object, sort_keys=True) for items in rendering.releases.values() for item in items)
    there = [item.object for item in read_manifests(said, release="", source="")]
    assert here == sorted(json.dumps(item, sort_keys=True) for item in there)
    assert len(here) > 30
    assert not cache.path("renders", "").exists()


def test_layers_are_merged_as_helm_merges_them(helm: Path, tmp_path: Path) -> None:
    """One file of ours stands for the layers that helmfile hands over one by one."""
    chart = lay(tmp_path / "rich", RICH)
    layers: list[Mapping[str, Value]] = [
        {"null_me": {"x": 2, "y": {"z": 1}}, "list": [1], "m": {"a": {"b": 1}}},
        {"null_me": {"y": None}, "list": [2, 3], "m": {"a": 5}},
        {"null_me": {"y": {"q": 1}}, "m": None, "a": 7},
    ]
    words: list[str] = []
    for number, layer in enumerate(layers):
        (tmp_path / f"{number}.json").write_text(json.dumps(layer), encoding="utf-8")
        words += ["-f", str(tmp_path / f"{number}.json")]
    done = subprocess.run(
        [helm, "template", "r", chart, "-n", "cust-x", "--kube-version", "v1.37.0", *words],
        capture_output=True,
        check=True,
        text=True,
    )
    one = next(item for item in yaml.safe_load_all(done.stdout) if item and item["metadata"]["name"] == "r-rich")
    other = [json.loads(item)[1] for item in rendered(HelmSdk(), request_of(chart, merge(layers)))]
    assert next(item for item in other if item["metadata"]["name"] == "r-rich")["data"]["it"] == one["data"]["it"]


def test_a_program_that_is_no_helm_is_refused(tmp_path: Path) -> None:
    cache = Cache(folder=tmp_path / "cache")
    with pytest.raises(ExternalError, match="there is no program 'no-such-helm'"):
        find_engine("no-such-helm", cache)
    with pytest.raises(ExternalError, match="expected Helm 3 or 4"):
        find_engine("/bin/echo", cache)
