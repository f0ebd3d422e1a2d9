"""Runs on the FTP host during the fault tests and counts how many copiers and rsyncs a share has at the same time.

It writes the highest numbers to `/var/tmp/copiers/<id>`. The name of a unit shows only that there is one unit; this
shows that there is one process, whoever started it.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from pathlib import Path

FOLDER = Path("/var/tmp/copiers")
STAGING = re.compile(r"/data/\.tempoftp/staging/([^/]+)/data/")
INTERVAL = 0.05


def read_process(folder: Path) -> tuple[list[str], str, str]:
    """Return a process's arguments, its parent and its group."""
    words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
    _, _, rest = (folder / "stat").read_text().rpartition(")")
    _state, parent, group, *_ = rest.split()
    return words, parent, group


def count_now() -> dict[str, tuple[int, int]]:
    """Return how many copiers and copying rsyncs each share has."""
    copiers: dict[str, dict[str, str]] = defaultdict(dict)
    rsyncs: dict[str, set[str]] = defaultdict(set)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words, parent, group = read_process(folder)
        except (OSError, ValueError):
            continue
        if len(words) == 4 and words[2].startswith("/data/.tempoftp/lib/") and words[2].endswith("/copy"):
            copiers[words[3]][folder.name] = parent
        elif words and words[0] == "rsync" and "--dry-run" not in words:
            found = STAGING.fullmatch(words[-1])
            if found:
                rsyncs[found[1]].add(group)
    return {
        # Between fork and exec a child looks like its parent.
        name: (sum(parent not in copiers[name] for parent in copiers[name].values()), len(rsyncs[name]))
        for name in copiers.keys() | rsyncs.keys()
    }


def main() -> None:
    """Count until it is killed."""
    most: dict[str, tuple[int, int]] = {}
    while True:
        for name, (copiers, groups) in count_now().items():
            before = most.get(name, (0, 0))
            now = (max(before[0], copiers), max(before[1], groups))
            if now != before:
                most[name] = now
                (FOLDER / name).write_text(f"{now[0]} {now[1]}\n")
        time.sleep(INTERVAL)


if __name__ == "__main__":
    main()
