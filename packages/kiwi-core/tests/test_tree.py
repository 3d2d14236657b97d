"""What is emitted: the files of a golden tree, their manifest, and where each chart comes from."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import cast

import attrs
import pytest
import yaml
from kiwi_core import (
    Bound,
    Declaration,
    Egress,
    Ingress,
    IngressOffer,
    Job,
    Lane,
    LlmOffer,
    Release,
    Secret,
    Stage,
    Wiring,
    Workload,
    checksum,
    text,
    url,
)
from kiwi_core._compose.compose import compose
from kiwi_core._compose.stack import ChartFiles, Stack
from kiwi_core._compose.values import CUSTOMER, Layer
from kiwi_core._deliver.local_chart import read_chart
from kiwi_core._emit.helmfile import emit_helmfile
from kiwi_core._emit.tree import MANIFEST, Tree, emit, is_path
from kiwi_core._model.late import Value
from kiwi_core._model.pins import ChartPin, Pins
from kiwi_core.errors import InputError, PluginError
from stack_samples import ADMIN, CLUSTER, DB, LLM, TOOL, Sample, component, inputs, job, pg, release
from tree_samples import DIGEST, PINS, compare, helmfile, releases, whole

WEB = Ingress("web")


def golden_inputs(lane: Lane = Lane.DOGFOOD, pins: Pins = PINS) -> Stack:
    """A tenant with hooks, Secrets, network, two kinds of repositories, and all three layers of values."""

    def wiring(bound: Bound) -> Wiring:
        db, llm = bound[DB], bound[LLM]
        dsn = text("postgres://{u}:{p}@{h}/x", u=db.user, p=url(db.password), h=db.host)
        secret = Secret("app-db", {"dsn": dsn, "user": db.user})
        values: dict[str, Value] = {
            "image": dict(zip(("repository", "tag"), bound.image("web"), strict=True)),
            "podAnnotations": {"checksum/secrets": checksum(secret)},
            "env": [{"name": "LLM", "value": llm.url}, {"name": "KEY", "value": llm.key}],
            "odd": {"n": "{{ fail }}", "1e3": "ref+x", "on": [None, True, 1, 1.5, [], {}]},
        }
        network = Workload(name="web", pods={"app": "web"}, served_by=WEB, ports=(8080,), egress=(Egress(to="a hub"),))
        return Wiring(
            overlay={"app": values},
            secrets=(secret,),
            pre=(
                Job(
                    name="role",
                    image=TOOL,
                    observe=("false",),
                    command=("psql", "-c", "x"),
                    env={"PASSWORD": ADMIN},
                    on=(DB,),
                ),
            ),
            post=(job("seed"),),
            network=(network,),
            hosts=(f"web.{bound.home.domain}",),
        )

    app = Declaration(releases=(release("app", DB, LLM, WEB),))
    server = Release(name="pg", chart="pg", stage=Stage.SERVICES, timeout=600)
    cluster = attrs.evolve(
        CLUSTER,
        pod_cidrs=("10.0.0.0/8",),
        service_cidrs=("fd00::/108",),
        node_cidrs=("192.0.2.0/24",),
        offers=(LlmOffer(namespace="kiwi-llm"), IngressOffer(namespace="kiwi-ingress", pods={"app": "nginx"})),
    )
    given = inputs(
        Sample(name="app", declaration=app, wiring=wiring),
        component("data", server, Release(name="cache", chart="cache"), offers=(pg("pg"),)),
        pins=pins,
        lane=lane,
        cluster=cluster,
        overlays={
            "app": (
                Layer(origin=f"lane {lane}", file="lane.yaml", values={"replicas": 1}),
                Layer(origin=CUSTOMER, file="app.yaml", values={"replicas": 3, "text": "{{ .Values }}"}),
            ),
            "pg": (Layer(origin=CUSTOMER, file="pg.yaml", values={}),),
        },
    )
    return compose(given)


def lines_of(tree: Tree, name: str) -> list[str]:
    """The lines of a release in the helmfile."""
    written = tree["helmfile.yaml.gotmpl"].decode()
    return written.partition(f'- "name": "{name}"\n')[2].partition("\n- ")[0].splitlines()


def test_the_tree_is_the_golden_one() -> None:
    compare(whole(golden_inputs()), "golden")


def test_the_helmfile_has_every_release_once_in_order_with_its_needs() -> None:
    stack = golden_inputs()
    found = releases(whole(stack))
    assert list(found) == [item.name for item in stack.releases]
    for item in stack.releases:
        entry = found[item.name]
        assert entry["namespace"] == "cust-acme"
        assert entry["labels"] == {
            "deployStage": item.stage.value,
            "component": item.component or "platform",
            "kiwistack.dev/tree": "ACTION",
        }
        assert entry.get("takeOwnership", False) == (item.role == "foundation")
        assert entry.get("createNamespace", False) == (item.role == "namespace")
        assert entry.get("needs", []) == [f"cust-acme/{need}" for need in item.needs]
        assert entry.get("wait", False) == item.wait
        assert entry["timeout"] == item.declared.timeout
        assert ("waitForJobs" in entry) == (item.role == "hooks")


def test_every_file_that_the_helmfile_names_is_there() -> None:
    for lane in (Lane.DEV, Lane.DOGFOOD):
        tree = whole(golden_inputs(lane))
        environments = cast("dict[str, dict[str, list[str]]]", helmfile(tree)[0]["environments"])
        assert environments.keys() == {"default", str(lane)}
        named = [*environments["default"]["values"]]
        for item in releases(tree).values():
            named += cast("list[str]", item["values"])
        assert set(named) <= tree.keys()
        assert {path for path in tree if path.startswith(("values/", "overlays/", "environments/"))} == set(named)


def test_layers_stand_in_their_order() -> None:
    tree = whole(golden_inputs())
    assert releases(tree)["app"]["values"] == ["values/app.yaml.gotmpl", "values/app.dogfood.yaml", "overlays/app.yaml"]
    assert yaml.safe_load(tree["overlays/app.yaml"]) == {"replicas": 3, "text": "{{ .Values }}"}
    assert yaml.safe_load(tree["overlays/pg.yaml"]) == {}


def test_the_manifest_has_the_digest_of_every_file() -> None:
    tree = whole(golden_inputs())
    manifest = json.loads(tree[MANIFEST])
    assert manifest["files"] == {
        path: hashlib.sha256(content).hexdigest() for path, content in tree.items() if path != MANIFEST
    }
    assert (manifest["target"], manifest["cluster"], manifest["lane"]) == ("cust-acme", "core-1", "dogfood")
    assert list(tree) == [*sorted(tree.keys() - {MANIFEST}), MANIFEST]


def test_the_digest_of_the_whole_changes_with_any_file_and_its_name() -> None:
    stack = golden_inputs()

    def digest(files: Tree) -> str:
        return str(json.loads(emit(stack, (lambda _: files,))[MANIFEST])["digest"])

    digests = [digest(files) for files in ({}, {"a": b""}, {"b": b""}, {"a": b"1"}, {"a": b"", "b": b""})]
    assert len(set(digests)) == len(digests)
    assert digest({"a": b"", "b": b"1"}) == digest({"b": b"1", "a": b""})
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", found) for found in digests)


def test_only_the_pins_that_are_used_are_written() -> None:
    tree = whole(golden_inputs())
    charts = yaml.safe_load(tree["environments/dogfood/charts.yaml"])["charts"]
    images = yaml.safe_load(tree["environments/dogfood/images.yaml"])["images"]
    assert set(charts) == {"kiwi-foundation", "kiwi-hooks", "kiwi-namespace", "own", "pg", "cache"}
    assert charts["own"] == {
        "registry": "registry.example",
        "repository": "charts",
        "name": "own",
        "version": "0.1.0",
        "digest": DIGEST,
    }
    assert images == {
        "tool": {"registry": "docker.io", "repository": "library/tool", "tag": f"1.0@{DIGEST}"},
        "web": {"registry": "ghcr.io", "repository": "acme/web", "tag": "v2"},
    }


def test_no_version_stands_outside_of_the_pins() -> None:
    tree = whole(golden_inputs())
    for path, content in tree.items():
        if not path.startswith("environments/") and path != "stack.json":
            assert not re.search(rb"16\.2\.1|0\.1\.0|7\.0\.0|1\.0@sha256|\bv2\b", content), path


def test_a_chart_comes_from_an_oci_registry_or_a_classic_repository() -> None:
    tree = whole(golden_inputs())
    chart = '(index .Values.charts "own")'
    location = f'list {chart}.registry {chart}.repository | compact | join "/"'
    assert lines_of(tree, "app")[:3] == [
        f'  "chart": {{{{ printf "oci://%s/%s" ({location}) {chart}.name | toJson }}}}',
        f'  "version": {{{{ {chart}.version | toJson }}}}',
        '  "verify": true',
    ]
    repositories = cast("list[dict[str, str]]", helmfile(tree)[1]["repositories"])
    (name,) = [repository["name"] for repository in repositories]
    for release_name, pin in (("pg", "pg"), ("cache", "cache")):
        chart = f'(index .Values.charts "{pin}")'
        assert lines_of(tree, release_name)[0] == f'  "chart": {{{{ printf "%s/%s" "{name}" {chart}.name | toJson }}}}'


def test_repositories_that_look_alike_have_names_of_their_own() -> None:
    charts = {
        **PINS.charts,
        "pg": ChartPin(registry="https://a.example", repository="b-c", name="x", version="1.0.0"),
        "cache": ChartPin(registry="https://a.example", repository="b/c", name="x", version="1.0.0"),
    }
    tree = whole(golden_inputs(pins=attrs.evolve(PINS, charts=charts)))
    names = [item["name"] for item in cast("list[dict[str, str]]", helmfile(tree)[1]["repositories"])]
    assert len(set(names)) == 2
    for name in names:
        assert re.fullmatch("[a-z0-9-]+", name)


def test_a_slash_too_many_in_a_pin_changes_no_address() -> None:
    charts = {
        **PINS.charts,
        "pg": ChartPin(registry="https://charts.example/", repository="stable/", name="x", version="1.0.0"),
    }
    tree = whole(golden_inputs(pins=attrs.evolve(PINS, charts=charts)))
    written = yaml.safe_load(tree["environments/dogfood/charts.yaml"])["charts"]["pg"]
    assert "/".join((written["registry"], written["repository"])) == "https://charts.example/stable"


def test_own_charts_go_with_the_tree_in_dev_alone() -> None:
    dev, dogfood = whole(golden_inputs(Lane.DEV)), whole(golden_inputs())
    assert {path for path in dev if path.startswith("charts/")} == {
        f"charts/{name}/Chart.yaml" for name in ("own", "kiwi-foundation", "kiwi-hooks", "kiwi-namespace")
    }
    assert not [path for path in dogfood if path.startswith("charts/")]
    assert releases(dev)["app"]["chart"] == "./charts/own"
    assert "version" not in releases(dev)["app"]
    assert set(yaml.safe_load(dev["environments/dev/charts.yaml"])["charts"]) == {"pg", "cache"}


def test_a_local_chart_goes_in_the_place_of_its_pin() -> None:
    local = ChartFiles(
        name="somewhere", version="9.9.9", files={"Chart.yaml": b"local", "templates/a.yaml": b"{{ x }}"}
    )
    stack = golden_inputs(Lane.DEV)
    tree = whole(compose(attrs.evolve(stack.inputs, local_charts={"pg": local})))
    assert tree["charts/pg/Chart.yaml"] == b"local"
    assert tree["charts/pg/templates/a.yaml"] == b"{{ x }}"
    assert releases(tree)["pg"]["chart"] == "./charts/pg"
    assert set(yaml.safe_load(tree["environments/dev/charts.yaml"])["charts"]) == {"cache"}


def test_the_summary_names_credentials_and_says_no_value() -> None:
    summary = json.loads(whole(golden_inputs())["stack.json"])
    assert summary["credentials"] == {"kiwi-llm/virtual-key": 1, "app/postgres/db": 1}
    assert summary["secrets"] == [{"namespace": "cust-acme", "name": "app-db", "keys": ["dsn", "user"]}]
    assert summary["components"] == {
        "app": "kiwi-component-sample 2.3",
        "data": "kiwi-component-sample 2.3",
    }
    assert {"component": "app", "use": "llm/llm", "by": "the cluster"} in summary["bindings"]


def test_two_emitters_of_one_file_are_named() -> None:
    def emit_mine(_stack: Stack) -> Tree:
        return {"helmfile.yaml.gotmpl": b"", MANIFEST: b"", "mine": b""}

    with pytest.raises(PluginError) as caught:
        emit(golden_inputs(), (emit_helmfile, emit_mine))
    assert [problem.message for problem in caught.value.problems] == [
        "emitter emit_mine writes 'helmfile.yaml.gotmpl', which another one writes too",
        "emitter emit_mine writes 'manifest.json', which another one writes too",
    ]


@pytest.mark.parametrize("path", ["../x", "/x", "a/../b", "", ".", "a//b", "a/", "./a", "a\0b", "a\nb", "\ud800"])
def test_a_path_that_leads_out_of_the_tree_is_refused(path: str) -> None:
    assert not is_path(path)
    with pytest.raises(PluginError, match=r"emitter .*<lambda>.* writes .*, expected a path within the tree"):
        emit(golden_inputs(), (lambda _: {path: b""},))


@pytest.mark.parametrize("path", ["a", "a/b.yaml", ".hidden", "a b/ü", "..a", "a..b/c"])
def test_a_path_within_the_tree_is_one(path: str) -> None:
    assert is_path(path)
    assert path in emit(golden_inputs(), (lambda _: {path: b""},))


def test_an_emitter_that_fails_is_told_with_its_file_and_line() -> None:
    def emit_mine(_stack: Stack) -> Tree:
        raise ZeroDivisionError("oh")

    with pytest.raises(PluginError, match=r"test_tree\.py:\d+: emitter emit_mine fails in .*: ZeroDivisionError: oh"):
        emit(golden_inputs(), (emit_mine,))


@pytest.mark.parametrize(
    ("given", "message"), [(None, "returns None from"), ({"a": "text"}, "writes str to 'a', expected bytes")]
)
def test_an_emitter_that_gives_no_tree_is_told(given: object, message: str) -> None:
    def emit_mine(_stack: Stack) -> Tree:
        return cast("Tree", given)

    with pytest.raises(PluginError, match=message):
        emit(golden_inputs(), (emit_mine,))


def test_a_chart_is_read_from_its_folder(tmp_path: Path) -> None:
    chart = tmp_path / "mine"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_bytes(
        b"apiVersion: v2\r\ndependencies:\r\n  - name: x\r\n    version: 9.9.9\r\nversion: '1.2.3-rc.1' # ours\r\n"
    )
    (chart / "templates" / "a.bin").write_bytes(b"\x00\xff")
    found = read_chart(chart)
    assert (found.name, found.version) == ("mine", "1.2.3-rc.1")
    assert found.files.keys() == {"Chart.yaml", "templates/a.bin"}
    assert found.files["templates/a.bin"] == b"\x00\xff"


@pytest.mark.parametrize("content", [None, "name: x\n", "  version: 1.0.0\n", "version:\nname: x\n"])
def test_a_folder_that_is_no_chart_is_told(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "Chart.yaml").write_text(content, "utf-8")
    with pytest.raises(InputError, match=r"this is no chart: it has no Chart\.yaml with a version") as caught:
        read_chart(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))


def test_a_chart_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this is no chart"):
        read_chart(tmp_path / "nowhere")
