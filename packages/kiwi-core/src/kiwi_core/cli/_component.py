"""``kiwistack component``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from kiwi_core.errors import KiwiError

if TYPE_CHECKING:
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


def capture_schema(*, repository: Path, folder: str, image: str, tags: str, source: str, out: Path) -> int:
    """Write ``<out>/schemas/<last part of the image>.json``."""
    from kiwi_core._deliver.capture_schema import capture_schema as capture
    from kiwi_core._deliver.disk import replace_files
    from kiwi_core._model.capture_json import dump_schema

    captured = capture(repository, folder=folder, image=image, tags=tags, source=source)
    target = out / "schemas" / f"{image.rpartition('/')[2]}.json"
    replace_files({target: dump_schema(captured)})
    print(f"{target}: {len(captured.revisions)} revisions at {len(captured.tags)} tags")
    return 0
