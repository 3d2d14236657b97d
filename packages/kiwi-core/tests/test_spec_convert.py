"""The strict converter: what it takes, what it refuses and how it says so, and the way back."""

from __future__ import annotations

import collections.abc
import enum
import math
import pathlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Generic, Literal, NewType, TypeVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._spec.convert import Converter
from kiwi_core._spec.document import Lines, Steps
from kiwi_core.errors import InputError, PinError, PluginError, Problem, SpecError, Where

if TYPE_CHECKING:
    from kiwi_core._model.capture import Json

T = TypeVar("T")
Slug = NewType("Slug", str)


class Tier(enum.StrEnum):
    CORE = "core"
    MESH = "mesh"


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


@attrs.frozen(kw_only=True)
class Box(Generic[T]):
    inside: T
    more: tuple[T, ...] = ()


@attrs.frozen(kw_only=True)
class IntegerBox(Box[int]):
    label: str = ""


def _own_kind(part: Part) -> str:
    return type(part).kind


@attrs.frozen(kw_only=True)
class Part:
    """An abstract base."""

    kind: ClassVar[str]

    name: str = attrs.field(default=attrs.Factory(_own_kind, takes_self=True))


@attrs.frozen(kw_only=True)
class Wheel(Part):
    kind: ClassVar[str] = "wheel"

    size: int = attrs.field(default=1, validator=attrs.validators.ge(1))


@attrs.frozen(kw_only=True)
class Engine(Part):
    """An abstract base of its own."""

    power: float


@attrs.frozen(kw_only=True)
class Diesel(Engine):
    kind: ClassVar[str] = "diesel"


def kinds(kind: str) -> type:
    known: dict[str, type] = {"wheel": Wheel, "diesel": Diesel, "odd": int}
    if kind not in known:
        raise PluginError(
            Problem(f"there is no kind {kind!r}", hint="install it"), Problem("elsewhere", Where("lock", 3))
        )
    return known[kind]


@attrs.frozen(kw_only=True)
class Everything:
    text: str
    whole: int = 0
    number: float = 0.0
    flag: bool = False
    slug: Slug = Slug("a")
    maybe: str | None = None
    either: str | int | None = None
    tier: Tier = Tier.CORE
    level: Level = Level.LOW
    lane: Literal["dev", "stable", 3] = "dev"
    texts: tuple[str, ...] = ()
    pair: tuple[str, int] = ("", 0)
    numbers: list[int] = attrs.field(factory=list[int])
    sequence: collections.abc.Sequence[bool] = ()
    labels: Mapping[str, str] = attrs.field(factory=dict[str, str])
    table: dict[str, tuple[int, ...]] = attrs.field(factory=dict[str, tuple[int, ...]])
    json: Json = None
    anything: object = None
    box: Box[str] | None = None
    counted: IntegerBox | None = None
    parts: tuple[Part, ...] = ()
    engine: Engine | None = None
    below: tuple[Everything, ...] = ()
    text_or_texts: str | tuple[str, ...] = ""
    renamed: int = attrs.field(default=0, alias="written")


CONVERTER = Converter({Part: kinds})


def lines(known: dict[Steps, int]) -> Lines:
    return known.get


def problems(data: object, cls: type, error: type[InputError] = SpecError) -> list[tuple[str, str | None]]:
    with pytest.raises(InputError) as caught:
        CONVERTER.structure(data, cls, file="f", error=error)
    assert type(caught.value) is error
    return [(str(problem).partition("\n")[0], problem.hint) for problem in caught.value.problems]


def messages(data: object, cls: type) -> list[str]:
    return [message for message, _ in problems(data, cls)]


def one(**fields: object) -> list[str]:
    return messages({"text": "", **fields}, Everything)


