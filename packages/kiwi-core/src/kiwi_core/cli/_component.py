"""``kiwistack component``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from kiwi_core.errors import InputError, KiwiError, Problem

if TYPE_CHECKING:
    from kiwi_core._model.capture import SchemaCapture
    from kiwi_core.plugins import Installed

__all__ = ["capture_chart", "capture_schema", "list_all"]


@attrs.frozen(kw_only=True)
class Row:
    """One line of the list."""

    kind: str
    distribution: str
    version: str
    uses: list[str]
    offers: list[str]
    problem: str | None


def list_all(*, as_json: bool) -> int:
    """Show every installed component; a broken one is shown as such and stops no other."""
    from kiwi_core.plugins import Plugins

    rows = [_row(item) for item in Plugins().installed()]
    if as_json:
        print(json.dumps([attrs.asdict(row) for row in rows], indent=1))
        return 1 if any(row.problem for row in rows) else 0
    for row in rows:
        print(f"{row.kind:<20} {row.distribution} {row.version}")
        for word, names in (("uses", row.uses), ("offers", row.offers)):
            if names:
                print(f"    {word:<7} {', '.join(names)}")
        if row.problem:
            print(f"    broken  {row.problem}")
    return 1 if any(row.problem for row in rows) else 0


def _row(item: Installed) -> Row:
    """Describe a component as it is by default; one whose settings have no defaults depends on them."""
    from kiwi_core._compose.asking import ask
    from kiwi_core._model.component import Declaration

    uses, offers, problem = ["depends on its settings"], ["depends on its settings"], item.problem
    cls = item.component
    if cls is None:
        uses, offers = [], []
    elif all(field.default is not attrs.NOTHING for field in attrs.fields(cls)):
        who = f"component {item.kind} ({item.distribution} {item.version})"
        try:
            declaration = ask(who, "declare()", lambda: cls().declare(), Declaration)
        except KiwiError as error:
            uses, offers, problem = [], [], error.problems[0]
        else:
            wanted = {use.key for use in declaration.wants}
            found = dict.fromkeys(use.key for release in declaration.releases for use in release.uses)
            uses = [f"{key}{' (wanted)' if key in wanted else ''}" for key in found]
            offers = [offer.kind for offer in declaration.offers]
    return Row(
        kind=item.kind,
        distribution=item.distribution,
        version=item.version,
        uses=uses,
        offers=offers,
        problem=str(problem) if problem else None,
    )


def capture_chart(*, chart: Path, source: str, out: Path) -> int:
    """Write ``<out>/charts/<name>-<version>.json``."""
    from kiwi_core._deliver.capture_chart import capture_chart as capture
    from kiwi_core._deliver.disk import replace_files
    from kiwi_core._model.capture_json import dump_chart

    captured = capture(chart, source=source)
    target = out / "charts" / f"{captured.name}-{captured.version}.json"
    replace_files({target: dump_chart(captured)})
    print(
        f"{target}: {len(captured.images)} images, {len(captured.hard_coded)} hard-coded, {len(captured.open)} open maps"
    )
    return 0


def capture_schema(
    *,
    image: str,
    repository: str | None,
    git: Path | None,
    folder: str | None,
    tags: str,
    tool: str,
    version: str | None,
    platform: str,
    source: str | None,
    out: Path,
    mirrors: Sequence[str],
    insecure: Sequence[str],
    timeout: float,
) -> int:
    """Write ``<out>/schemas/<last part of the image>.json``, or add to what stands there."""
    from kiwi_core._deliver.disk import replace_files
    from kiwi_core._model.capture_json import dump_schema, load_schema
    from kiwi_core._model.capture_merge import merge_schemas

    if git is not None and tool != "alembic":
        raise InputError(Problem(f"--git reads Alembic's revisions, and no {tool} versions"))
    if git is not None:
        captured = _from_git(git, repository or image, folder, tags, source)
    else:
        from kiwi_core._deliver.capture_image import capture_image_schema
        from kiwi_core.cli._registries import registries

        captured = capture_image_schema(
            image,
            folder=folder,
            image=repository,
            tool=tool,
            version=version,
            source=source,
            registries=registries(mirrors, insecure, timeout),
            platform=platform,
            say=lambda text: print(f"{text} …", file=sys.stderr),
        )
        (tag, heads), *_ = captured.tags.items()
        print(f"{tag} ends at {' and '.join(heads)} ({captured.source})")
    target = out / "schemas" / f"{captured.image.rpartition('/')[2]}.json"
    if target.is_file():
        captured = merge_schemas(load_schema(target.read_bytes(), file=str(target)), captured, file=str(target))
    replace_files({target: dump_schema(captured)})
    print(f"{target}: {len(captured.revisions)} revisions at {len(captured.tags)} tags")
    return 0


def _from_git(git: Path, image: str, folder: str | None, tags: str, source: str | None) -> SchemaCapture:
    from kiwi_core._deliver.capture_schema import capture_schema as capture
    from kiwi_core._deliver.oci_source import parse_reference

    reference = parse_reference(image)
    if reference.tag or reference.digest:
        hint = "--tags chooses among the tags of the git repository"
        raise InputError(Problem(f"with --git, {image} names a repository and no tag", None, hint))
    missing = [option for option, said in (("--folder", folder), ("--source", source)) if not said]
    if missing or folder is None or source is None:
        raise InputError(Problem(f"with --git, these are needed, too: {', '.join(missing)}"))
    return capture(git, folder=folder, image=reference.repository, tags=tags, source=source)
