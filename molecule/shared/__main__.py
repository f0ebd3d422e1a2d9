"""Runs a program of this folder: `python3 molecule/shared lab|control|demo …`.

Python puts this folder on its path, so the programs can import each other. `lab` runs before any venv exists, so only
the named program is imported.
"""

import sys
from importlib import import_module

PROGRAMS = ("lab", "control", "demo")


def main() -> int:
    """Run the program that the first argument names, with the arguments after it; return its exit status."""
    if len(sys.argv) < 2 or sys.argv[1] not in PROGRAMS:
        print(f"usage: python3 molecule/shared {'|'.join(PROGRAMS)} …", file=sys.stderr)
        return 2
    sys.argv = sys.argv[1:]
    return int(import_module(f"{sys.argv[0]}.cli").main() or 0)


if __name__ == "__main__":
    sys.exit(main())