texts = st.text(max_size=5)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
parts = st.one_of(
    st.builds(Wheel, name=texts, size=st.integers(min_value=1)),
    st.builds(Wheel),
    st.builds(Diesel, power=st.floats(allow_nan=False, allow_infinity=False)),
)
everything = st.recursive(
    st.just(()),
    lambda below: st.lists(
        st.builds(
            Everything,
            text=texts,
            whole=st.integers(),
            number=st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
            flag=st.booleans(),
            slug=texts.map(Slug),
            maybe=st.none() | texts,
            either=st.none() | texts | st.integers(),
            tier=st.sampled_from(Tier),
            level=st.sampled_from(Level),
            lane=st.sampled_from(["dev", "stable", 3]),
            texts=st.lists(texts, max_size=2).map(tuple),
            pair=st.tuples(texts, st.integers()),
            numbers=st.lists(st.integers(), max_size=2),
            sequence=st.lists(st.booleans(), max_size=2).map(tuple),
            labels=st.dictionaries(texts, texts, max_size=2),
            table=st.dictionaries(texts, st.lists(st.integers(), max_size=2).map(tuple), max_size=2),
            json=json,
            anything=json,
            box=st.none() | st.builds(Box[str], inside=texts, more=st.lists(texts, max_size=2).map(tuple)),
            counted=st.none() | st.builds(IntegerBox, inside=st.integers(), label=texts),
            parts=st.lists(parts, max_size=2).map(tuple),
            engine=st.none() | st.builds(Diesel, power=st.integers()),
            below=below,
            text_or_texts=texts | st.lists(texts, max_size=2).map(tuple),
            written=st.integers(),
        ),
        max_size=2,
    ).map(tuple),
    max_leaves=3,
)


@given(everything)
def test_what_is_written_is_read_back_as_the_same_value(values: tuple[Everything, ...]) -> None:
    for value in values:
        data = CONVERTER.unstructure(value)
        again = CONVERTER.structure(data, Everything, file="f")
        assert again == value
        # Equal is not the same: True equals 1.
        assert repr(again) == repr(value)
        assert Converter().unstructure(value) == data


@given(json)
def test_json_passes_as_it_is(value: object) -> None:
    assert repr(CONVERTER.structure(value, object, file="f")) == repr(value)
    assert repr(CONVERTER.unstructure(value)) == repr(value)


def test_defaults_are_left_out_and_kinds_are_written() -> None:
    value = Everything(text="a", parts=(Wheel(), Wheel(name="b", size=2)), tier=Tier.MESH, anything=Level.HIGH)
    assert CONVERTER.unstructure(value) == {
        "text": "a",
        "tier": "mesh",
        "anything": 2,
        "parts": [{"kind": "wheel"}, {"kind": "wheel", "name": "b", "size": 2}],
    }


@attrs.frozen(kw_only=True)
class Loose:
    either: bool | int = 1
    also: object = True


def test_a_value_that_only_equals_the_default_is_written() -> None:
    assert CONVERTER.unstructure(Loose(either=True, also=1)) == {"either": True, "also": 1}
    assert CONVERTER.unstructure(Loose()) == {}


@pytest.mark.parametrize(
    ("field", "value", "message", "hint"),
    [
        ("text", 3, "found the number 3, expected text", "write it in quotes"),
        ("text", True, "found true, expected text", "write it in quotes"),
        ("text", None, "found nothing (null), expected text", None),
        ("text", b"a", "found a bytes, expected text", None),
        ("text", Tier.CORE, "found the text <Tier.CORE: 'core'>, expected text", None),
        (
            "text",
            "\ud800",
            "found the text '\\ud800', which holds half of a surrogate pair, expected Unicode text",
            None,
        ),
        ("slug", 3, "found the number 3, expected text", "write it in quotes"),
        ("whole", "3", "found the text '3', expected a whole number", "write 3, without quotes"),
        ("whole", "3.5", "found the text '3.5', expected a whole number", None),
        ("whole", "x" * 70, f"found the text '{'x' * 60}…', expected a whole number", None),
        ("whole", True, "found true, expected a whole number", None),
        ("whole", 2.9, "found the number 2.9, expected a whole number", None),
        ("whole", 2.0, "found the number 2.0, expected a whole number", None),
        ("whole", [], "found a list, expected a whole number", None),
        ("number", "-2.5", "found the text '-2.5', expected a number", "write -2.5, without quotes"),
        ("number", True, "found true, expected a number", None),
        ("number", math.nan, "found nan, expected a finite number", "JSON has no infinity and no NaN"),
        ("number", math.inf, "found inf, expected a finite number", "JSON has no infinity and no NaN"),
        ("flag", 1, "found the number 1, expected true or false", None),
        ("flag", 1 << 300, "found a number of 301 bits, expected true or false", None),
        ("maybe", 3, "found the number 3, expected text", "write it in quotes"),
        ("either", 2.5, "found the number 2.5, expected text, a whole number or nothing (null)", "write it in quotes"),
        ("either", {}, "found a mapping, expected text, a whole number or nothing (null)", None),
        ("tier", "msh", "found the text 'msh', expected one of 'core', 'mesh'", "did you mean 'mesh'?"),
        ("tier", 1, "found the number 1, expected one of 'core', 'mesh'", None),
        ("level", True, "found true, expected one of 1, 2", None),
        ("level", 1.0, "found the number 1.0, expected one of 1, 2", None),
        ("level", "LOW", "found the text 'LOW', expected one of 1, 2", None),
        ("lane", "dve", "found the text 'dve', expected one of 'dev', 'stable', 3", "did you mean 'dev'?"),
        ("lane", 3.0, "found the number 3.0, expected one of 'dev', 'stable', 3", None),
        ("texts", "abc", "found the text 'abc', expected a list", 'write ["abc"]'),
        ("texts", "a b", "found the text 'a b', expected a list", "write it in brackets"),
        ("texts", {}, "found a mapping, expected a list", None),
        ("texts", {1}, "found a set, expected a list", None),
        ("pair", ["a"], "found a list of 1, expected one of 2", None),
        ("numbers", "12", "found the text '12', expected a list", "write it in brackets"),
        ("labels", [], "found a list, expected a mapping", None),
        ("labels", {1: "a"}, "found the number 1 as a key, expected text", None),
        ("anything", {1}, "found a set, expected JSON: text, numbers, true, false, null, lists or mappings", None),
        (
            "json",
            Wheel,
            "found the class Wheel, expected JSON: text, numbers, true, false, null, lists or mappings",
            None,
        ),
        ("box", 3, "found the number 3, expected a mapping (Box)", None),
        ("box", [], "found a list, expected a mapping (Box)", None),
        ("text_or_texts", 1, "found the number 1, expected text or a list", "write it in quotes"),
        ("written", "a", "found the text 'a', expected a whole number", None),
    ],
)
def test_nothing_is_coerced(field: str, value: object, message: str, hint: str | None) -> None:
    found = problems({"text": "", field: value}, Everything)
    assert found == [(f"f: {field}: {message}", hint)]


