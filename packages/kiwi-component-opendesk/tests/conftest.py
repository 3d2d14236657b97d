"""Makes importable what the tests of this folder share: in pytest's import mode a test sees no module beside it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
