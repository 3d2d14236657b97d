"""Go templates as trees, as far as Helm's charts use them: parsed, never run.

The grammar is that of Go's ``text/template`` (and of its lexer in ``text/template/parse``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import attrs

from kiwi_core._deliver.go_tokens import Action, TemplateError, Text, Token, split, unquote

__all__ = [
    "Assignment",
    "Block",
    "Call",
    "Constant",
    "Definition",
    "Dot",
    "Expression",
    "Field",
    "Node",
    "Output",
    "TemplateError",
    "Text",
    "Variable",
    "parse",
]


@attrs.frozen
class Dot:
    """The current value, ``.``."""


@attrs.frozen
class Variable:
    """A variable; the empty name is ``$``, what the template was given."""

    name: str


@attrs.frozen
class Constant:
    """A text, number, truth or nil, as text."""

    text: str


@attrs.frozen
class Field:
    """A chain of fields of a value, ``.Values.a.b``."""

    of: Expression
    names: tuple[str, ...]


@attrs.frozen
class Call:
    """A function, or a method of a value when ``function`` is empty, with its arguments.

    A pipeline is written as Go means it: ``x | f y`` is ``f y x``.
    """

    function: str
    arguments: tuple[Expression, ...]


Expression: TypeAlias = Dot | Variable | Constant | Field | Call


@attrs.frozen
class Output:
    """An action that prints; ``template`` is the function ``include``."""

    line: int
    expression: Expression


@attrs.frozen
class Assignment:
    """``$name := expression``, or ``$name = expression`` when it declares nothing."""

    name: str
    expression: Expression
    declares: bool


@attrs.frozen
class Block:
    """An ``if``, ``with`` or ``range``; ``else if`` is a block in ``otherwise``.

    Attributes:
        variables: those that the expression is assigned to: none, one, or key and item of a ``range``.
    """

    kind: Literal["if", "with", "range"]
    line: int
    variables: tuple[str, ...]
    expression: Expression
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@attrs.frozen
class Definition:
    """A named template."""

    line: int
    name: str
    body: tuple[Node, ...]


Node: TypeAlias = Text | Output | Assignment | Block | Definition


def parse(text: str) -> tuple[Node, ...]:
    """Parse a template file.

    Raises:
        TemplateError: it is no Go template.
        RecursionError: it is nested more deeply than any chart is.
    """
    return _Parser(text).file()


class _Parser:
    """One file: pieces of text and of actions, taken one after the other."""

    def __init__(self, text: str) -> None:
        self._pieces = split(text)

    def file(self) -> tuple[Node, ...]:
        nodes, end = self._nodes()
        if end is not None:
            raise TemplateError(f"'{end.tokens[0].text}' ends nothing", end.line)
        return nodes

    def _nodes(self) -> tuple[tuple[Node, ...], Action | None]:
        """Read up to the ``end`` or ``else`` that belongs to an outer block, and return that as well."""
        nodes: list[Node] = []
        for piece in self._pieces:
            if isinstance(piece, Text):
                nodes.append(piece)
                continue
            line, tokens = piece.line, piece.tokens
            match tokens[0] if tokens else None:
                case Token(kind="word", text="end" | "else"):
                    return tuple(nodes), piece
                case Token(kind="word", text="if" | "with" | "range" as kind):
                    nodes.append(self._block(kind, line, tokens[1:]))
                case Token(kind="word", text="define"):
                    nodes.append(self._definition(line, tokens))
                case Token(kind="word", text="block"):
                    defined = self._definition(line, tokens)
                    nodes += [defined, Output(line, Call("include", (Constant(defined.name), *_rest(tokens))))]
                case Token(kind="word", text="break" | "continue") | None:
                    pass
                case _:
                    nodes.append(_plain(line, tokens))
        return tuple(nodes), None

    def _body(self, line: int, kind: str) -> tuple[tuple[Node, ...], Action]:
        nodes, end = self._nodes()
        if end is None:
            raise TemplateError(f"'{kind}' has no end", line)
        return nodes, end

    def _block(self, kind: Literal["if", "with", "range"], line: int, tokens: Sequence[Token]) -> Block:
        variables, tokens = _targets(tokens)
        expression = _Pipeline(tokens, line).whole()
        body, end = self._body(line, kind)
        otherwise: tuple[Node, ...] = ()
        match [token.text for token in end.tokens]:
            case ["end", *_]:
                pass
            case ["else"]:
                otherwise, end = self._body(line, kind)
                if end.tokens[0].text == "else":
                    raise TemplateError("there is an 'else' after the last one", end.line)
            case ["else", "if" | "with" as following, *_]:
                # One end closes both.
                otherwise = (self._block(following, end.line, end.tokens[2:]),)
            case words:
                raise TemplateError(f"found '{' '.join(words)}', expected 'else', 'else if' or 'else with'", end.line)
        return Block(kind, line, variables, expression, body, otherwise)

    def _definition(self, line: int, tokens: Sequence[Token]) -> Definition:
        if len(tokens) < 2 or tokens[1].kind != "text":  # noqa: PLR2004 -- the word and its name
            raise TemplateError(f"'{tokens[0].text}' has no name", line)
        body, end = self._body(line, tokens[0].text)
        if end.tokens[0].text == "else":
            raise TemplateError(f"'else' in a '{tokens[0].text}'", end.line)
        return Definition(line, unquote(tokens[1].text), body)


def _rest(tokens: Sequence[Token]) -> tuple[Expression, ...]:
    return (_Pipeline(tokens[2:], tokens[0].line).whole(),) if tokens[2:] else ()


def _plain(line: int, tokens: Sequence[Token]) -> Node:
    if tokens[0].text == "template" and tokens[0].kind == "word":
        if len(tokens) < 2:  # noqa: PLR2004 -- the word and its name
            raise TemplateError("'template' has no name", line)
        return Output(line, Call("include", (Constant(unquote(tokens[1].text)), *_rest(tokens))))
    variables, rest = _targets(tokens)
    expression = _Pipeline(rest, line).whole()
    if variables:
        return Assignment(variables[0], expression, tokens[1].text == ":=")
    return Output(line, expression)


def _targets(tokens: Sequence[Token]) -> tuple[tuple[str, ...], Sequence[Token]]:
    """Split off ``$a :=``, ``$a, $b :=`` or ``$a =``."""
    for count in (1, 3):
        head = tokens[: count + 1]
        if len(head) == count + 1 and head[-1].text in {":=", "="} and head[-1].kind == "mark":
            return tuple(token.text for token in head if token.kind == "variable"), tokens[count + 1 :]
    return (), tokens


class _Pipeline:
    """The expression of one action."""

    def __init__(self, tokens: Sequence[Token], line: int) -> None:
        self._tokens = tokens
        self._at = 0
        self._line = line

    def whole(self) -> Expression:
        expression = self._pipeline()
        if self._at < len(self._tokens):
            raise TemplateError(f"unexpected {self._tokens[self._at].text!r}", self._tokens[self._at].line)
        return expression

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _pipeline(self) -> Expression:
        result = self._command(None)
        while (token := self._peek()) is not None and token.text == "|":
            self._at += 1
            result = self._command(result)
        return result

    def _command(self, piped: Expression | None) -> Expression:
        operands: list[Expression] = []
        function = ""
        token = self._peek()
        if token is not None and token.kind == "word" and token.text not in {"true", "false", "nil"}:
            self._at += 1
            function = token.text
        while (token := self._peek()) is not None and not (token.kind == "mark" and token.text in "|)"):
            operands.append(self._operand(token))
        if not function and not operands:
            raise TemplateError("an action is empty or ends too early", token.line if token else self._line)
        if piped is not None:
            operands.append(piped)
        if function:
            return Call(function, tuple(operands))
        return operands[0] if len(operands) == 1 else Call("", tuple(operands))

    def _operand(self, token: Token) -> Expression:
        self._at += 1
        result: Expression
        names: list[str] = []
        match token.kind:
            case "text":
                return Constant(unquote(token.text))
            case "number":
                return Constant(token.text)
            case "word":
                # A function without arguments, in the place of an argument: `default dict .Values.x`.
                constant = token.text in {"true", "false", "nil"}
                return Constant(token.text) if constant else Call(token.text, ())
            case "dot":
                return Dot()
            case "field":
                result = Dot()
                names.append(token.text)
            case "variable":
                result = Variable(token.text)
            case _ if token.text == "(":
                result = self._pipeline()
                close = self._peek()
                if close is None or close.text != ")":
                    raise TemplateError("a parenthesis is not closed", token.line)
                self._at += 1
            case _:
                raise TemplateError(f"unexpected {token.text!r}", token.line)
        while (following := self._peek()) is not None and following.kind == "more":
            self._at += 1
            names.append(following.text)
        return Field(result, tuple(names)) if names else result
