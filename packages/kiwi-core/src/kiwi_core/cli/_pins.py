"""``kiwistack pins``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kiwi_core._model.lane import Lane
from kiwi_core.errors import InputError, PinError, Problem

__all__ = ["bump"]


def bump(*, path: Path, lane: str | None, charts: Sequence[str], images: Sequence[str]) -> int:
    """Set pins in both files, in place; both are written, or neither."""
    from kiwi_core import _engine as engine
    from kiwi_core._deliver.pin_files import bump_pins

    chosen = {"charts": _pairs("--chart", charts), "images": _pairs("--image", images)}
    if not any(chosen.values()):
        raise InputError(Problem("no pin was named", hint="--image NAME=TAG@sha256:… or --chart NAME=VERSION"))
    template, default = engine.template_of(path)
    for line in bump_pins(template, Lane(lane) if lane else default, charts=chosen["charts"], images=chosen["images"]):
        print(line)
    return 0


def _pairs(option: str, words: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or not value:
            raise PinError(Problem(f"{option} {word!r} is no NAME=VALUE"))
        pairs[name] = value
    return pairs
