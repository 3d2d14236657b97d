"""Where a credential goes, and what a new generation of it does: no more and no less than the next build changes."""

from __future__ import annotations

import attrs
import pytest
from kiwi_core import Credential, PlainValue, Rotation, Secret, SecretKey, Wiring, checksum, text, url
from kiwi_core._compose.compose import compose
from kiwi_core._compose.rotation import RotationPlan, Sink, plan_rotation, readers_of, rotation_of, sinks_of
from kiwi_core._compose.stack import Stack
from kiwi_core._model.late import LAST_GENERATION
from kiwi_core.errors import InputError
from stack_samples import component, inputs, job, release

TOKEN, OTHER = Credential("app", "token"), Credential("app", "other")
DATA = Credential("app", "data", rotation=Rotation.DATA_KEY)
FIRST = Credential("app", "first", rotation=Rotation.INIT)
WEB = Secret("web", {"token": TOKEN, "dsn": text("x://{p}@h", p=url(TOKEN)), "user": "u"})
DISK = Secret("disk", {"key": DATA, "first": FIRST})


def stack(**generations: int) -> Stack:
    wiring = Wiring(
        secrets=(WEB, DISK),
        plain=(PlainValue(release="other", path="auth.token", reason="the chart takes nothing else"),),
        overlay={
            "web": {"existingSecret": "web", "mark": checksum(WEB), "more": [{"secretName": "disk"}]},
            "other": {"auth": {"token": TOKEN, "secret": OTHER}},
            "alone": {"replicas": 1},
        },
        pre=(attrs.evolve(job("role"), env={"PASSWORD": SecretKey("web", "token")}), job("nothing")),
        post=(attrs.evolve(job("late"), env={"TOKEN": TOKEN}),),
    )
    made = inputs(component("app", release("web"), release("other"), release("alone"), wiring=wiring))
    names = {f"app/{purpose}": generation for purpose, generation in generations.items()}
    return compose(attrs.evolve(made, target=attrs.evolve(made.target, generations=names)))


def test_a_credential_goes_to_the_keys_of_secrets_and_to_plain_values() -> None:
    sinks = sinks_of(stack(), [TOKEN])
    home = {"release": "foundation", "namespace": "cust-acme"}
    assert [sink for sink in sinks if sink.secret] == [
        Sink(**home, path=("secrets", "web", key), secret=SecretKey("web", key)) for key in ("token", "dsn")
    ]
    plain = {(sink.release, sink.path) for sink in sinks if not sink.secret}
    assert plain == {("other", ("auth", "token")), ("app-post", ("jobs", "app-post-late", "env", 0, "value"))}
    assert sinks_of(stack(), [Credential("app", "nothing")]) == ()


def test_whoever_names_a_secret_reads_it() -> None:
    assert set(readers_of(stack(), "cust-acme", "web")) == {"web", "app-pre"}
    assert readers_of(stack(), "cust-acme", "disk") == ("web",)
    assert readers_of(stack(), "cust-other", "web") == ()


def test_a_plan_names_what_changes() -> None:
    plan = plan_rotation(stack(other=4), "app/token")
    assert plan == RotationPlan(
        name="app/token",
        rotation=Rotation.LIVE,
        old=1,
        new=2,
        secrets=("web",),
        plain=plan.plain,
        restarts=plan.restarts,
        hooks=("app-pre", "app-post"),
        generations={"app/other": 4, "app/token": 2},
    )
    assert set(plan.plain) == {"other", "app-post"}
    assert set(plan.restarts) == {"web", "other"}


def test_a_plan_is_what_the_next_build_does() -> None:
    before, after = stack(), stack(token=2)
    plan = plan_rotation(before, "app/token")
    changed = {each.name for each in before.releases if each.values != after.by_name[each.name].values}
    assert changed == {"foundation", "app-post", *plan.restarts}
    assert plan_rotation(after, "app/token").old == 2


def test_a_credential_that_one_release_takes_restarts_that_one() -> None:
    plan = plan_rotation(stack(), "app/other")
    assert (plan.secrets, plan.plain, plan.restarts, plan.hooks) == ((), ("other",), ("other",), ())


def test_the_class_of_a_credential_is_told() -> None:
    assert plan_rotation(stack(), "app/first").rotation is Rotation.INIT
    assert rotation_of(stack(), "app/token") is Rotation.LIVE
    assert rotation_of(stack(), "app/data") is Rotation.DATA_KEY


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("app/data", "'app/data' is a data key: data is encrypted with it"),
        ("app/tokn", "tenant acme has no credential 'app/tokn'\n    did you mean 'app/token'"),
        ("app", "tenant acme has no credential 'app'\n    it has: app/data, app/first, app/other, app/token"),
    ],
)
def test_what_cannot_be_rotated_is_refused(name: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        plan_rotation(stack(), name)
    assert expected in str(caught.value)


def test_generations_end() -> None:
    with pytest.raises(InputError, match="there is none after it"):
        plan_rotation(stack(token=LAST_GENERATION), "app/token")
