"""Makes the collection, the playbooks' filters, `deploy/` and the tests' own `rendering` importable."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
sys.path[:0] = [
    str(HERE),
    str(PROJECT / "collections"),
    str(PROJECT / "playbooks" / "filter_plugins"),
    str(PROJECT / "deploy"),
]
