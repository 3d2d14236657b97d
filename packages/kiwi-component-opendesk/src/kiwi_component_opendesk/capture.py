"""Read the facts of openDesk from a git repository: ``python -m kiwi_component_opendesk.capture``.

Nothing is rendered and nothing is checked out: the files of a revision are read as they stand. What comes out holds
facts only (names, pins, the inputs of derivations), no code of upstream's.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from kiwi_core.errors import KiwiError

from kiwi_component_opendesk._capture.checkout import Checkout
from kiwi_component_opendesk._capture.collect import collect

__all__ = ["capture", "main"]


def capture(repository: Path, revision: str, without: Sequence[str] = ()) -> bytes:
    """Return the facts of a revision as the file that is shipped.

    Args:
        repository: a git directory.
        revision: what names the commit.
        without: apps that the repository has beyond upstream, and what else the names of their things begin with.

    Raises:
        InputError: something at the revision is not understood.
        ExternalError: git fails.
    """
    facts = collect(Checkout(repository, revision), without)
    return (json.dumps(facts, ensure_ascii=False, indent=1) + "\n").encode()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m kiwi_component_opendesk.capture", description="Read openDesk's facts from a git repository."
    )
    parser.add_argument("repository", type=Path, metavar="GIT_REPOSITORY", help="a git directory that has openDesk")
    parser.add_argument("--revision", required=True, help="the revision to read")
    parser.add_argument("--out", required=True, type=Path, help="the file to write")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="WORD",
        help="an app that the repository has beyond openDesk; its pins and secrets, whose names begin so, go with it",
    )
    chosen = parser.parse_args(arguments)
    try:
        found = capture(chosen.repository, chosen.revision, chosen.without)
        chosen.out.write_bytes(found)
    except KiwiError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"{chosen.out}: {error.strerror}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
