"""The table of mutations: every rule, every way to break it; each turns a clean tenant or cluster red, or is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs
import mutations_cluster
import mutations_cluster_policies
import mutations_credentials
import mutations_lock
import mutations_namespace
import mutations_offers
import mutations_outside
import mutations_overlay
import mutations_pins
import mutations_policies
import mutations_release
import mutations_rendered
import pytest
from contract_changes import (
    Change,
    Row,
    both,
    cluster,
    declared,
    declares,
    hook,
    joined,
    overlay,
    scene,
    secret,
    tenant,
    values,
    wired,
    wires,
)
from contract_stack import DB, MAIL, App, Db, Scene, pin_texts
from kiwi_core import (
    Bucket,
    BucketOffer,
    Credential,
    ExistingServices,
    Image,
    Job,
    Lane,
    Pin,
    PlainValue,
    PostgresOffer,
    SecretKey,
    Workload,
)
from kiwi_core._contract.results import Outcome
from kiwi_core._spec.convert import Converter
from kiwi_core._spec.template import read_pins
from kiwi_core.errors import ComposeError, InputError, OverlayError, PinError, PluginError

MODULES = (
    mutations_release, mutations_namespace, mutations_offers, mutations_policies, mutations_outside, mutations_cluster,
    mutations_cluster_policies, mutations_pins, mutations_overlay, mutations_credentials, mutations_lock,
    mutations_rendered,
)  # fmt: skip
ROWS = [row for module in MODULES for row in module.ROWS]


@pytest.mark.parametrize("mutation", ROWS, ids=str)
def test_a_mutation_turns_its_rule_red(mutation: Row) -> None:
    found = mutation.change(mutation.start(lane=mutation.lane)).of(Outcome.FINDING, mutation.rule)
    assert [text for text in found if all(word in text for word in mutation.said)], "\n".join(found) or "no finding"


def test_no_two_mutations_have_one_name() -> None:
    assert len({str(row) for row in ROWS}) == len(ROWS)


def without_chart(name: str) -> Change:
    return lambda old: attrs.evolve(old, charts={key: pin for key, pin in old.charts.items() if key != name})


def without_image(name: str) -> Change:
    return lambda old: attrs.evolve(old, images={key: pin for key, pin in old.images.items() if key != name})


FILES = Bucket("files")
STORE = BucketOffer(release="app", endpoint_url="http://app", admin_user="x", admin=SecretKey("app-db", "password"))
ROUND = both(
    declares("app", lambda found: attrs.evolve(found, offers=(STORE,))),
    declared("db", uses=(FILES,)),
)
SECOND = ExistingServices(name="pg", postgres=PostgresOffer(host="pg", admin=SecretKey("pg", "password")))
TWICE = Job(name="database", image=Image(Pin("tools", "name"), Pin("tools", "tag")), observe=("false",), command=("x",))
PLAIN = {"release": "app", "path": "token"}

REFUSED: Mapping[str, tuple[Change, type[InputError], tuple[str, ...]]] = {
    "a-cycle-in-a-component": (
        declared("app", needs=("worker",)),
        ComposeError,
        ("cycle", "worker goes before app", "app goes before worker"),
    ),
    "a-cycle-of-services": (
        ROUND,
        ComposeError,
        ("cycle", "app goes before db", "bucket/files of component app", "db goes before app"),
    ),
    "a-cycle-by-a-hook": (declared("app", needs=("app-post",)), ComposeError, ("release 'app' needs 'app-post'",)),
    "a-need-of-nobody": (declared("worker", needs=("ap",)), ComposeError, ("release 'worker' needs 'ap'", "'app'?")),
    "a-release-twice": (joined(App(name="two")), ComposeError, ("release 'app' is declared twice, by app and two",)),
    "a-component-twice": (joined(Db()), ComposeError, ("two components are named 'db'", "another name")),
    "a-two-hooks-of-one-name": (wired(pre=(TWICE, TWICE)), ComposeError, ("two pre hooks named 'database'",)),
    "a-api-of-nobody": (
        declared("app", requires=("cert-manager.io",)),
        ComposeError,
        ("release 'app'", "'cert-manager.io'"),
    ),
    "b-use-of-nobody": (
        scene(components=(App(),)),
        ComposeError,
        ("component 'app' uses postgres/app", "ExistingServices(postgres=…)"),
    ),
    "b-use-of-two": (joined(SECOND), ComposeError, ("2 could serve it: db/main, pg/main", 'bind={"app/postgres"')),
    "b-choice-of-nobody": (
        tenant(bind={"app/postgre": "db"}),
        ComposeError,
        ("bind names 'app/postgre'", "'app/postgres'"),
    ),
    "b-shared-service-of-nobody": (
        both(cluster(offers=()), declares("app", lambda found: attrs.evolve(found, wants=(MAIL,)))),
        ComposeError,
        ("uses llm/app", "cluster 'core-1' does not offer"),
    ),
    "b-network-without-facts": (cluster(pod_cidrs=()), ComposeError, ("workload 'app-web'", "pod_cidrs")),
    "b-network-of-nobody": (
        wired(network=(Workload(name="x", pods={"a": "b"}, calls=(FILES,)),)),
        ComposeError,
        ("workload 'app-x'", "bucket/files"),
    ),
    "c-chart-without-a-pin": (without_chart("db"), PinError, ("no chart pin 'db'", "release 'db'", "charts.yaml")),
    "c-image-without-a-pin": (
        without_image("web"),
        PinError,
        ("no image pin 'web'", "release 'app'", "images.yaml"),
    ),
    "c-image-of-a-hook-without-a-pin": (
        without_image("tools"),
        PinError,
        ("no image pin 'tools'", "release 'app-pre'"),
    ),
    "c-image-misspelt": (
        values("app", {"image": {"tag": Pin("wep", "tag")}}),
        PinError,
        ("no image pin 'wep'", "'web'"),
    ),
    "c-chart-of-the-platform-without-a-pin": (
        both(scene(lane=Lane.STABLE), without_chart("kiwi-hooks")),
        PinError,
        ("no chart pin 'kiwi-hooks'",),
    ),
    "d-overlay-of-nothing": (
        overlay("wroker", {"replicas": 1}),
        OverlayError,
        ("overlays/wroker.yaml", "'wroker'", "'worker'?"),
    ),
    "d-overlay-of-nothing-by-the-component": (
        wires("app", lambda wiring: attrs.evolve(wiring, overlay={"ap": {}})),
        ComposeError,
        ("'ap'", "'app'?"),
    ),
    "d-number-that-helm-changes": (values("app", {"replicas": 2**53 + 1}), OverlayError, ("replicas", "2^53")),
    "e-secret-twice": (
        secret("db-admin", {"x": Credential("app", "x")}),
        ComposeError,
        ("Secret 'db-admin' is declared twice",),
    ),
    "e-plain-value-without-a-reason": (
        wires("app", lambda wiring: attrs.evolve(wiring, plain=(PlainValue(**PLAIN, reason=""),))),
        PluginError,
        ("component 'app'", "reason"),
    ),
    "e-credential-in-a-python-text": (
        wires("app", lambda wiring: attrs.evolve(wiring, overlay={f"{Credential('app', 'x')}": {}})),
        PluginError,
        ("component 'app'", "known only at deploy"),
    ),
    "f-hook-on-what-nobody-uses": (hook("pre", on=(DB, FILES)), ComposeError, ("hook 'database'", "bucket/files")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_composed_is_refused(name: str) -> None:
    change, error, said = REFUSED[name]
    with pytest.raises(error) as caught:
        change(Scene()).results()
    text = str(caught.value)
    assert [word for word in said if word not in text] == [], text
    assert caught.value.exit_code == 2


def pinned(**parts: str) -> Mapping[str, str]:
    """Return the pin files with some values replaced."""
    files = dict(pin_texts())
    for name, text in parts.items():
        what, old = {"chart": ("charts", "1.0.0"), "image": ("images", "v1.2.0")}[name]
        files[what] = files[what].replace(old, text)
    return files


MALFORMED: Mapping[str, tuple[Mapping[str, str], str]] = {
    "a-digest-too-short": (pinned(image="v1@sha256:0123"), "digest 'sha256:0123' is malformed"),
    "a-digest-of-another-kind": (pinned(image="v1@md5:" + "0" * 32), "malformed"),
    "a-digest-in-capitals": (pinned(image="v1@sha256:" + "A" * 64), "malformed"),
    "no-tag": (pinned(image="'@sha256:" + "0" * 64 + "'"), "no image tag"),
    "a-tag-that-is-a-number": (pinned(image="1.27"), "1.27"),
    "a-range": (pinned(chart="^1.2.0"), "one exact version"),
    "a-floating-version": (pinned(chart="1.x"), "one exact version"),
    "latest-of-a-chart": (pinned(chart="latest"), "one exact version"),
    "an-entry-twice": ({**pin_texts(), "images": pin_texts()["images"] + "  app:\n    tag: v2\n"}, "twice"),
    "an-unknown-key": ({**pin_texts(), "images": pin_texts()["images"] + "    digset: x\n"}, "digset"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_pin_that_is_none_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    files, said = MALFORMED[name]
    folder = tmp_path / "environments" / "dev"
    folder.mkdir(parents=True)
    for what, text in files.items():
        (folder / f"{what}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(PinError) as caught:
        read_pins(tmp_path, Lane.DEV, Converter())
    (problem,) = caught.value.problems
    assert said in str(problem)
    assert problem.where is not None
    assert problem.where.line is not None
