"""YAML files: what is read, what is refused, and edits in place."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._spec.yamlfile import edit_yaml, parse_yaml, read_yaml
from kiwi_core.errors import InputError, OverlayError, PinError, Problem, Where


@pytest.fixture(params=["libyaml", "python"])
def both_parsers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with libyaml's parser and with PyYAML's own."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader")


def parsed(text: str) -> object:
    return parse_yaml(text.encode(), file="f.yaml").data


def problems(data: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(PinError) as caught:
        parse_yaml(data.encode() if isinstance(data, str) else data, file="f.yaml", error=PinError)
    return caught.value.problems


def only(data: str | bytes) -> Problem:
    (problem,) = problems(data)
    return problem


@pytest.mark.usefixtures("both_parsers")
@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", None),
        ("# nothing\n", None),
        ("---\n", None),
        ("---\na: 1\n...\n", {"a": 1}),
        ("a:\nb: ~\nc: null\nd: Null\n", dict.fromkeys("abcd")),
        ("[true, True, TRUE, false, False, FALSE]", [True, True, True, False, False, False]),
        ("[0, -0, 7, -12, 9007199254740992]", [0, 0, 7, -12, 2**53]),
        ("[1.5, -0.25, 1., .5, 1e3, 1E-3, -1.5e+2]", [1.5, -0.25, 1.0, 0.5, 1000.0, 0.001, -150.0]),
        ("[text, 1.2.3, 8080:8080, v1, a b, /x, 2024-01-01 notes, inf, nan, 1_a, 0xg, 08:61, -, tru]", None),
        ("'yes'", "yes"),
        ('"0x1F"', "0x1F"),
        ("|\n  yes\n  no\n", "yes\nno\n"),
        (">-\n  017\n", "017"),
        ("on the other hand", "on the other hand"),
        ("a: &x [1, {b: 2}]\nc: *x\n", {"a": [1, {"b": 2}], "c": [1, {"b": 2}]}),
        ("- &a 1\n- &a 2\n- *a\n", [1, 2, 2]),
        ("{'': 1, '~': 2, '1': 3, 'y': 4}", {"": 1, "~": 2, "1": 3, "y": 4}),
        ("'<<': 1", {"<<": 1}),
        ("ü: 😀", {"ü": "😀"}),
        ('"\\u0085\\u2028\\ufeff"', "\x85\u2028\ufeff"),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
    ],
)
def test_what_every_reader_agrees_on_is_taken(text: str, data: object) -> None:
    wanted = data if data is not None or "text" not in text else text[1:-1].split(", ")
    assert repr(parsed(text)) == repr(wanted)


AMBIGUOUS = {
    **dict.fromkeys(("yes", "Yes", "YES", "y", "Y", "on", "On", "tRUE"), "true"),
    **dict.fromkeys(("no", "n", "N", "off", "OFF", "fALSE"), "false"),
    "nULL": "null",
    "0o17": "the number 15",
    "-0o17": "the number -15",
    "0x1F": "the number 31",
    "0X1f": "the number 31",
    "0b101": "the number 5",
    "0x_1F": "the number 31",
    "1_000": "the number 1000",
    "1_000.5": "the number 1000.5",
    "1_": "the number 1",
    "+1": "the number 1",
    "+1.5e3": "the number 1.5e3",
    "08": "the number 08",
    "01.5": "the number 01.5",
    "12:30:45": "a number to the base 60",
    "1:30": "a number to the base 60",
    "22:22": "a number to the base 60",
    "190:20:30.15": "a number to the base 60",
    "2024-01-31": "a date",
    "2024-1-3": "a date",
    "2024-01-31T12:00:00Z": "a date",
    "2024-01-31 12:00:00.5 +02:00": "a date",
    ".inf": "infinity",
    "-.INF": "infinity",
    "+.inf": "infinity",
    ".NaN": "not a number",
    "=": "a default key",
    "<<": "a merge key",
}


@pytest.mark.usefixtures("both_parsers")
@pytest.mark.parametrize("scalar", AMBIGUOUS)
def test_an_ambiguous_scalar_must_be_quoted(scalar: str) -> None:
    first = AMBIGUOUS[scalar]
    message = f"{scalar!r} is ambiguous: one reader of YAML takes it for {first}, another for the text {scalar!r}"
    hint = f'write it in quotes: "{scalar}"'
    assert only(f"a:\n  b: {scalar}\n") == Problem(message, Where("f.yaml", 2, ("a", "b")), hint)
    assert only(f"a:\n  - {scalar}\n") == Problem(message, Where("f.yaml", 2, ("a", 0)), hint)
    assert only(f"? {scalar}\n: 1\n") == Problem(message, Where("f.yaml", 1), hint)
    assert parsed(f'["{scalar}"]') == [scalar]


def test_an_octal_number_names_both_numbers() -> None:
    readings = "one reader of YAML takes it for the number 15, another for the number 17"
    assert only("017").message == f"'017' is ambiguous: {readings}"
    assert "the number 0, another for the text '00'" in only("00").message


def yaml_1_1(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return yaml


@given(st.text("0123456789+-_.:eExXoObBinfatTyYsSZ~ ", max_size=9).map(str.strip))
def test_a_plain_scalar_that_is_taken_means_the_same_in_yaml_1_1(scalar: str) -> None:
    try:
        ours = parsed(scalar)
    except InputError:
        return
    theirs = yaml_1_1(scalar)
    # PyYAML wants a sign in an exponent and a dot before it; the specification of 1.1 and Go's reader do not.
    if isinstance(ours, float) and isinstance(theirs, str):
        assert "e" in theirs.lower() or theirs.startswith("-.")
        return
    assert repr(ours) == repr(theirs)


# JSON writes other characters as two escapes in ASCII, which YAML does not know.


def is_simple_key(text: str) -> bool:
    """A longer one is no simple key (YAML 1.2, section 7.4.2)."""
    return len(json.dumps(text)) <= 1000


bmp = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]))


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | bmp,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(bmp.filter(is_simple_key), inner, max_size=4),
        max_leaves=12,
    )
)
def test_ascii_json_is_read_as_json_reads_it(value: object) -> None:
    assert repr(parsed(json.dumps(value))) == repr(json.loads(json.dumps(value)))


def test_a_number_that_helm_would_change_is_refused() -> None:
    message = "found an integer beyond 2^53, which Helm would change"
    wanted = Problem(message, Where("f.yaml", 1, ("a",)), "write it in quotes")
    assert only("a: 9007199254740993") == wanted
    assert only("a: -9007199254740993") == wanted
    assert only(f"a: {'9' * 5000}") == wanted
    assert only("a: 1e999").message == "found inf, expected a finite number"


@pytest.mark.usefixtures("both_parsers")
@pytest.mark.parametrize(
    ("text", "line", "path", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, ("a",), "the key 'a' stands twice, in lines 1 and 3"),
        ("x:\n  - {a: 1, 'a': 2}\n", 2, ("x", 0, "a"), "the key 'a' stands twice, in lines 2 and 2"),
        ("a: !foo 1\n", 1, ("a",), "found the tag !foo, expected a plain value"),
        ("a: !!str 1\n", 1, ("a",), "found the tag tag:yaml.org,2002:str, expected a plain value"),
        ("a: ! 1\n", 1, ("a",), "found the tag !, expected a plain value"),
        (
            "a: !!python/object/apply:os.system [x]\n",
            1,
            ("a",),
            "found the tag tag:yaml.org,2002:python/object/apply:os.system, expected a plain value",
        ),
        ("a: !!map {}\n", 1, ("a",), "found the tag tag:yaml.org,2002:map, expected a plain value"),
        ("a:\n  1: b\n", 2, ("a",), "found the number 1 as a key, expected text"),
        ("true: b\n", 1, (), "found true as a key, expected text"),
        ("?\n: b\n", 1, (), "found nothing (null) as a key, expected text"),
        ("? [a]\n: b\n", 1, (), "found an alias, a list or a mapping as a key, expected text"),
        ("a: &x b\n*x : c\n", 2, (), "found an alias, a list or a mapping as a key, expected text"),
        ("a: 1\n---\nb: 2\n", 2, (), "found a second document"),
        ("a: *x\n", 1, ("a",), "the alias *x has no anchor before it"),
        ("a: &x\n  b: *x\n", 2, ("a", "b"), "the alias *x refers to itself"),
        ("a: 1\nb: \x07\n", 2, (), "found the character U+0007, which readers of YAML treat differently"),
        ("a: x\x85y\n", 1, (), "found the character U+0085, which readers of YAML treat differently"),
        ("a: 1\n\ufeffb: 2\n", 2, (), "found the character U+FEFF, which readers of YAML treat differently"),
    ],
)
def test_what_yaml_lets_through_and_we_do_not(text: str, line: int, path: tuple[str | int, ...], message: str) -> None:
    problem = only(text)
    assert (problem.message, problem.where) == (message, Where("f.yaml", line, path))


@pytest.mark.usefixtures("both_parsers")
@pytest.mark.parametrize(
    ("text", "line"),
    [("a: [1\n", 2), ("a: 1\n b: 2\n", 2), ("\ta: 1\n", 1), ('a: "x', 1), ("a: b: c\n", 1), ("a: %x", 1)],
)
def test_broken_yaml_is_named_with_its_line(text: str, line: int) -> None:
    problem = only(text)
    assert problem.message.startswith("this is no YAML: ")
    assert problem.where == Where("f.yaml", line)


def test_all_problems_are_gathered() -> None:
    found = problems("a: yes\nb: [0x1, 9007199254740993]\na: !x 1\n3: 4\n")
    assert [str(problem.where) for problem in found] == [
        "f.yaml:1: a",
        "f.yaml:2: b[0]",
        "f.yaml:2: b[1]",
        "f.yaml:3: a",
        "f.yaml:3: a",
        "f.yaml:4",
    ]


@pytest.mark.usefixtures("both_parsers")
def test_a_bomb_of_aliases_is_refused() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 20)
    )
    assert only(bomb).message == "found more than 100000 values, aliases expanded"
    assert only(f"[{'x, ' * 100_000}]").message == "found more than 100000 values, aliases expanded"


@pytest.mark.usefixtures("both_parsers")
def test_depth_is_bounded() -> None:
    assert parsed(f"{'[' * 101}{']' * 101}") is not None
    assert only(f"{'[' * 102}{']' * 102}").message == "found more than 100 levels, one in the other"
    assert only("[" * 100_000).message == "found more than 100 levels, one in the other"
    assert only("- " * 5_000).message == "found more than 100 levels, one in the other"
    half = f"{'[' * 60}{']' * 60}"
    through_alias = only(f"a: &a {half}\nb: {'[' * 60}*a{']' * 60}\n")
    assert (through_alias.message, through_alias.where) == (
        "found more than 100 levels, one in the other",
        Where("f.yaml", 2, ("b",)),
    )


def test_each_merge_conflict_is_named() -> None:
    text = "a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> other\n<<<<<<<\r\n"
    assert [(str(problem.where), problem.message) for problem in problems(text)] == [
        ("f.yaml:2", "found the marker of a git merge conflict: <<<<<<<"),
        ("f.yaml:7", "found the marker of a git merge conflict: <<<<<<<"),
    ]
    assert parsed("a: |\n  <<<<<<< HEAD\n") == {"a": "<<<<<<< HEAD\n"}


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"\xef\xbb\xbfa: 1\n", 1, "found a byte-order mark, expected plain UTF-8 (byte 0)"),
        ("a: 1\n".encode("utf-16"), 1, "found UTF-16, expected UTF-8 (byte 0)"),
        ("a: 1\n".encode("utf-16-be"), 1, "found a NUL byte, expected text (byte 0)"),
        (b"a: 1\nb: \0\n", 2, "found a NUL byte, expected text (byte 8)"),
        (b"a: 1\nb: \xff\n", 2, "the byte 0xff is not UTF-8 (byte 8)"),
        (b"a: 1\nb: \xed\xa0\x80\n", 2, "the byte 0xed is not UTF-8 (byte 8)"),
    ],
)
def test_a_file_is_utf_8(data: bytes, line: int, message: str) -> None:
    problem = only(data)
    assert (problem.message, problem.where) == (message, Where("f.yaml", line))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, message in (
        ("missing", "there is no such file"),
        ("", "found a folder, expected a file"),
        ("pipe", "found neither a file nor a folder, expected a file"),
        ("x" * 300, "the file cannot be read: File name too long"),
    ):
        with pytest.raises(OverlayError) as caught:
            read_yaml(tmp_path / name, name="shown", error=OverlayError)
        assert caught.value.problems == (Problem(message, Where("shown")),)


def test_a_file_is_called_by_its_path_unless_it_has_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\n")
    assert read_yaml(path).file == str(path)
    assert read_yaml(path, name="a").file == "a"
    assert read_yaml(path).data == {"a": 1}


@pytest.mark.usefixtures("both_parsers")
def test_lines_are_those_of_keys_and_items() -> None:
    text = "# comment\na:\n  b: &x\n    - 1\n    -\n      c: 2\n'd e': *x\nf: {g: 1,\n  h: [2,\n 3]}\n"
    line = parse_yaml(text.encode(), file="f").line
    known = {
        (): 2,
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "b", 0): 4,
        ("a", "b", 1): 6,
        ("a", "b", 1, "c"): 6,
        ("d e",): 7,
        ("d e", 0): 4,
        ("f", "g"): 8,
        ("f", "h"): 9,
        ("f", "h", 1): 10,
        ("nothing",): None,
        ("a", 0): None,
        ("a", "b", 0, "deeper"): None,
    }
    assert {path: line(path) for path in known} == known


FILE = """\
# Pins, bumped together.
charts:   # all of them
  onyx:
    version: 0.4.2   # the newest
    digest: "sha256:aa" # quoted
    name: 'it''s'
    empty:
    none: # later
    flow: {tag: v1, other: [a, b]}
