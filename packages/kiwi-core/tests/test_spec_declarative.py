"""Python specs as declarations: what one may hold, and the lines of what it declares."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._spec.declarative import assigned, lines, problems
from kiwi_core.errors import Problem, Where

GOOD = '''\
"""The tenant."""

from __future__ import annotations

import kiwi_core
from kiwi_component_onyx import Onyx
from kiwi_core import Lane, Tenant as T

SLUG = OTHER = "acme" "-" "one"
count: int = -1
unset: dict[str, tuple[int | None, ...]]
lane: kiwi_core.Lane = Lane.DEV
labels = {"a": 1.5, SLUG: None, "c": {b"x", True}}
tenant = T(
    SLUG,
    lane,
    components=(
        Onyx(replicas=2),
        kiwi_core.plugins._Private(options=[-1, ..., kiwi_core.Lane.DEV]),
    ),
    labels=labels,
)
'''


def test_a_declarative_spec_has_no_problem() -> None:
    assert problems(GOOD, "tenant.py") == ()


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("if x: pass", "an if"),
        ("for x in y: pass", "a loop"),
        ("while x: pass", "a loop"),
        ("def f(): pass", "a function"),
        ("async def f(): pass", "a function"),
        ("class C: pass", "a class"),
        ("with x: pass", "a with"),
        ("try: x\nexcept E: pass", "a try"),
        ("try: x\nexcept* E: pass", "a try"),
        ("match x:\n  case 1: pass", "a match"),
        ("del x", "a del"),
        ("raise x", "a raise"),
        ("assert x", "an assert"),
        ("pass", "a pass"),
        ("global x", "a global"),
        ("x += 1", "an assignment with an operator"),
        ("X()", "an expression that is not assigned"),
        ("x = 1\n'late'", "an expression that is not assigned"),
        ("from . import x", "a relative import"),
        ("from .x import y", "a relative import"),
        ("from x import *", "an import of everything (*)"),
        ("x.y = 1", "an assignment to something other than a name"),
        ("x, y = 1, 2", "an assignment to something other than a name"),
        ("x[0]: int = 1", "an assignment to something other than a name"),
        ("x: print('hi') = 1", "an annotation that is no type"),
        ("x = [a for a in b]", "a comprehension"),
        ("x = {a for a in b}", "a comprehension"),
        ("x = {a: a for a in b}", "a comprehension"),
        ("x = X(a for a in b)", "a comprehension"),
        ("x = f'{a}'", "an f-string"),
        ("x = a + b", "an operator"),
        ("x = a or b", "an operator"),
        ("x = not a", "an operator"),
        ("x = -a", "an operator"),
        ("x = a < b", "a comparison"),
        ("x = a if b else c", "an if"),
        ("x = lambda: 1", "a lambda"),
        ("x = (y := 1)", "an assignment within an expression"),
        ("x = a[0]", "an index"),
        ("x = (*a, 1)", "an unpacking with *"),
        ("x = X(*a)", "an unpacking with *"),
        ("x = X(**a)", "an unpacking with **"),
        ("x = {**a}", "an unpacking with **"),
        ("x = 'a'.b", "an attribute of something other than a name"),
        ("x = X().y", "an attribute of something other than a name"),
        ("x = open('f')", "a call of open(), which is no constructor"),
        ("x = X.make()", "a call of make(), which is no constructor"),
        ("x = _x()", "a call of _x(), which is no constructor"),
        ("x = X()()", "a call of something other than a name"),
        ("x = X[int]()", "a call of something other than a name"),
        ("x = X()", None),
        ("x = (yield)", "yield"),
        ("x = [(1, {'a': [b()]})]", "a call of b(), which is no constructor"),
        ("x = X(y=X({Y(): b()}))", "a call of b(), which is no constructor"),
        ("x = X({b(): 1})", "a call of b(), which is no constructor"),
    ],
)
def test_everything_else_is_named_with_its_line(source: str, what: str | None) -> None:
    late = source.count("\n") if source.startswith("x = 1\n") else 0
    found = problems(f'"""A spec."""\n\n{source}\n', "f.py")
    assert [problem.message for problem in found] == ([] if what is None else [f"found {what}, expected a declaration"])
    assert all(problem.where == Where("f.py", 3 + late) for problem in found)
    assert all(problem.hint is not None and problem.hint.startswith("a spec holds") for problem in found)


def test_all_problems_are_gathered_in_the_order_of_lines() -> None:
    source = "x = X(\n  b=b(),\n  a=[c(), f''],\n)\npass\n"
    assert [problem.where for problem in problems(source, "f")] == [Where("f", line) for line in (2, 3, 3, 5)]


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("a = 1\nb = (\n", 2, "this is no Python: '(' was never closed"),
        ("a = \x00", None, "this is no Python: source code string cannot contain null bytes"),
        ("-" * 100_000 + "1", None, "this is no Python: it is nested too deeply"),
    ],
)
def test_what_is_no_python_is_one_problem(source: str, line: int | None, message: str) -> None:
    assert problems(source, "f.py") == (Problem(message, Where("f.py", line)),)
    assert lines(source, "a")(()) is None
    assert assigned(source) == ()


def test_a_warning_of_the_compiler_is_no_error() -> None:
    assert problems(r"x = '\d'", "f") == ()


@given(st.text("x=()[]{}*,:.'\"ab1 \n-+ifor", max_size=30))
def test_any_text_is_judged(source: str) -> None:
    for problem in problems(source, "f"):
        assert problem.message.startswith(("found ", "this is no Python: "))
    lines(source, "x")(("a", 0))


SPEC = textwrap.dedent("""\
    from kiwi import Tenant
    labels = {
        "a": 1,
        "b": {"c": 2},
    }
    first = Onyx(
        replicas=2,
    )
    components = [
        first,
        Dex(
            "by position", name="x"),
    ]
    tenant: Tenant = Tenant(
        slug="a",
        components=components,
        labels=labels, **{"d": 1},
    )
    again = tenant
    loop = loop
    unset: int
    tenant.slug = 1
""")


@pytest.mark.parametrize(
    ("name", "path", "line"),
    [
        ("tenant", (), 14),
        ("tenant", ("slug",), 15),
        ("tenant", ("slug", "deeper"), None),
        ("tenant", ("components",), 16),
        ("tenant", ("components", 0), 10),
        ("tenant", ("components", 0, "replicas"), 7),
        ("tenant", ("components", 1), 11),
        ("tenant", ("components", 1, "name"), 12),
        ("tenant", ("components", 2), None),
        ("tenant", ("components", "0"), None),
        ("tenant", ("labels", "a"), 3),
        ("tenant", ("labels", "b", "c"), 4),
        ("tenant", ("labels", 0), None),
        ("tenant", ("d",), None),
        ("tenant", (0,), None),
        ("again", ("slug",), 15),
        ("loop", (), 20),
        ("loop", ("a",), None),
        ("unset", (), None),
        ("nothing", (), None),
        ("Tenant", (), None),
    ],
)
def test_a_path_has_the_line_of_its_keyword_key_or_item(
    name: str, path: tuple[str | int, ...], line: int | None
) -> None:
    assert lines(SPEC, name)(path) == line


def test_the_last_assignment_counts() -> None:
    assert lines("a = X(b=1)\na = X(\n  b=2)\n", "a")(("b",)) == 3


def test_imported_names_are_not_assigned() -> None:
    assert assigned("from x import cluster\ntenant = other = X()\n") == ("tenant", "other")