def test_an_integer_will_do_for_a_number_and_stays_one() -> None:
    value = CONVERTER.structure({"text": "", "number": 3}, Everything, file="f")
    assert repr(value.number) == "3"


def test_all_problems_are_gathered_with_their_paths() -> None:
    data = {
        "text": 1,
        "texts": ["a", 2, ["b"]],
        "pair": [1, "b"],
        "labels": {"a": 1, "b": "", "c": None},
        "table": {"x": [1, "2"]},
        "anything": {"deep": [1, {"deeper": math.inf, "set": {1}}]},
        "below": [{"whole": "1", "box": {"inside": 1}}],
        "tezts": [],
    }
    assert messages(data, Everything) == [
        "f: text: found the number 1, expected text",
        "f: texts[1]: found the number 2, expected text",
        "f: texts[2]: found a list, expected text",
        "f: pair[0]: found the number 1, expected text",
        "f: pair[1]: found the text 'b', expected a whole number",
        "f: labels.a: found the number 1, expected text",
        "f: labels.c: found nothing (null), expected text",
        "f: table.x[1]: found the text '2', expected a whole number",
        "f: anything.deep[1].deeper: found inf, expected a finite number",
        "f: anything.deep[1].set: found a set, expected JSON: text, numbers, true, false, null, lists or mappings",
        "f: below[0].whole: found the text '1', expected a whole number",
        "f: below[0].box.inside: found the number 1, expected text",
        "f: below[0]: the field 'text' is missing, expected text",
        "f: tezts: Everything has no field 'tezts'",
    ]


def test_an_unknown_field_brings_the_closest_one() -> None:
    assert problems({"text": "", "texs": 1, "qqq": 2}, Everything)[0][1] == "did you mean 'texts' or 'text'?"
    assert problems({"inside": 1, "qqq": 2}, IntegerBox) == [
        ("f: qqq: IntegerBox has no field 'qqq'", "fields: inside, label, more")
    ]


def test_the_name_of_an_aliased_field_is_unknown() -> None:
    assert one(renamed=1) == ["f: renamed: Everything has no field 'renamed'"]


def test_every_missing_field_is_named() -> None:
    @attrs.frozen
    class Two:
        first: int
        second: Tier
        third: str | None

    # A class within a function: its annotations are given at run time.
    attrs.resolve_types(Two, localns={"Tier": Tier})
    assert messages({}, Two) == [
        "f: the field 'first' is missing, expected a whole number",
        "f: the field 'second' is missing, expected one of 'core', 'mesh'",
        "f: the field 'third' is missing, expected text or nothing (null)",
    ]


