"""Read a chart's templates: what they do with the values, and what they print under which conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from kiwi_core._deliver.go_templates import (
    Assignment,
    Block,
    Call,
    Constant,
    Definition,
    Dot,
    Expression,
    Field,
    Node,
    Output,
    Text,
    Variable,
)
from kiwi_core._deliver.template_values import (
    NIL,
    UNKNOWN,
    Path,
    Printed,
    Record,
    Root,
    Unknown,
    Uses,
    Value,
    is_empty,
    paths_in,
    shows_all,
)
from kiwi_core._model.capture import ANY, UNSAID

__all__ = ["Piece", "TemplateReader", "definitions_in", "join_guards"]

# A template may call itself; after so many times it shows nothing new.
MAX_CALLS: Final = 3

ROOT: Final[Value] = frozenset({Root()})


@attrs.frozen
class Piece:
    """Something that a template prints.

    Attributes:
        line: the line in the file, counted from 1.
        text: literal text; None for an action.
        value: what the action prints.
        indent: how far ``indent`` or ``nindent`` moves it; None without these.
        guards: as in a capture.
    """

    line: int
    text: str | None
    value: Value = NIL
    indent: int | None = None
    guards: tuple[str, ...] = ()


@attrs.frozen
class _Scope:
    """What ``.``, ``$`` and the variables are at one place."""

    dot: Value
    top: Value
    variables: dict[str, Value] = attrs.field(factory=dict[str, Value])
    outer: _Scope | None = None

    def inner(self, dot: Value | None = None) -> _Scope:
        return _Scope(self.dot if dot is None else dot, self.top, {}, self)

    def find(self, name: str) -> Value:
        if not name:
            return self.top
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.variables:
                return scope.variables[name]
            scope = scope.outer
        return UNKNOWN

    def assign(self, name: str, value: Value) -> None:
        """Let a variable be the new value as well: whether the assignment is reached is not known."""
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.variables:
                scope.variables[name] |= value
                return
            scope = scope.outer


class TemplateReader:
    """Reads templates that share their named templates and their values.

    Attributes:
        uses: what the templates were seen to do with the values.
        unseen: named templates that are not there and are given all of the values.
    """

    def __init__(self, definitions: Mapping[str, Sequence[Definition]]) -> None:
        self.uses = Uses()
        self.unseen: set[str] = set()
        self._definitions = definitions
        self._results: dict[tuple[str, Value], Value] = {}
        self._calls: list[str] = []

    def read(self, nodes: Iterable[Node], *, guards: tuple[str, ...] = ()) -> tuple[Piece, ...]:
        """Read a template as Helm runs it, and return what it prints; definitions print nothing."""
        pieces: list[Piece] = []
        self._walk(nodes, _Scope(ROOT, ROOT), guards, pieces)
        return tuple(pieces)

    def _walk(self, nodes: Iterable[Node], scope: _Scope, guards: tuple[str, ...], pieces: list[Piece]) -> None:
        for node in nodes:
            match node:
                case Text(line, text):
                    pieces.append(Piece(line, text, guards=guards))
                case Output(line, expression):
                    value = self._evaluate(expression, scope)
                    pieces.append(Piece(line, None, value, _indent(expression), guards))
                case Assignment(name, expression, declares):
                    value = self._evaluate(expression, scope)
                    if declares:
                        scope.variables[name] = value
                    else:
                        scope.assign(name, value)
                case Block():
                    self._block(node, scope, guards, pieces)
                case Definition():
                    pass

    def _block(self, node: Block, scope: _Scope, guards: tuple[str, ...], pieces: list[Piece]) -> None:
        value = self._evaluate(node.expression, scope)
        conditions = self._conditions(node.expression, scope)
        match node.kind:
            case "range":
                item = self.uses.step(value, ANY)
                inner = scope.inner(item)
                if node.variables:
                    inner.variables[node.variables[-1]] = item
                if len(node.variables) > 1:
                    inner.variables[node.variables[0]] = _keys(value)
            case "with" | "if":
                inner = scope.inner(value if node.kind == "with" else None)
                inner.variables.update(dict.fromkeys(node.variables, value))
        self._walk(node.body, inner, join_guards(guards, conditions), pieces)
        self._walk(node.otherwise, scope.inner(), join_guards(guards, (UNSAID,)), pieces)

    def _conditions(self, expression: Expression, scope: _Scope) -> tuple[str, ...]:
        """Return the guards that stand for the truth of an expression."""
        match expression:
            case Call("and", arguments):
                return join_guards(*(self._conditions(argument, scope) for argument in arguments))
            case _:
                pass
        match [atom for atom in self._evaluate(expression, scope) if not is_empty(atom)]:
            case [Path(steps)] if steps and ANY not in steps:
                return (".".join(steps),)
            case _:
                return (UNSAID,)

    def _evaluate(self, expression: Expression, scope: _Scope) -> Value:
        match expression:
            case Dot():
                return scope.dot
            case Variable(name):
                return scope.find(name)
            case Constant():
                return frozenset({expression})
            case Field(of, names):
                value = self._evaluate(of, scope)
                for name in names[:-1]:
                    value = self.uses.step(value, name, quietly=True)
                return self.uses.step(value, names[-1])
            case Call(function, arguments):
                values = tuple(self._evaluate(argument, scope) for argument in arguments)
                if function == "include":
                    return self._include(*values)
                return self.uses.call(function, values) if function else UNKNOWN

    def _include(self, name: Value = UNKNOWN, given: Value = NIL, *_: Value) -> Value:
        """Return what a named template prints; Unknown is always part of it, since it is text made of pieces."""
        names = sorted(atom.text for atom in name if isinstance(atom, Constant))
        result: Value = UNKNOWN
        if len(names) < len(name):
            self.uses.open(given)
        for known in names:
            if known in self._definitions and self._calls.count(known) < MAX_CALLS:
                result |= self._run(known, given)
                continue
            # It may do anything with what it is given.
            if known not in self._definitions and shows_all(given):
                self.unseen.add(known)
            self.uses.open(given)
            for path in paths_in(given):
                result |= {path, Printed(path.steps)}
        return result

    def _run(self, name: str, given: Value) -> Value:
        done = self._results.get((name, given))
        if done is not None:
            return done
        self._calls.append(name)
        pieces: list[Piece] = []
        for definition in self._definitions[name]:
            self._walk(definition.body, _Scope(given, given), (), pieces)
        self._calls.pop()
        printed = [piece for piece in pieces if piece.text is None or piece.text.strip()]
        result = NIL.union(*(piece.value for piece in printed))
        if len(printed) == 1 and printed[0].text is not None and not printed[0].guards:
            result |= {Constant(printed[0].text.strip())}
        else:
            result = frozenset(atom for atom in result if not isinstance(atom, Constant)) | {Unknown()}
        self._results[name, given] = result
        return result


def definitions_in(nodes: Iterable[Node]) -> Iterable[Definition]:
    """Yield the named templates that a file defines; ``block`` may stand inside another block."""
    for node in nodes:
        match node:
            case Definition(body=body):
                yield node
                yield from definitions_in(body)
            case Block(body=body, otherwise=otherwise):
                yield from definitions_in((*body, *otherwise))
            case _:
                pass


def join_guards(*guards: tuple[str, ...]) -> tuple[str, ...]:
    """Return guards that must all hold, each once, what cannot be said last."""
    every = dict.fromkeys(guard for some in guards for guard in some)
    said = tuple(guard for guard in every if guard != UNSAID)
    return (*said, UNSAID) if UNSAID in every else said


def _indent(expression: Expression) -> int | None:
    match expression:
        case Call("nindent" | "indent", (Constant(text), *_)) if text.isdecimal():
            return int(text)
        case _:
            return None


def _keys(value: Value) -> Value:
    """Return what the keys of a value are: told for a ``dict`` made in the template alone."""
    keys = frozenset(Constant(key) for atom in value if isinstance(atom, Record) for key, _ in atom.items)
    return keys if keys and all(isinstance(atom, Record) for atom in value) else UNKNOWN
