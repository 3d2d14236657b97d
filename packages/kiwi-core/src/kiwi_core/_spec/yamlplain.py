"""Plain YAML scalars: taken only where every reader agrees on what they mean.

What is read here ends in Helm, by way of Go's YAML library, and is written by people who think of YAML 1.2. A plain
scalar is read as YAML 1.2's core schema says (chapter 10.3), when YAML 1.1 (https://yaml.org/type/) and Go's YAML
(``resolve.go`` of go-yaml 2, which Helm uses through sigs.k8s.io/yaml) read the same. Every other one is refused.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn

__all__ = ["UnclearError", "read_plain"]

_EXACT: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")

_WORDS: Final = {
    **dict.fromkeys(("yes", "y", "on", "true"), "true"),
    **dict.fromkeys(("no", "n", "off", "false"), "false"),
    "null": "null",
    "<<": "a merge key",
    "=": "a default key",
    **dict.fromkeys((".inf", "+.inf", "-.inf"), "infinity"),
    ".nan": "not a number",
}
_BASED: Final = re.compile(r"[-+]?0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_OCTAL: Final = re.compile(r"[-+]?0[0-7]+")
_DECIMAL: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SEXAGESIMAL: Final = re.compile(r"[-+]?[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?")
_DATE: Final = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?)?"
)
# Longer ones are no numbers that anybody means, and cost time to turn into one.
_MAX_DIGITS: Final = 400


class UnclearError(ValueError):
    """A plain scalar that must be quoted."""


def read_plain(text: str) -> str | int | float | bool | None:
    """Return what a plain scalar means.

    Raises:
        UnclearError: readers disagree; the message names two readings.
    """
    if text in _EXACT:
        return _EXACT[text]
    if _INTEGER.fullmatch(text):
        # The reader of the file refuses what is too large; here it need only be seen as such.
        return int(text[:_MAX_DIGITS])
    if _FLOAT.fullmatch(text):
        return float(text)
    word = _WORDS.get(text.lower())
    if word:
        _refuse(text, word, f"the text {text!r}")
    digits = text.replace("_", "")
    if _BASED.fullmatch(digits):
        _refuse(text, f"the number {int(digits, 0)}", f"the text {text!r}")
    if _OCTAL.fullmatch(digits):
        other = f"the number {int(digits)}" if int(digits) != int(digits, 8) else f"the text {text!r}"
        _refuse(text, f"the number {int(digits, 8)}", other)
    if _DECIMAL.fullmatch(digits):
        _refuse(text, f"the number {digits.lstrip('+')}", f"the text {text!r}")
    if _SEXAGESIMAL.fullmatch(digits):
        _refuse(text, "a number to the base 60", f"the text {text!r}")
    if _DATE.fullmatch(text):
        _refuse(text, "a date", f"the text {text!r}")
    return text


def _refuse(text: str, first: str, second: str) -> NoReturn:
    raise UnclearError(f"{text!r} is ambiguous: one reader of YAML takes it for {first}, another for {second}")
