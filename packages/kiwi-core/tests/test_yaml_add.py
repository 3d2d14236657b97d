"""A key that is not there yet is added in place, where it may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiwi_core._spec.yamlfile import edit_yaml, parse_yaml
from kiwi_core.errors import InputError

PATH = ("charts", "a", "digest")

ADDED = {
    "block": ("charts:\n  a:\n    version: '1' # one\n  # end\n", "    version: '1' # one\n", '    digest: "new"\n'),
    "last-line": ("charts:\n  a:\n    version: '1'", "    version: '1'", '\n    digest: "new"'),
    "line-ends": ("charts:\r\n  a:\r\n    version: x\r\n", "    version: x\r\n", '    digest: "new"\r\n'),
    "flow": ("charts: {a: {version: x }}\n", "{version: x", ', "digest": "new"'),
    "json": ('{"charts": {"a": {"version": "x"}}}', '"version": "x"', ', "digest": "new"'),
    "many-lines": ("charts:\n  a:\n    version: x\n      y\n    list: [1]\n", "      y\n", '    digest: "new"\n'),
    "a-number-last": ("charts:\n  a:\n    x: z\n    port: 1\n  b: 1\n", "    port: 1\n", '    digest: "new"\n'),
}


@pytest.mark.parametrize(("text", "before", "new"), ADDED.values(), ids=ADDED)
def test_a_key_is_added_behind_the_last_scalar(text: str, before: str, new: str) -> None:
    wanted = text.replace(before, before + new)
    assert edit_yaml(text, {PATH: "new"}, file="f", may_add=("digest",)) == wanted
    again = edit_yaml(wanted, {PATH: "newer"}, file="f", may_add=("digest",))
    assert again == wanted.replace('"new"', '"newer"')


REFUSED = {
    "not-allowed": ("charts:\n  a:\n    version: x\n", (), "there is no key 'digest'"),
    "no-parent": ("charts:\n  b:\n    version: x\n", ("digest",), "there is no key 'a'"),
    "shared": ("charts:\n  a: &x\n    version: x\n", ("digest",), "found an anchor"),
    "a-list": ("charts:\n  a: [x]\n", ("digest",), "there is no place for a key 'digest'"),
    "a-text": ("charts:\n  a: x\n", ("digest",), "there is no place for a key 'digest'"),
    "no-scalar": ("charts:\n  a:\n    b: []\n", ("digest",), "there is no place for a key 'digest'"),
    "a-block": ("charts:\n  a:\n    b: |\n      text\n", ("digest",), "there is no place for a key 'digest'"),
}


@pytest.mark.parametrize(("text", "may_add", "expected"), REFUSED.values(), ids=REFUSED)
def test_a_key_that_has_no_place_is_refused(text: str, may_add: tuple[str, ...], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        edit_yaml(text, {PATH: "new"}, file="f", may_add=may_add)


@given(st.text(max_size=20), st.sampled_from(sorted(ADDED)))
def test_the_added_text_is_what_readers_find(value: str, form: str) -> None:
    text = ADDED[form][0]
    data = parse_yaml(edit_yaml(text, {PATH: value}, file="f", may_add=("digest",)).encode(), file="f").data
    before = parse_yaml(text.encode(), file="f").data
    assert isinstance(data, dict)
    assert isinstance(before, dict)
    charts, old = data["charts"], before["charts"]
    assert isinstance(charts, dict)
    assert isinstance(old, dict)
    assert isinstance(old["a"], dict)
    assert charts == {**old, "a": {**old["a"], "digest": value}}
