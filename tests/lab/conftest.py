"""The lab's package is not installed (it runs before any venv exists): make it importable here."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "molecule" / "shared"), str(HERE)]
