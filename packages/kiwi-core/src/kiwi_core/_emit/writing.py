"""Write values as YAML that every reader takes as it is meant, and late values as template expressions.

Strings, keys too, are JSON-quoted: plain scalars change on their way (``1e3``, ``08``, ``n``). Two readers are in the
way before Helm: the Go template, where the file is one, and helmfile's search for ``ref+`` (values that vals fetches).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from kiwi_core._derive.seeds import CUSTOMER_PURPOSES, CUSTOMER_SCOPE
from kiwi_core._model.late import Credential, External, Late, Pin, Quoted, Text, Value

__all__ = ["IDENTITY", "SEED", "expression", "go_string", "quoted", "variable_of", "yaml_lines", "yaml_text"]

SEED: Final = "MASTER_PASSWORD"
"""The environment variable of the seed, by upstream's name."""

IDENTITY: Final = "KIWISTACK_AGE_IDENTITY"
"""The environment variable that names age's identity file, where plain helmfile decrypts the externals."""

_encode: Final = json.JSONEncoder(ensure_ascii=False).encode

# Those that JSON leaves as they are and YAML or a line-based reader does not: DEL, C1, line separators, the BOM,
# and the noncharacters that YAML's grammar leaves out (YAML 1.2, section 5.1).
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def quoted(text: str) -> str:
    """Return a string as a double-quoted YAML scalar, safe in a Go template and from ``ref+``."""
    written = _encode(text).replace("{{", "\\u007b\\u007b").replace("ref+", "ref\\u002b")
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", written)


def variable_of(late: Credential | External) -> str:
    """Return the environment variable that hands a value over: what ``derivePassword`` gives, or an external.

    It is named after a digest of what it is, since names of credentials are no names of variables.
    """
    if isinstance(late, External):
        what: tuple[str | int, ...] = ("external", late.name)
    else:
        what = (late.scope, late.purpose, late.generation, late.template, *((late.customer,) if late.customer else ()))
    return f"KIWISTACK_{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:24].upper()}"


def go_string(text: str) -> str:
    """Return a string as a literal of a Go template action."""
    written = _encode(text).replace("ref+", "ref\\u002b").replace("{{", "\\u007b\\u007b")
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", written)


def expression(value: Late) -> str:
    """Return a late value as a double-quoted scalar that a template action fills in."""
    if not isinstance(value, Text):
        return f"{{{{ {_pipeline(value)} | toJson }}}}"
    # A brace right before an action would become part of it.
    parts = [
        quoted(part)[1:-1].replace("{", "\\u007b") if isinstance(part, str) else _inner(part) for part in value.segments
    ]
    return f'"{"".join(parts)}"'


def _inner(value: Late) -> str:
    """Return an action that gives a late value as the inside of a quoted scalar."""
    return f'{{{{ {_pipeline(value)} | toJson | trimPrefix "\\"" | trimSuffix "\\"" }}}}'


def _pipeline(value: Late) -> str:
    match value:
        case Pin():
            return _pin(value)
        case Credential():
            names = f"{go_string(value.scope)} {go_string(value.purpose)}"
            derived = f'derivePassword {value.generation} "{value.template}" {_seed_of(value)} {names}'
            # What was handed over counts; derived is it only where it was not, since "or" stops at the first.
            handed = f'or (env "{variable_of(value)}") ({derived})'
            return " | ".join((handed, *map(_step, value.encoding)))
        case External():
            # helmfile runs it in the folder of the values file.
            words = f'"--decrypt" "--identity" (requiredEnv "{IDENTITY}") {go_string(f"../secrets/{value.name}.age")}'
            return f'or (env "{variable_of(value)}") (exec "age" (list {words}))'
        case Quoted():
            # urlquery writes a blank as "+", which is a plus in the user part of a URL.
            return f'{_pipeline(value.value)} | urlquery | replace "+" "%20"'
        case _:
            raise TypeError(f"unknown late value {value!r}")


def _seed_of(value: Credential) -> str:
    """Return what a credential derives from: the seed at hand, or a customer's, as ``customer_seed`` derives it."""
    seed = f'(requiredEnv "{SEED}")'
    if not value.customer:
        return seed
    scope = go_string(f"{CUSTOMER_SCOPE}{value.customer}")
    halves = (f'(derivePassword 1 "maximum" {seed} {scope} {go_string(purpose)})' for purpose in CUSTOMER_PURPOSES)
    return f'(printf "%s%s" {" ".join(halves)} | sha256sum)'


def _step(step: str) -> str:
    name, _, argument = step.partition(":")
    match name:
        case "trunc":
            return f"trunc {argument}"
        case "prefix":
            return f'printf "{argument}%s"'
        case _:
            return name


def _pin(pin: Pin) -> str:
    image = f"(index .Values.images {go_string(pin.name)})"
    match pin.part:
        case "registry" | "repository" | "tag":
            return f"{image}.{pin.part}"
        case "name":
            return f'printf "%s/%s" {image}.registry {image}.repository'
        case "reference":
            return f'printf "%s/%s:%s" {image}.registry {image}.repository {image}.tag'


def yaml_lines(value: Value, indent: int = 0) -> Iterator[str]:
    """Yield the lines of a map or list in block style."""
    pad = "  " * indent
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, Mapping | list | tuple) and item:
                yield f"{pad}{quoted(key)}:"
                yield from yaml_lines(item, indent + 1)
            else:
                yield f"{pad}{quoted(key)}: {_scalar(item)}"
    elif isinstance(value, Sequence):
        for item in value:
            if isinstance(item, Mapping | list | tuple) and item:
                first, *rest = yaml_lines(item, indent + 1)
                yield f"{pad}- {first.lstrip()}"
                yield from rest
            else:
                yield f"{pad}- {_scalar(item)}"


def _scalar(value: Value) -> str:
    match value:
        case Late():
            return expression(value)
        case str():
            return quoted(value)
        case Mapping():
            return "{}"
        case list() | tuple():
            return "[]"
        case float():
            # Without a dot, a number with an exponent is a text to a reader of YAML 1.1.
            digits, exponent, power = json.dumps(value).partition("e")
            return f"{digits}.0e{power}" if exponent and "." not in digits else f"{digits}{exponent}{power}"
        case _:
            return json.dumps(value)


def yaml_text(value: Mapping[str, Value], *, head: str = "") -> bytes:
    """Return a map as a YAML file, with comment lines at its head."""
    body = "\n".join(yaml_lines(value)) if value else "{}"
    return f"{head}{body}\n".encode()
