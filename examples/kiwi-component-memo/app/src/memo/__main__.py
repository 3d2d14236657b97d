"""``python -m memo``."""

from __future__ import annotations

import sys

from memo.cli import main

sys.exit(main())