@attrs.frozen
class Required:
    slug: Slug
    lane: Literal["dev"]
    noted: Annotated[int, "a note"]
    either: bool | str | int
    many: list[str] | None
    table: dict[str, int]
    box: Box[int]
    anything: object
    raw: bytes


def test_every_form_of_type_has_its_words() -> None:
    assert [message.partition(" is missing, expected ")[2] for message in messages({}, Required)] == [
        "text",
        "'dev'",
        "a whole number",
        "true or false, text or a whole number",
        "a list or nothing (null)",
        "a mapping",
        "a mapping (Box)",
        "any value",
        "a bytes",
    ]


def test_null_is_taken_where_it_is_allowed() -> None:
    value = CONVERTER.structure({"text": "", "maybe": None, "either": None, "box": None}, Everything, file="f")
    assert value == Everything(text="")


@pytest.mark.parametrize("data", [None, "text", 3, [], [("text", "")]])
def test_a_class_wants_a_mapping(data: object) -> None:
    assert messages(data, Everything)[0].endswith(", expected a mapping (Everything)")


def test_a_line_is_that_of_the_path_or_of_the_closest_parent() -> None:
    known: dict[Steps, int] = {(): 1, ("below",): 7, ("below", 0, "text"): 9, ("whole",): 3}
    with pytest.raises(SpecError) as caught:
        CONVERTER.structure(
            {"below": [{"text": 1, "flag": 2}], "whole": "x", "new": 1, "text": ""},
            Everything,
            file="f",
            lines=lines(known),
        )
    assert [problem.where for problem in caught.value.problems] == [
        Where("f", 1, ("new",)),
        Where("f", 3, ("whole",)),
        Where("f", 7, ("below", 0, "flag")),
        Where("f", 9, ("below", 0, "text")),
    ]


def test_the_error_is_the_one_that_was_asked_for() -> None:
    assert problems({}, Box, error=PinError) == [("f: the field 'inside' is missing, expected any value", None)]


def _even(_instance: object, _attribute: attrs.Attribute[int], value: int) -> None:
    if value % 2:
        raise ValueError("an odd number brings bad luck")


def _known(_instance: object, _attribute: attrs.Attribute[str], value: str) -> None:
    if value != "a":
        raise PluginError(Problem("unknown to the plugin", hint="use a"))


def _silent(_instance: object, _attribute: attrs.Attribute[str], value: str) -> None:
    if value:
        raise ValueError


def _as_other(instance: Checked, _attribute: attrs.Attribute[int], value: int) -> None:
    if value > instance.least:
        raise ValueError("the most is less than the least")


def _upper(value: str) -> str:
    if not value.islower():
        raise ValueError("write it in lower case")
    return value.upper()


def _joined(value: str, instance: object, field: attrs.Attribute[str]) -> str:
    return f"{value}:{field.name}"


v = attrs.validators


@attrs.frozen(kw_only=True)
class Checked:
    least: int = attrs.field(default=9, validator=v.ge(1))
    most: int = attrs.field(default=0, validator=_as_other)
    above: float = attrs.field(default=1.0, validator=v.gt(0.5))
    below: int = attrs.field(default=0, validator=v.and_(v.lt(10), v.le(5)))
    short: str = attrs.field(default="", validator=v.max_len(2))
    long: tuple[int, ...] = attrs.field(default=(1,), validator=v.min_len(1))
    slug: str = attrs.field(default="a", validator=v.matches_re("[a-z]+"))
    color: str = attrs.field(default="red", validator=v.in_(("red", "green")))
    size: int = attrs.field(default=1, validator=v.in_((1, 2)))
    any: object = attrs.field(default="", validator=v.instance_of((str, bool)))
    no: int = attrs.field(default=1, validator=v.not_(v.in_((0,))))
    one: int = attrs.field(default=1, validator=v.or_(v.in_((1,)), v.in_((2,))))
    even: int = attrs.field(default=0, validator=_even)
    plugin: str = attrs.field(default="a", validator=_known)
    silent: str = attrs.field(default="", validator=_silent)
    upper: str = attrs.field(default="a", converter=_upper)
    joined: str = attrs.field(default="", converter=attrs.Converter(_joined, takes_self=True, takes_field=True))  # type: ignore[misc] # attrs' plugin for mypy knows no such converter