"""


@pytest.mark.usefixtures("both_parsers")
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        ("version", "0.5.0", "version: 0.4.2   #", "version: 0.5.0   #"),
        ("version", "1.10", "version: 0.4.2   #", 'version: "1.10"   #'),
        ("version", "", "version: 0.4.2   #", 'version: ""   #'),
        ("version", "yes", "version: 0.4.2   #", 'version: "yes"   #'),
        ("version", "a: b #c", "version: 0.4.2   #", 'version: "a: b #c"   #'),
        ("version", "é\x7f\u2028\n", "version: 0.4.2   #", 'version: "é\\u007f\\u2028\\n"   #'),
        ("digest", "sha256:bb", '"sha256:aa" #', '"sha256:bb" #'),
        ("digest", "plain", '"sha256:aa" #', '"plain" #'),
        ("name", "its", "'it''s'", '"its"'),
        ("empty", "x", "empty:", "empty: x"),
        ("none", "x", "none: # later", "none: x # later"),
        ("flow.tag", "v2", "{tag: v1,", "{tag: v2,"),
        ("flow.tag", "v2,", "{tag: v1,", '{tag: "v2,",'),
    ],
)
def test_an_edit_changes_one_scalar_and_no_other_byte(path: str, value: str, old: str, new: str, newline: str) -> None:
    text = FILE.replace("\n", newline)
    assert text.count(old) == 1
    changes = {("charts", "onyx", *path.split(".")): value}
    assert edit_yaml(text, changes, file="f") == text.replace(old, new)


def test_many_edits_are_made_at_once() -> None:
    changes = {("charts", "onyx", "flow", "tag"): "v22", ("charts", "onyx", "version"): "10.0.0"}
    edited = edit_yaml(FILE, changes, file="f")
    assert edited == FILE.replace("0.4.2", "10.0.0").replace("v1", "v22")
    assert edit_yaml(FILE, {}, file="f") == FILE


@given(st.dictionaries(st.sampled_from(["version", "digest", "name", "empty", "none"]), st.text()))
def test_any_text_can_be_put_in_and_is_read_back(values: dict[str, str]) -> None:
    changes: dict[tuple[str, ...], str] = {("charts", "onyx", key): value for key, value in values.items()}
    if any("\ud800" <= sign <= "\udfff" for value in values.values() for sign in value):
        return
    before = {"version": "0.4.2", "digest": "sha256:aa", "name": "it's", "empty": None, "none": None}
    flow = {"flow": {"tag": "v1", "other": ["a", "b"]}}
    # The repr tells the order as well.
    wanted = {"charts": {"onyx": {**before, **values, **flow}}}
    assert repr(parsed(edit_yaml(FILE, changes, file="f"))) == repr(wanted)


SHARED = "found an anchor (&) or an alias (*): other values change with it"


@pytest.mark.parametrize(
    ("text", "path", "line", "message", "hint"),
    [
        ("a:\n  vresion: 1\n", ("a", "version"), 1, "there is no key 'version'", "did you mean 'vresion'?"),
        ("a:\n  x: 1\n", ("a", "version"), 1, "there is no key 'version'", "keys: x"),
        ("a: 1\n", ("a", "b"), 1, "there is no key 'b'", "keys: none"),
        ("a: [1]\n", ("a", "0"), 1, "there is no key '0'", "keys: none"),
        ("x: 1\na:\n  b: 1\n", ("a",), 2, "found a mapping, expected a text to replace", None),
        ("a: []\n", ("a",), 1, "found a list, expected a text to replace", None),
        ("a: |\n  x\n", ("a",), 1, "found a block of text (| or >), expected a text on one line to replace", None),
        ("a: &x 1\nb: *x\n", ("a",), 1, SHARED, None),
        ("a: &x 1\nb: *x\n", ("b",), 2, SHARED, None),
        ("a: &x {c: 1}\nb: *x\n", ("b", "c"), 2, SHARED, None),
        ("a: &x {c: 1}\nb: *x\n", ("a", "c"), 1, SHARED, None),
    ],
)
def test_what_cannot_be_edited_is_named(
    text: str, path: tuple[str, ...], line: int, message: str, hint: str | None
) -> None:
    with pytest.raises(PinError) as caught:
        edit_yaml(text, {path: "new", ("x" * 50,): "new"}, file="f", error=PinError)
    problem, other = caught.value.problems
    where = problem.where
    assert where is not None
    assert (problem.message, problem.hint, where.line) == (message, hint, line)
    assert other.message == f"there is no key {'x' * 50!r}"


def test_an_edit_that_would_do_more_is_refused() -> None:
    # The key has no colon: what follows it would become a part of it.
    with pytest.raises(InputError) as caught:
        edit_yaml("{a}\n", {("a",): "b"}, file="f")
    assert caught.value.problems[0].message == "a cannot be replaced in place"


def test_the_whole_document_can_be_a_scalar() -> None:
    assert edit_yaml("a # b\n", {(): "c"}, file="f") == "c # b\n"
