"""The ``kiwistack`` command: parse, call, print, exit.

Exit codes: 0 done, 1 findings, 2 wrong input, 3 an outside program failed, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kiwi_core import __version__

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: the words behind ``kiwistack``; those of the process by default.

    Returns:
        The exit code.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words == ["--version"]:
        print(f"kiwistack {__version__}")
        return 0
    from kiwi_core.cli._parser import parse
    from kiwi_core.errors import KiwiError

    try:
        command = parse(words)
        return command()
    except KiwiError as error:
        print_problems(error)
        return error.exit_code
    except KeyboardInterrupt:
        print("kiwistack: interrupted; nothing half written is left", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader went away (kiwistack explain | head); what is left to print has nowhere to go.
        sys.stderr.close()
        return 0


def print_problems(error: BaseException) -> None:
    """Print every problem of an error to stderr."""
    from kiwi_core.errors import KiwiError

    problems = error.problems if isinstance(error, KiwiError) else ()
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if len(problems) > 1:
        print(f"{len(problems)} problems", file=sys.stderr)