WRONG: Mapping[str, tuple[object, str, str | None]] = {
    "least": (0, "found 0, expected at least 1", None),
    "most": (10, "the most is less than the least", None),
    "above": (0.5, "found 0.5, expected more than 0.5", None),
    "below": (7, "found 7, expected at most 5", None),
    "short": ("abc", "found a length of 3, expected at most 2", None),
    "long": ([], "found a length of 0, expected at least 1", None),
    "slug": ("A", "found the text 'A', expected text that matches [a-z]+", None),
    "color": ("gren", "found the text 'gren', expected one of 'red', 'green'", "did you mean 'green'?"),
    "size": (3, "found the number 3, expected one of 1, 2", None),
    "any": (3, "found the number 3, expected text or true or false", None),
    "no": (0, "found the number 0, which is not allowed here", None),
    "one": (3, "found 3, which is none of the allowed forms", None),
    "even": (3, "an odd number brings bad luck", None),
    "plugin": ("b", "unknown to the plugin", "use a"),
    "silent": ("x", "ValueError", None),
    "upper": ("A", "write it in lower case", None),
}


@pytest.mark.parametrize("field", WRONG)
def test_a_validator_speaks_plainly_at_its_field(field: str) -> None:
    value, message, hint = WRONG[field]
    assert problems({field: value}, Checked) == [(f"f: {field}: {message}", hint)]


def test_every_validator_is_heard_whatever_else_is_wrong() -> None:
    wrong = {field: value for field, (value, _, _) in WRONG.items()}
    assert len(messages(wrong, Checked)) == len(WRONG)
    found = messages({**wrong, "new": 1}, Checked)
    assert "f: even: an odd number brings bad luck" in found
    assert "f: new: Checked has no field 'new'" in found


def test_a_validator_that_reads_a_wrong_field_is_left_out() -> None:
    assert messages({"least": "1", "most": 10}, Checked) == ["f: least: found the text '1', expected a whole number"]


def test_converters_of_fields_run() -> None:
    assert CONVERTER.structure({"upper": "b", "joined": "x"}, Checked, file="f") == Checked(upper="b", joined="x")


@attrs.frozen(kw_only=True)
class Whole:
    first: int = 0
    second: int = 0

    def __attrs_post_init__(self) -> None:
        if self.first > self.second:
            raise ValueError("the first is more than the second")
        if self.second > 9:
            raise SpecError(Problem("too much", Where("elsewhere", 4)))


def test_what_a_class_refuses_as_a_whole_stands_at_the_class() -> None:
    assert messages([{"first": 1}], tuple[Whole, ...]) == ["f: [0]: the first is more than the second"]
    assert messages({"second": 10}, Whole) == ["elsewhere:4: too much"]


def test_the_kind_chooses_the_class() -> None:
    data = {"text": "", "parts": [{"kind": "wheel", "size": 2}, {"kind": "diesel", "power": 1.5}]}
    value = CONVERTER.structure(data, Everything, file="f")
    assert value.parts == (Wheel(size=2), Diesel(power=1.5))


def test_a_concrete_class_needs_no_kind_but_takes_no_other() -> None:
    assert CONVERTER.structure({"size": 2}, Wheel, file="f") == Wheel(size=2)
    assert CONVERTER.structure({"kind": "wheel", "size": 2}, Wheel, file="f") == Wheel(size=2)
    assert messages({"kind": "diesel"}, Wheel) == ["f: kind: found the text 'diesel', expected 'wheel'"]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({}, ["f: parts[0]: the field 'kind' is missing, expected text"]),
        ({"kind": 3}, ["f: parts[0].kind: found the number 3, expected text"]),
        ("wheel", ["f: parts[0]: found the text 'wheel', expected a mapping (Part)"]),
        ({"kind": "odd"}, ["f: parts[0].kind: the kind 'odd' is the class int, expected a Part"]),
        ({"kind": "boat"}, ["f: parts[0].kind: there is no kind 'boat'", "lock:3: elsewhere"]),
        ({"kind": "wheel", "sise": 1}, ["f: parts[0].sise: Wheel has no field 'sise'"]),
        ({"kind": "wheel", "size": 0}, ["f: parts[0].size: found 0, expected at least 1"]),
    ],
)
def test_a_wrong_kind_is_named(data: object, found: list[str]) -> None:
    assert one(parts=[data]) == found


def test_a_kind_must_be_of_the_wanted_base() -> None:
    assert one(engine={"kind": "wheel"}) == ["f: engine.kind: the kind 'wheel' is the class Wheel, expected a Engine"]


