"""The testbed's own cluster: ``python tests/cluster.py up``, ``down`` or ``status``, as root; see docs/testbed.md."""

from __future__ import annotations

import sys

from testbed.cluster import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
