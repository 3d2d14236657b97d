"""The table of mutations: the order (a), hooks (f), schemas (g) and the spec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import attrs
from contract_captures import HISTORY
from contract_changes import (
    Change,
    Row,
    both,
    cluster,
    composed,
    declared,
    evidence,
    having,
    image,
    joined,
    overlay,
    row,
    schema,
    stack,
    wired,
)
from contract_stack import LLM, commit, pin_texts
from kiwi_core import (
    AlembicSchema,
    Bound,
    Component,
    Declaration,
    ExistingServices,
    Image,
    Job,
    Pin,
    Release,
    Stage,
    Wiring,
)
from kiwi_core._compose.stack import Stack
from kiwi_core.errors import Problem, Where


def without(*names: str) -> Change:
    """Take releases out of the composed stack."""
    return stack(lambda found: attrs.evolve(found, releases=tuple(r for r in found.releases if r.name not in names)))


def unordered(before: str, after: str) -> Change:
    """Forget an edge and the need that follows from it."""

    def change(found: Stack) -> Stack:
        return attrs.evolve(
            found,
            edges=tuple(edge for edge in found.edges if (edge.before, edge.after) != (before, after)),
            releases=tuple(
                attrs.evolve(item, needs=tuple({*item.needs} - {before})) if item.name == after else item
                for item in found.releases
            ),
        )

    return stack(change)


def added(name: str, **fields: object) -> Change:
    """Put a copy of the release ``app`` under another name into the composed stack."""

    def change(found: Stack) -> Stack:
        item = found.by_name["app"]
        copy = attrs.evolve(item, declared=attrs.evolve(item.declared, name=name), **fields)  # type: ignore[arg-type]
        return attrs.evolve(found, releases=(*found.releases, copy))

    return stack(change)


@attrs.frozen(kw_only=True)
class Idle(Component):
    """Neither a release nor an offer."""

    kind: ClassVar[str] = "idle"

    def declare(self) -> Declaration:
        return Declaration()

    def wire(self, bound: Bound) -> Wiring:  # noqa: ARG002 -- the interface
        return Wiring()


ORDER: Sequence[Row] = (
    row("a", "provider-in-a-later-stage", declared("db", stage=Stage.LATE_COMPONENTS), "db → app", "060-components"),
    row("a", "consumer-in-an-earlier-stage", declared("app", stage=Stage.MIGRATIONS_PRE), "db → app", "010-migr"),
    row("a", "need-in-a-later-stage", declared("app", stage=Stage.MIGRATIONS_POST), "app → worker", "090-migrations"),
    row(
        "a",
        "stage-changed-after-composing",
        having("db", declared=Release(name="db", chart="db", stage=Stage.MIGRATIONS_POST)),
        "db → app-pre",
    ),
    row("a", "needs-dropped", having("worker", needs=("foundation",)), "release worker", "['foundation']"),
    row("a", "needs-all-dropped", having("app", needs=()), "release app", "does not need the foundation"),
    row("a", "need-of-its-own-dropped-with-its-edge", unordered("app", "worker"), "release worker", "waiting for app"),
    row(
        "a",
        "bound-service-dropped-with-its-edge",
        unordered("db", "app"),
        "release app",
        "waiting for db",
        "of component db",
    ),
    row("a", "foundation-dropped-with-its-edge", unordered("foundation", "db"), "release db", "foundation"),
    row("a", "needs-invented", having("db", needs=("foundation", "worker")), "release db", "worker"),
    row("a", "needed-and-not-waited-for", having("db", wait=False), "db → app", "not waited for"),
    row("a", "foundation-not-waited-for", having("foundation", wait=False), "foundation → db", "not waited for"),
    row("a", "release-missing", without("worker"), "component app", "'worker'"),
    row("a", "hooks-missing", without("app-post"), "component app", "post hooks"),
    row("a", "foundation-missing", without("foundation"), "foundation → db", "no release"),
    row("a", "release-undeclared", added("sneaky"), "component app", "'sneaky'"),
    row("a", "release-of-nobody", added("sneaky", component="nobody"), "release sneaky", "no component"),
    row("a", "hooks-of-nobody", added("sneaky-pre", role="hooks"), "release sneaky-pre", "no component"),
    row("a", "hooks-of-who-has-none", added("db-pre", role="hooks", component="db"), "release db-pre", "no component"),
    row("a", "a-second-foundation", added("base", role="foundation", component=""), "release base", "no component"),
    row("a", "release-twice", added("app"), "release app", "twice"),
    row(
        "a",
        "order-reversed",
        stack(lambda s: attrs.evolve(s, releases=s.releases[::-1])),
        "db → app",
        "other way round",
    ),
    row(
        "a",
        "edge-to-nowhere",
        stack(lambda s: attrs.evolve(s, edges=(*s.edges, attrs.evolve(s.edges[0], after="gone")))),
        "'gone'",
    ),
    row("a", "component-that-does-nothing", joined(Idle()), "component idle", "neither a release nor an offer"),
    row("a", "no-service-exists", joined(ExistingServices(name="none")), "component none", "neither"),
)

ON_LLM = Job(
    name="key",
    on=(LLM,),
    image=Image(Pin("tools", "name"), Pin("tools", "tag")),
    observe=("false",),
    command=("make-key",),
)
HOOKS: Sequence[Row] = (
    row(
        "f",
        "hook-on-what-nobody-serves",
        both(cluster(offers=()), wired(post=(ON_LLM,))),
        "component app",
        "hook 'key'",
        "llm/app",
    ),
    row(
        "f",
        "job-taken-out-by-the-customer",
        overlay("app-pre", {"jobs": {"app-pre-database": None}}),
        "release app-pre",
        "app-pre-database",
    ),
    row(
        "f",
        "jobs-taken-out-by-the-lane",
        overlay("app-post", {"jobs": None}, "lane dev"),
        "release app-post",
        "app-post-key",
    ),
    row("f", "jobs-lost", composed("app-pre", lambda item: attrs.evolve(item, layers=())), "release app-pre"),
    row("f", "hooks-not-waited-for", having("app-post", wait=False), "release app-post", "not waited for"),
)

NEEDS_B2 = "the seed needs alembic revision b2"
SCHEMAS: Sequence[Row] = (
    row(
        "g",
        "image-before-the-minimum",
        image("app", tag="v1.0.0"),
        "component app: images.yaml:7",
        NEEDS_B2,
        "v1.0.0 ends at a1",
        "pin v1.1.0 or later",
    ),
    row(
        "g",
        "image-before-the-minimum-by-its-digest",
        image("app", tag="v1.2.0@sha256:" + "1" * 64),
        NEEDS_B2,
        "ends at a1",
    ),
    row(
        "g",
        "image-on-another-branch",
        schema(tags={"v1.2.0": ("x9",)}),
        NEEDS_B2,
        "ends at x9",
        "no released tag",
    ),
    row(
        "g",
        "minimum-after-the-image",
        both(image("app", tag="v1.1.0"), wired(schema=(AlembicSchema(image="app", minimum="c3", because="it"),))),
        "revision c3",
        "pin v1.2.0 or later",
    ),
    row(
        "g",
        "minimum-unknown",
        wired(schema=(AlembicSchema(image="app", minimum="zz", because="it"),)),
        "revision zz",
        "no captured history",
    ),
    row(
        "g",
        "minimum-misspelt",
        both(
            schema(revisions={"abcdef": ()}),
            wired(schema=(AlembicSchema(image="app", minimum="abcdeg", because="it"),)),
        ),
        "'abcdef'",
    ),
    row("g", "two-heads", image("app", tag="v1.3.0"), "v1.3.0", "2 schema heads (c3, x9)"),
    row(
        "g",
        "circle-in-the-captured-history",
        schema(revisions={"a1": ("c3",), "b2": ("a1",), "c3": ("b2",), "x9": ("a1",)}),
        "the revisions of docker.io/acme/app:v1.2.0 go round in a circle: a1 -> c3 -> b2 -> a1",
    ),
    row(
        "g",
        "pin-set-back",
        both(
            image("app", tag="v1.1.0"),
            evidence(history=(commit(pin_texts("1.0.0", "v1.2.0"), pin_texts("0.9.0", "v1.1.0")),)),
        ),
        "component app: images.yaml:7",
        "app was v1.2.0 before (commit 0123456789ab), and a database that v1.2.0 migrated is at c3",
        "v1.1.0 ends at b2 and cannot run on it",
        "these can run on it: v1.2.0; or restore a database from before v1.2.0",
        "# restored: <when>",
    ),
    row(
        "g",
        "pin-set-back-and-not-committed",
        image("app", tag="v1.1.0"),
        "app was v1.2.0 before (commit 0123456789ab)",
    ),
    row(
        "g",
        "pin-set-back-to-another-branch",
        both(schema(tags={**HISTORY.tags, "v1.2.1": ("x9",)}), image("app", tag="v1.2.1")),
        "a database that v1.2.0 migrated is at c3: v1.2.1 ends at x9 and cannot run on it",
    ),
    row("g", "no-head", schema(tags={"v1.2.0": ()}), "0 schema heads"),
    row(
        "g",
        "image-pin-unknown",
        wired(schema=(AlembicSchema(image="ap", minimum="b2", because="it"),)),
        "'ap'",
        "not there",
        "'app'",
    ),
    row(
        "g",
        "image-pin-that-it-does-not-run",
        wired(schema=(AlembicSchema(image="db", minimum="b2", because="it"),)),
        "'db'",
        "none of its releases runs",
    ),
    row(
        "g",
        "one-contract-of-two",
        wired(
            schema=(
                AlembicSchema(image="app", minimum="b2", because="a"),
                AlembicSchema(image="app", minimum="zz", because="b"),
            )
        ),
        "b needs alembic revision zz",
    ),
)

SPEC: Sequence[Row] = (
    row(
        "spec",
        "more-than-a-declaration",
        evidence(spec_problems=(Problem("found a loop", Where("tenant.py", 3), "write it out"),)),
        "tenant acme: tenant.py:3: found a loop",
        "write it out",
    ),
    row(
        "spec",
        "two-of-them",
        evidence(spec_problems=(Problem("found a loop"), Problem("found a call"))),
        "found a call",
        "a spec holds imports",
    ),
)

ROWS: Sequence[Row] = (*ORDER, *HOOKS, *SCHEMAS, *SPEC)
