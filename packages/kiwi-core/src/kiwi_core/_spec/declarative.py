"""Python specs as declarations: what one may hold, and the line of each part of what it declares.

Works on the syntax alone; nothing is run.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from kiwi_core._spec.document import no_lines
from kiwi_core.errors import Problem, Where

if TYPE_CHECKING:
    from kiwi_core._spec.document import Lines, Steps

__all__ = ["assigned", "lines", "problems"]

_HINT: Final = (
    "a spec holds imports and assignments: of constants, names, lists, dicts and calls such as Tenant(slug=…)"
)
_WORDS: Final[dict[type[ast.AST], str]] = {
    ast.If: "an if",
    ast.For: "a loop",
    ast.AsyncFor: "a loop",
    ast.While: "a loop",
    ast.FunctionDef: "a function",
    ast.AsyncFunctionDef: "a function",
    ast.ClassDef: "a class",
    ast.With: "a with",
    ast.AsyncWith: "a with",
    ast.Try: "a try",
    ast.TryStar: "a try",
    ast.Match: "a match",
    ast.Delete: "a del",
    ast.Raise: "a raise",
    ast.Assert: "an assert",
    ast.Pass: "a pass",
    ast.Global: "a global",
    ast.AugAssign: "an assignment with an operator",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.JoinedStr: "an f-string",
    ast.BinOp: "an operator",
    ast.BoolOp: "an operator",
    ast.UnaryOp: "an operator",
    ast.Compare: "a comparison",
    ast.IfExp: "an if",
    ast.Lambda: "a lambda",
    ast.NamedExpr: "an assignment within an expression",
    ast.Subscript: "an index",
    ast.Starred: "an unpacking with *",
    ast.Attribute: "an attribute of something other than a name",
    ast.Expr: "an expression that is not assigned",
}
# What an annotation may be made of: it is evaluated, too.
_ANNOTATION: Final = (
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Constant,
    ast.Tuple,
    ast.List,
    ast.BinOp,
    ast.BitOr,
    ast.expr_context,
)


def problems(source: str, file: str) -> tuple[Problem, ...]:
    """Return everything in a Python spec that is no declaration, in the order of lines.

    Args:
        source: the text of the spec.
        file: what the user calls it.
    """
    tree = _parse(source)
    if isinstance(tree, Exception):
        line = tree.lineno if isinstance(tree, SyntaxError) else None
        is_too_deep = isinstance(tree, RecursionError | MemoryError)
        message = "it is nested too deeply" if is_too_deep else getattr(tree, "msg", str(tree))
        return (Problem(f"this is no Python: {message}", Where(file, line)),)
    body = tree.body[1:] if ast.get_docstring(tree, clean=False) is not None else tree.body
    found = [(node.lineno, message) for statement in body for node, message in _statement(statement)]
    return tuple(
        Problem(f"found {message}, expected a declaration", Where(file, line), _HINT) for line, message in sorted(found)
    )


def lines(source: str, name: str) -> Lines:
    """Return the lines of the value that a Python spec assigns to a name.

    A step is a keyword of a constructor, a key of a dict, or a position in a list; names are followed to what they
    were assigned. Positional arguments have no path.

    Args:
        source: the text of the spec.
        name: the name at the top level.
    """
    tree = _parse(source)
    if isinstance(tree, Exception):
        return no_lines
    values = _values(tree)

    def line(path: Steps) -> int | None:
        place = values.get(name)
        for step in path:
            place = place and _child(_resolve(place[1], values), step)
        return place and place[0]

    return line


def assigned(source: str) -> tuple[str, ...]:
    """Return the names that a Python spec assigns at its top level; imported ones are not among them.

    Args:
        source: the text of the spec.
    """
    tree = _parse(source)
    return () if isinstance(tree, Exception) else tuple(_values(tree))


def _parse(source: str) -> ast.Module | Exception:
    try:
        with warnings.catch_warnings():
            # Running the spec warns as well.
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error


def _values(tree: ast.Module) -> dict[str, tuple[int, ast.expr]]:
    """Return the line and the value that each name at the top level was last assigned."""
    values: dict[str, tuple[int, ast.expr]] = {}
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=targets, value=value):
                values |= {target.id: (statement.lineno, value) for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                values[name] = (statement.lineno, value)
            case _:
                pass
    return values


def _resolve(node: ast.expr, values: dict[str, tuple[int, ast.expr]]) -> ast.expr:
    # Bounded, since a name may be assigned to itself.
    for _ in values:
        if isinstance(node, ast.Name) and node.id in values:
            _, node = values[node.id]
    return node


def _child(node: ast.expr, step: str | int) -> tuple[int, ast.expr] | None:
    """Return the line and the value of one step below a value."""
    match node:
        case ast.Call(keywords=keywords) if isinstance(step, str):
            return next(((word.lineno, word.value) for word in keywords if word.arg == step), None)
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return next(
                ((key.lineno, value) for key, value in pairs if isinstance(key, ast.Constant) and key.value == step),
                None,
            )
        case ast.Tuple(elts=items) | ast.List(elts=items) if isinstance(step, int) and step < len(items):
            return items[step].lineno, items[step]
        case _:
            return None


def _statement(node: ast.stmt) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    match node:
        case ast.Import():
            pass
        case ast.ImportFrom(level=level) if level:
            yield node, "a relative import"
        case ast.ImportFrom(names=names):
            if any(alias.name == "*" for alias in names):
                yield node, "an import of everything (*)"
        case ast.Assign(targets=targets, value=value):
            yield from _targets(targets)
            yield from _value(value)
        case ast.AnnAssign(target=target, annotation=annotation, value=value):
            yield from _targets([target])
            if not all(isinstance(part, _ANNOTATION) for part in ast.walk(annotation)):
                yield annotation, "an annotation that is no type"
            if value is not None:
                yield from _value(value)
        case _:
            yield node, _words(node)


def _targets(nodes: list[ast.expr]) -> Iterator[tuple[ast.expr, str]]:
    for node in nodes:
        if not isinstance(node, ast.Name):
            yield node, "an assignment to something other than a name"


def _value(node: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    match node:
        case ast.Constant() | ast.Name():
            pass
        case ast.Attribute() if _is_dotted(node):
            pass
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            for item in items:
                yield from _value(item)
        case ast.Dict():
            for key, value in zip(node.keys, node.values, strict=True):
                if key is None:
                    yield value, "an unpacking with **"
                else:
                    yield from _value(key)
                yield from _value(value)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            pass
        case ast.Call():
            yield from _call(node)
        case _:
            yield node, _words(node)


def _call(node: ast.Call) -> Iterator[tuple[ast.expr, str]]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if not _is_dotted(node.func):
        yield node, "a call of something other than a name"
    elif not name.lstrip("_")[:1].isupper():
        yield node, f"a call of {name}(), which is no constructor"
    for argument in node.args:
        yield from _value(argument)
    for keyword in node.keywords:
        if keyword.arg is None:
            yield keyword.value, "an unpacking with **"
        yield from _value(keyword.value)


def _is_dotted(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _words(node: ast.AST) -> str:
    return _WORDS.get(type(node), f"{type(node).__name__.lower()}")
