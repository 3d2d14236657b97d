"""Parsing Go templates: what Go takes is taken, what it refuses is refused, whatever the text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kiwi_core._deliver.go_templates import (
    Assignment,
    Block,
    Call,
    Constant,
    Definition,
    Dot,
    Field,
    Node,
    Output,
    TemplateError,
    Text,
    Variable,
    parse,
)


def only(text: str) -> Node:
    (node,) = parse(text)
    return node


def test_a_pipeline_hands_its_result_on_as_the_last_argument() -> None:
    value = Field(Dot(), ("a",))
    assert only('{{ .a | f "x" | g 1 }}') == Output(1, Call("g", (Constant("1"), Call("f", (Constant("x"), value)))))


def test_a_field_belongs_to_what_it_touches() -> None:
    assert only("{{ f $x.a .b (g .c).d }}") == Output(
        1,
        Call(
            "f",
            (
                Field(Variable("x"), ("a",)),
                Field(Dot(), ("b",)),
                Field(Call("g", (Field(Dot(), ("c",)),)), ("d",)),
            ),
        ),
    )


def test_an_else_if_is_a_block_within() -> None:
    node = only("{{ if .a }}1{{ else if .b }}2{{ else }}3{{ end }}")
    assert isinstance(node, Block)
    (inner,) = node.otherwise
    assert isinstance(inner, Block)
    assert (node.body, inner.body, inner.otherwise) == ((Text(1, "1"),), (Text(1, "2"),), (Text(1, "3"),))


def test_variables_of_a_range_and_assignments_are_told_apart() -> None:
    declared, node = parse("{{ $x := 1 }}{{ range $k, $v := .a }}{{ $x = $v }}{{ end }}")
    assert declared == Assignment("x", Constant("1"), declares=True)
    assert isinstance(node, Block)
    assert node.variables == ("k", "v")
    assert node.body == (Assignment("x", Variable("v"), declares=False),)


def test_block_defines_and_prints() -> None:
    assert parse('{{ block "t" .a }}x{{ end }}') == (
        Definition(1, "t", (Text(1, "x"),)),
        Output(1, Call("include", (Constant("t"), Field(Dot(), ("a",))))),
    )


def test_lines_are_counted_through_texts_comments_and_actions() -> None:
    nodes = parse("1\n2 {{/* a\nb */}}\n{{ f\n  `x\ny` }}\n{{- .z -}}")
    assert [node.line for node in nodes if isinstance(node, Output)] == [4, 7]


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a\n{{ .a", "an action is not closed", 2),
        ("{{/* a */ .x }}{{/* b */}}", "unexpected '/' in an action", 1),
        ("{{ }}\n{{ end }}", "'end' ends nothing", 2),
        ("\n{{ if .a }}\n", "'if' has no end", 2),
        ("{{ if .a }}{{ else }}\n{{ else }}{{ end }}", "an 'else' after the last one", 2),
        ("{{ if .a }}\n{{ else range }}{{ end }}", "found 'else range'", 2),
        ("{{ if }}{{ end }}", "an action is empty or ends too early", 1),
        ("{{ .a | }}", "an action is empty or ends too early", 1),
        ("{{ .a ) }}", "unexpected '\\)'", 1),
        ("{{ f , }}", "unexpected ','", 1),
        ("{{ (.a }}", "a parenthesis is not closed", 1),
        ("{{ define }}{{ end }}", "'define' has no name", 1),
        ("{{ template }}", "'template' has no name", 1),
        ('{{ define "a" }}\n{{ else }}{{ end }}', "'else' in a 'define'", 2),
        ('{{ "a\nb" }}', "unexpected '\"'", 1),
    ],
)
def test_what_go_refuses_is_refused_with_its_line(text: str, message: str, line: int) -> None:
    with pytest.raises(TemplateError, match=message) as caught:
        parse(text)
    assert caught.value.line == line


@given(st.text(max_size=60).filter(lambda text: "{{" not in text and text))
def test_text_without_actions_is_itself(text: str) -> None:
    assert only(text) == Text(1, text)


PIECES = [
    "{{",
    "}}",
    "{{-",
    "-}}",
    "if",
    "with",
    "range",
    "else",
    "end",
    "define",
    "template",
    ".",
    ".a",
    "$x",
    ":=",
    "=",
    "|",
    "(",
    ")",
    ",",
    '"t"',
    "`r`",
    "1",
    "-2",
    "/*",
    "*/",
    "\n",
    "text",
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_any_text_is_parsed_or_refused(pieces: list[str]) -> None:
    text = " ".join(pieces)
    try:
        nodes = parse(text)
    except TemplateError as error:
        assert 1 <= error.line <= text.count("\n") + 1  # noqa: PT017 -- either outcome is right
    else:
        assert all(node.text in text for node in nodes if isinstance(node, Text))
