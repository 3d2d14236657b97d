"""Capture a schema's history from the image that carries it: out of its layers, and never by running it."""

from __future__ import annotations

import configparser
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from kiwi_core._deliver.oci_image import PLATFORM, OciImage, open_image
from kiwi_core._deliver.oci_layers import Found, NotRead, Wanted
from kiwi_core._deliver.oci_tar import Meter
from kiwi_core._deliver.registry import Registries
from kiwi_core._model.alembic_files import MAX_FILE, is_revision_file, parse_revision, read_revisions
from kiwi_core._model.capture import SchemaCapture
from kiwi_core._model.revisions import heads_of
from kiwi_core._model.schema import ORDERED
from kiwi_core.errors import InputError, Problem, Where, raise_all

__all__ = ["capture_image_schema", "find_folder", "revision_files"]

INI: Final = "alembic.ini"
MARK: Final = b"down_revision"
"""Every revision says it; few other files do."""
MOST_SHOWN: Final = 10


def capture_image_schema(
    text: str,
    *,
    folder: str | None = None,
    image: str | None = None,
    tool: str = "alembic",
    version: str | None = None,
    source: str | None = None,
    registries: Registries | None = None,
    platform: str = PLATFORM,
    meter: Meter | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> SchemaCapture:
    """Capture what an image carries: its digests, its revisions, and their heads.

    Args:
        text: the image's reference, or ``oci:FOLDER[:NAME]`` for a layout on this machine.
        folder: the folder of revision files in it; None to look for it.
        image: the repository under which pins name it; None for that of the reference.
        tool: how its versions are told apart.
        version: the version that it brings a database to, where versions are numbers: no file of it says so.
        source: where it was taken from, for the record; the reference by default.
        registries: who is asked.
        platform: which image of an index is read, ``os/architecture``.
        meter: how much is read of it at most.
        say: is told what is being done.

    Raises:
        InputError: there is no such image, it is damaged, or holds no sound history; all problems of it at once.
        ExternalError: a registry does not answer well, or something is not what its digest says.
    """
    if (tool in ORDERED) != (version is not None) or (folder and tool in ORDERED):
        raise InputError(Problem(f"of a {tool} version, the number is recorded; of Alembic's, the folder is read"))
    if version is not None and ORDERED[tool](version) is None:
        raise InputError(Problem(f"{version!r} is no {tool} version"))
    found = open_image(text, registries=registries, platform=platform)
    repository = image or found.repository
    if repository is None:
        raise InputError(Problem(f"{text} does not say under which repository it is pinned", None, "--image ORG/APP"))
    tag = found.tag or found.digests[0]
    revisions: Mapping[str, tuple[str, ...]] = {}
    place = ""
    if version is None:
        place, files = revision_files(found, folder, meter=meter, say=say)
        revisions = read_revisions(files, f"{text}: {place}")
    return SchemaCapture(
        tool=tool,
        image=repository,
        source=source or f"{_bare(text)} {place}".strip(),
        revisions=revisions,
        tags={tag: heads_of(revisions) if version is None else (version,)},
        digests=dict.fromkeys(found.digests, tag),
    )


def revision_files(
    image: OciImage,
    folder: str | None = None,
    *,
    meter: Meter | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[str, Mapping[str, bytes]]:
    """Read the revision files of an image.

    Args:
        image: the image.
        folder: their folder; None to look for it.
        meter: how much is read of it at most.
        say: is told what is being read.

    Returns:
        The folder, and the content of its files by name.

    Raises:
        InputError: there is no such folder or more than one, or a file of it cannot be read without running anything.
        ExternalError: a layer cannot be had, or is another one than its digest says.
    """
    if folder is None:
        wanted = Wanted(folder=None, name=_is_a_trace, content=_is_worth_keeping, largest=MAX_FILE)
        found = image.files(wanted, meter=meter, say=say)
        inside = find_folder(found, image.name)
    else:
        inside = posixpath.normpath(f"/{folder}").lstrip("/")
        found = image.files(Wanted(folder=inside, name=is_revision_file, largest=MAX_FILE), meter=meter, say=say)
    files = {path.rpartition("/")[2]: data for path, data in found.items() if path.rpartition("/")[0] == inside}
    files = {name: data for name, data in files.items() if is_revision_file(name)}
    where = f"{image.name}: /{inside}"
    links = {path: data for path, data in found.items() if f"{inside}/".startswith(f"{path}/")}
    raise_all(InputError, _unread(links, image.name, "name the folder that it leads to: --folder FOLDER"))
    raise_all(InputError, _unread(files, where, "nothing of an image is run, and no link in it followed"))
    if not files:
        raise InputError(Problem("there is no revision file here", Where(where), "--folder names another folder"))
    return f"/{inside}", {name: data for name, data in files.items() if isinstance(data, bytes)}


def find_folder(found: Mapping[str, Found], name: str) -> str:
    """Return the one folder of an image that holds Alembic's revisions, without ``/`` at either end.

    It is the one that an ``alembic.ini`` names in its section ``[alembic]``; where none does, the only one there is.

    Args:
        found: the Python files of the image, and every ``alembic.ini``.
        name: what to call the image in a message.

    Raises:
        InputError: there is none, or more than one.
    """
    candidates = {
        path.rpartition("/")[0]
        for path, data in found.items()
        if isinstance(data, bytes) and MARK in data and not isinstance(parse_revision(data), str)
    }
    named = candidates & {folder for path, data in found.items() for folder in _named(path, data)}
    for folders in (named, candidates):
        if len(folders) == 1:
            return folders.pop()
    if not candidates:
        raise InputError(Problem("there is no folder with Alembic's revisions in it", Where(name), "--folder FOLDER"))
    ordered = sorted(named or candidates)
    more = f" and {len(ordered) - MOST_SHOWN} more" if len(ordered) > MOST_SHOWN else ""
    listed = ", ".join(f"/{folder}" for folder in ordered[:MOST_SHOWN]) + more
    message = f"there are {len(ordered)} folders with Alembic's revisions in them"
    raise InputError(Problem(message, Where(name), f"say which: --folder FOLDER, one of {listed}"))


def _is_a_trace(name: str) -> bool:
    return name == INI or is_revision_file(name)


def _is_worth_keeping(data: bytes) -> bool:
    return MARK in data or b"[alembic]" in data


def _named(path: str, data: Found) -> Iterator[str]:
    """Yield the folders that an ``alembic.ini`` names: where Alembic looks that runs beside it."""
    here, _, name = path.rpartition("/")
    if name != INI or not isinstance(data, bytes):
        return
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(data.decode(errors="replace"))
    except configparser.Error:
        return
    several, one = (parser.get("alembic", key, fallback="") for key in ("version_locations", "script_location"))
    places = [place for place in re.split(r"[\s,;:]+", several) if place] or [f"{one.strip()}/versions"]
    for place in places:
        full = posixpath.join(f"/{here}", place.replace("%(here)s", f"/{here}"))
        yield posixpath.normpath(full).lstrip("/")


def _unread(files: Mapping[str, Found], place: str, hint: str) -> Iterator[Problem]:
    for name, found in sorted(files.items()):
        if isinstance(found, NotRead):
            yield Problem(f"it is {found.why}", Where(f"{place}/{name}"), hint)


def _bare(text: str) -> str:
    """Return a reference without tag and digest: those stand elsewhere in a capture."""
    if text.startswith("oci:"):
        return "an OCI layout"
    name = text.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"
