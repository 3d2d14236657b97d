"""``python -m kiwi_core`` is ``kiwistack``."""

from __future__ import annotations

import sys

from kiwi_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
