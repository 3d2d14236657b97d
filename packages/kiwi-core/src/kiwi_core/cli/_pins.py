"""``kiwistack pins``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kiwi_core import _engine as engine
from kiwi_core._model.lane import Lane
from kiwi_core.cli._registries import pairs, registries
from kiwi_core.errors import InputError, Problem

if TYPE_CHECKING:
    from kiwi_core._deliver.pin_lock import Kind, PinName
    from kiwi_core._deliver.registry import Registries
    from kiwi_core._spec.repo import Repo

__all__ = ["bump", "lock", "outdated", "show"]

FEW: Final = 3
"""How many names a line takes."""


def show(*, path: Path, lane: str | None, as_json: bool) -> int:
    """List what the tenant runs: pinned, not pinned, and the pins that nothing uses."""
    import attrs

    from kiwi_core._contract.pin_uses import pin_uses, unpinned, unused_pins

    stack = engine.load(path, _lane(lane)).stack
    pins, others, unused = list(pin_uses(stack)), list(unpinned(stack)), unused_pins(stack)
    if as_json:
        report = {"lane": stack.lane.value, "unused": unused}
        rows = {"pins": [attrs.asdict(pin) for pin in pins], "unpinned": [attrs.asdict(other) for other in others]}
        print(json.dumps({**report, **rows}, indent=1))
        return 0
    for pin in pins:
        digest = pin.digest or ("no digest" if pin.is_oci else "no digest in a classic Helm repository")
        print(f"{pin.kind[:-1]} {pin.name}: {pin.reference} ({pin.where})")
        print(f"    {'a local folder stands in for it' if pin.is_local else digest}; in {', '.join(pin.releases)}")
    for other in others:
        print(
            f"not pinned: {other.image} in {other.release}: {other.how}{f' ({other.reason})' if other.reason else ''}"
        )
    images = sum(pin.kind == "images" for pin in pins)
    open_ones = sum(pin.digest is None and pin.is_oci and not pin.is_local for pin in pins)
    print(f"lane {stack.lane}: {images} images, {len(pins) - images} charts; {open_ones} without digest", end="")
    print(" (kiwistack pins lock)" if open_ones else "")
    if unused:
        # A template has the pins of all that its customers may choose.
        more = f" and {len(unused) - FEW} more (--json lists them)" if len(unused) > FEW else ""
        print(f"{len(unused)} pins are not used here: {', '.join(unused[:FEW])}{more}")
    return 0


def bump(
    *,
    path: Path,
    lane: str | None,
    charts: Sequence[str],
    images: Sequence[str],
    no_commit: bool,
    check_registry: bool,
    mirrors: Sequence[str],
    insecure: Sequence[str],
    timeout: float,
) -> int:
    """Set pins in both files, in place and in one commit; both are written, or neither."""
    chosen: dict[Kind, dict[str, str]] = {"charts": pairs("--chart", charts), "images": pairs("--image", images)}
    if not any(chosen.values()):
        raise InputError(Problem("no pin was named", hint="--image NAME=TAG@sha256:… or --chart NAME=VERSION"))
    from kiwi_core._spec.convert import Converter
    from kiwi_core._spec.repo import find_repo

    repo = find_repo(path, Converter())
    asked = registries(mirrors, insecure, timeout, repo.settings) if check_registry else None
    return _write("Bump", repo, _lane(lane), chosen, asked=asked, commit=not no_commit)


def lock(
    *,
    path: Path,
    lane: str | None,
    charts: Sequence[str],
    images: Sequence[str],
    everything: bool,
    repin: bool,
    no_commit: bool,
    mirrors: Sequence[str],
    insecure: Sequence[str],
    timeout: float,
) -> int:
    """Pin by the digests that the registries answer; a digest that stands there is compared with theirs."""
    from kiwi_core._contract.pin_uses import pin_uses
    from kiwi_core._deliver.pin_lock import find_digests

    project = engine.load(path, _lane(lane))
    files = project.stack.inputs.pins
    wanted: list[PinName] = [*(("charts", name) for name in charts), *(("images", name) for name in images)]
    if not wanted:
        used = [pin for pin in pin_uses(project.stack) if pin.is_oci and not pin.is_local]
        wanted = [(pin.kind, pin.name) for pin in used if everything or pin.digest is None]
    found = find_digests(files, wanted, registries(mirrors, insecure, timeout, project.repo.settings), repin=repin)
    print(f"{len(wanted)} pins were asked for, {len(wanted) - len(found)} are as their registries have them")
    chosen: dict[Kind, dict[str, str]] = {"charts": {}, "images": {}}
    for (kind, name), digest in found.items():
        pin = files.pins.charts[name] if kind == "charts" else files.pins.images[name]
        chosen[kind][name] = f"{pin.version}@{digest}"
    if not found:
        return 0
    return _write("Lock", project.repo, project.stack.lane, chosen, commit=not no_commit)


def outdated(
    *, path: Path, lane: str | None, mirrors: Sequence[str], insecure: Sequence[str], timeout: float, as_json: bool
) -> int:
    """List the newer versions of what the tenant runs; a registry that fails hides no other."""
    from kiwi_core._contract.pin_uses import pin_uses
    from kiwi_core._deliver.pin_lock import find_newer, raise_failures

    project = engine.load(path, _lane(lane))
    wanted: list[PinName] = [(pin.kind, pin.name) for pin in pin_uses(project.stack) if not pin.is_local]
    rows = find_newer(project.stack.inputs.pins, wanted, registries(mirrors, insecure, timeout, project.repo.settings))
    if as_json:
        report = [
            {
                "kind": row.kind,
                "name": row.name,
                "version": row.version,
                "newer": list(row.versions),
                "where": f"{row.where.file}:{row.where.line}",
                "problem": str(row.problem) if row.problem else None,
            }
            for row in rows
        ]
        print(json.dumps(report, indent=1))
    else:
        for row in rows:
            if row.versions:
                print(f"{row.kind[:-1]} {row.name}: {row.version} → {row.versions[-1]} ({_newer(row.versions)})")
        current = sum(not row.versions and row.problem is None for row in rows)
        print(f"{len(rows)} pins: {current} are the newest of their form")
    raise_failures([row.problem for row in rows if row.problem])
    return 0


def _newer(versions: Sequence[str]) -> str:
    """Say how many versions there are between, with their names where they are few."""
    between = versions[:-1]
    if not between:
        return "nothing between"
    return f"between: {', '.join(between)}" if len(between) <= FEW else f"{len(between)} between"


def _lane(name: str | None) -> Lane | None:
    return Lane(name) if name else None


def _write(
    verb: str,
    repo: Repo,
    lane: Lane | None,
    chosen: Mapping[Kind, Mapping[str, str]],
    *,
    commit: bool,
    asked: Registries | None = None,
) -> int:
    """Edit the pin files, in one commit where git keeps them; what is wrong is found before anything is written."""
    from kiwi_core._deliver.disk import replace_files
    from kiwi_core._deliver.pin_commit import commit_pins, why_no_commit
    from kiwi_core._deliver.pin_files import edit_pins
    from kiwi_core._spec.convert import Converter
    from kiwi_core._spec.template import pin_file, read_pins

    lane = lane or repo.settings.lane
    files, lines = edit_pins(repo.template, lane, charts=chosen["charts"], images=chosen["images"])
    paths = [pin_file(repo.template, lane, name) for name in ("charts", "images")]
    reason = why_no_commit(paths) if files and commit else "--no-commit"
    if asked is not None:
        from kiwi_core._deliver.pin_lock import find_digests

        edited = read_pins(repo.template, lane, Converter(), instead=files)
        find_digests(edited, [(kind, name) for kind, names in chosen.items() for name in names], asked)
    moved = [line for line in lines if "→" in line]
    if not files:
        end = "nothing to change"
    elif reason is not None:
        replace_files(files)
        end = f"not committed: {reason}"
    else:
        names = [name for kind in chosen.values() for name in kind]
        title = f"{verb} {', '.join(names)}" if len(names) <= FEW else f"{verb} {len(names)} pins of lane {lane}"
        end = f"committed as {commit_pins(files, paths, title=title, lines=moved)}"
    print("\n".join((*lines, end)))
    return 0
