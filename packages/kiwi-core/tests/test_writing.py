"""What is written is read back as it was, and late values as the template actions that give them."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kiwi_core._emit.writing import expression, go_string, quoted, yaml_text
from kiwi_core._model.late import Credential, External, Late, Pin, Quoted, Text, Value, text, url

PASSWORD = Credential("onyx", "postgres/onyx")
TAG = Pin("web", "tag")
# A string within an action may hold braces.
ACTION = re.compile(r'\{\{(?:"(?:\\.|[^"\\])*"|[^"])*?\}\}')

# Texts that some reader on the way to Helm takes for something else.
HOSTILE = (
    *("", " ", "~", "null", "yes", "n", "on", "08", "0o17", "1e3", "0x1F", "1_000", "12:30:45", "2001-01-01", ".inf"),
    *("=", "<<", "*x", "&x", "!x", "- x", "? x", "a: b", "a #b", "%x", "@x", "`x`", "'x'", '"x"', "\\", "\\u0041"),
    *("{{", "{{{", "{{ fail }}", "}}", "{{/*", "{%", "ref+vault://x", "ref+ref+", "secretref+x", "{", "}", "$(x)"),
    *("a\nb", "a\r\nb", "\t", "\x00", "\x7f", "\x85", "\xa0", "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff", "🥝"),
)
strings = st.text() | st.sampled_from(HOSTILE) | st.lists(st.sampled_from(HOSTILE)).map("".join)
scalars: st.SearchStrategy[Value] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | strings
)


keys = strings.filter(lambda text: len(text) < 150)  # a longer one is no simple key, and refused before it is written


def deeper(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)


maps = st.dictionaries(keys, st.recursive(scalars, deeper, max_leaves=15), max_size=4)
lates: st.SearchStrategy[Pin | Credential | Quoted] = st.one_of(
    st.builds(Credential, strings.filter(bool), strings.filter(bool), st.integers(1, 3)),
    st.builds(Pin, strings, st.sampled_from(["registry", "repository", "name", "tag", "reference"])),
    st.builds(Quoted, st.builds(Credential, strings.filter(bool), strings.filter(bool))),
)


# The repr, since 1, 1.0 and True are equal.
@settings(deadline=None)
@given(maps)
@example({"k": 1e16, "l": -1e-7, "m": 5e-324, "n": 1.7976931348623157e308, "o": -0.0, "p": 1e22})
@example({"a": [[], [[]], [[1], {}], {"b": [{"c": []}]}, [{"x": 1, "y": 2}, "z"]], "d": {}})
def test_a_tree_is_read_back_as_it_was_written(tree: dict[str, Value]) -> None:
    assert repr(yaml.safe_load(yaml_text(tree))) == repr(tree)


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_a_hostile_text_is_read_back_as_key_value_and_item(hostile: str) -> None:
    tree: dict[str, Value] = {hostile: hostile, "items": [hostile, [hostile], {hostile: hostile}]}
    assert yaml.safe_load(yaml_text(tree)) == tree


@settings(deadline=None)
@given(maps)
@example({"{": "{", "{{": ["{{{", "ref+"], "ref": "+"})
def test_data_never_becomes_an_action_or_a_reference(tree: dict[str, Value]) -> None:
    written = yaml_text(tree)
    assert b"{{" not in written
    assert b"ref+" not in written


@given(strings)
def test_a_quoted_text_stands_on_one_line_that_every_reader_sees_as_one(string: str) -> None:
    written = quoted(string)
    assert len(written.splitlines()) == 1
    assert all(letter.isprintable() or letter not in "\x7f\x85\u2028\u2029\ufeff\ufffe\uffff" for letter in written)
    assert json.loads(written) == string


@given(strings)
def test_a_go_string_holds_the_text_and_ends_no_action(string: str) -> None:
    # Every escape of JSON is one of Go, but for the slash, which Python does not escape.
    written = go_string(string)
    assert json.loads(written) == string
    assert "{{" not in written
    assert "ref+" not in written
    assert len(written.splitlines()) == 1


def test_the_head_stands_above_and_an_empty_map_is_one() -> None:
    assert yaml_text({}, head="# one\n") == b"# one\n{}\n"
    assert yaml_text({"a": ()}, head="# one\n# two\n") == b'# one\n# two\n"a": []\n'


def test_the_form_is_block_style_with_quoted_keys() -> None:
    tree: dict[str, Value] = {"a": {"b": [1, "x", {"c": None, "d": [True, []]}, [2.5, {}]]}, "e": ("t",)}
    assert yaml_text(tree).decode() == (
        '"a":\n'
        '  "b":\n'
        "    - 1\n"
        '    - "x"\n'
        '    - "c": null\n'
        '      "d":\n'
        "        - true\n"
        "        - []\n"
        "    - - 2.5\n"
        "      - {}\n"
        '"e":\n'
        '  - "t"\n'
    )


DERIVED = (
    'or (env "KIWISTACK_0E44B315B8679D64E6C5139E") '
    '(derivePassword 1 "long" (requiredEnv "MASTER_PASSWORD") "onyx" "postgres/onyx") | sha1sum'
)
INNER = '| toJson | trimPrefix "\\"" | trimSuffix "\\""'


@pytest.mark.parametrize(
    ("late", "written"),
    [
        (PASSWORD, f"{{{{ {DERIVED} | toJson }}}}"),
        (
            Credential("a", "b", 7),
            (
                '{{ or (env "KIWISTACK_E5679DF48FE6F83ED5BD4A9A") '
                '(derivePassword 7 "long" (requiredEnv "MASTER_PASSWORD") "a" "b") | sha1sum | toJson }}'
            ),
        ),
        (Quoted(PASSWORD), f'{{{{ {DERIVED} | urlquery | replace "+" "%20" | toJson }}}}'),
        (
            External("licence", "it is bought"),
            (
                '{{ or (env "KIWISTACK_EF63F31AEEA7C7D7BBB61DC5") (exec "age" (list "--decrypt" "--identity" '
                '(requiredEnv "KIWISTACK_AGE_IDENTITY") "../secrets/licence.age")) | toJson }}'
            ),
        ),
        (TAG, '{{ (index .Values.images "web").tag | toJson }}'),
        (Pin("web", "registry"), '{{ (index .Values.images "web").registry | toJson }}'),
        (Pin("web", "repository"), '{{ (index .Values.images "web").repository | toJson }}'),
        (
            Pin("web", "name"),
            '{{ printf "%s/%s" (index .Values.images "web").registry (index .Values.images "web").repository | toJson }}',
        ),
        (
            Pin("web", "reference"),
            (
                '{{ printf "%s/%s:%s" (index .Values.images "web").registry (index .Values.images "web").repository '
                '(index .Values.images "web").tag | toJson }}'
            ),
        ),
        (Text(()), '""'),
        (Text(("a{", "}b")), '"a\\u007b}b"'),
        (
            text("http://{p}@{h}/", p=url(PASSWORD), h="pg"),
            f'"http://{{{{ {DERIVED} | urlquery | replace "+" "%20" {INNER} }}}}@pg/"',
        ),
        (Text((TAG, TAG)), f'"{f"{{{{ (index .Values.images {chr(34)}web{chr(34)}).tag {INNER} }}}}" * 2}"'),
    ],
)
def test_each_late_value_is_written_as_its_action(late: Late, written: str) -> None:
    assert expression(late) == written


@settings(deadline=None)
@given(st.lists(strings | lates, max_size=6))
@example(["{", TAG, "}", "{{", PASSWORD, '"', "\\", TAG, "ref+"])
def test_a_text_is_a_scalar_with_actions_in_the_place_of_its_late_parts(
    segments: list[str | Pin | Credential | Quoted],
) -> None:
    written = expression(Text(tuple(segments)))
    actions = ACTION.findall(written)
    assert len(actions) == sum(not isinstance(segment, str) for segment in segments)
    assert "{{{" not in written
    known = "".join(segment if isinstance(segment, str) else "LATE" for segment in segments)
    assert yaml.safe_load(ACTION.sub("LATE", written)) == known
    assert len(written.splitlines()) == 1


def test_a_late_value_stands_unquoted_in_a_tree() -> None:
    tree: dict[str, Value] = {"image": {"tag": TAG}, "list": [TAG], "name": "web"}
    assert yaml_text(tree).decode() == (
        '"image":\n  "tag": {{ (index .Values.images "web").tag | toJson }}\n'
        '"list":\n  - {{ (index .Values.images "web").tag | toJson }}\n'
        '"name": "web"\n'
    )


def test_a_late_value_of_no_known_form_is_refused() -> None:
    with pytest.raises(TypeError, match="unknown late value"):
        expression(Late())