@attrs.frozen
class Hidden:
    _private: int = attrs.field(default=1, alias="private")
    late: int = attrs.field(default=2, init=False)
    open: int = 3


def test_private_and_late_fields_are_no_data() -> None:
    assert CONVERTER.unstructure(Hidden(private=5, open=4)) == {"open": 4}
    assert messages({"private": 1, "_private": 1, "late": 2}, Hidden) == [
        "f: private: Hidden has no field 'private'",
        "f: _private: Hidden has no field '_private'",
        "f: late: Hidden has no field 'late'",
    ]


@attrs.frozen
class Bare:
    many: tuple  # type: ignore[type-arg]
    listed: list  # type: ignore[type-arg]
    table: dict  # type: ignore[type-arg]
    box: Box  # type: ignore[type-arg]
    noted: Annotated[int, "a note"]
    keyed: Mapping[Tier, int]


Untyped = attrs.make_class("Untyped", {"field": attrs.field(default=None)}, frozen=True)


def test_bare_collections_hold_json() -> None:
    data = {"many": [1], "listed": ["a"], "table": {"a": [None]}, "box": {"inside": {"a": 1}}, "noted": 1}
    value = CONVERTER.structure({**data, "keyed": {"core": 1}}, Bare, file="f")
    assert value == Bare((1,), ["a"], {"a": [None]}, Box(inside={"a": 1}), 1, {Tier.CORE: 1})
    assert CONVERTER.unstructure(value)["keyed"] == {"core": 1}  # type: ignore[index, call-overload]
    assert messages({**data, "noted": True, "keyed": {"cor": 1}}, Bare) == [
        "f: noted: found true, expected a whole number",
        "f: keyed.cor: found the text 'cor', expected one of 'core', 'mesh'",
    ]


def test_a_field_without_a_type_holds_json() -> None:
    assert CONVERTER.structure({"field": [1]}, Untyped, file="f") == Untyped([1])
    assert messages({"field": {1}}, Untyped)[0].startswith("f: field: found a set, expected JSON")


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "cls",
    [
        bytes,
        set[int],
        frozenset,
        pathlib.Path,
        Text,
        complex,
        tuple[int, ...] | tuple[str, ...],
        Box[int] | dict[str, int],
    ],
)
def test_a_type_without_a_strict_rule_is_an_error_of_the_author(cls: type) -> None:
    with pytest.raises(TypeError, match="has no strict rule"):
        CONVERTER.structure("a", cls, file="f")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({1, 2}, "the value: text: found a set, expected text, a number, a list, a mapping or a value of the model"),
        (
            Wheel,
            "the value: text: found the class Wheel, expected text, a number, a list, a mapping or a value of the model",
        ),
        (
            math,
            "the value: text: found the module math, expected text, a number, a list, a mapping or a value of the model",
        ),
        (
            Text("a"),
            "the value: text: found the text 'a', expected text, a number, a list, a mapping or a value of the model",
        ),
        ([1, math.nan], "the value: text[1]: found nan, expected a finite number"),
        ({1: "a"}, "the value: text: found the number 1 as a key, expected text"),
    ],
)
def test_what_plain_data_cannot_hold_is_named_with_its_path(value: object, found: str) -> None:
    wrong = Everything(text=value)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(SpecError) as caught:
        CONVERTER.unstructure(wrong)
    assert str(caught.value).partition("\n")[0] == found


def test_a_class_where_a_value_is_wanted_brings_the_way_to_write_it() -> None:
    with pytest.raises(SpecError) as caught:
        CONVERTER.unstructure({"a": [Wheel]}, file="tenant.py", lines=lines({("a",): 3}))
    assert caught.value.problems[0].hint == "write Wheel(…)"
    assert caught.value.problems[0].where == Where("tenant.py", 3, ("a", 0))


def test_a_hundred_values_take_milliseconds() -> None:
    data = {"text": "", "parts": [{"kind": "wheel", "size": n + 1} for n in range(100)]}
    started = time.perf_counter()
    converter = Converter({Part: kinds})
    made = time.perf_counter() - started
    converter.structure(data, Everything, file="f")

    def run() -> float:
        started = time.perf_counter()
        converter.structure(data, Everything, file="f")
        return time.perf_counter() - started

    # Typical are 0.01 ms and 1 ms; other work may share the processor.
    assert made < 0.01
    assert min(run() for _ in range(5)) < 0.02
