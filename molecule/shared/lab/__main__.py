"""Entry point of `python3 molecule/shared/lab …`: makes this folder importable as the package `lab`."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from lab.cli import main  # noqa: E402 (the path has to be set first)

if __name__ == "__main__":
    sys.exit(main())
