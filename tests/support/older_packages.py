"""Unpacks packages of an older Debian: `python -m tests.support.older_packages bullseye FOLDER PACKAGE…`.

It needs PYTHONPATH=molecule/shared. Nothing is installed. The package sources are this machine's own, with the other
suite in place of theirs.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.image import read_apt_sources

_LIMIT = 300.0
# A program of an older Debian links with libraries that this machine may have in other versions only.
WRAPPER = """\
#!/bin/sh
root=$(dirname "$(dirname "$(realpath "$0")")")/root
libraries=$(echo "$root"/usr/lib/*-linux-gnu "$root"/lib/*-linux-gnu | tr ' ' :)
LD_LIBRARY_PATH=$libraries exec "$root/usr/bin/{program}" "$@"
"""


def unpack(suite: str, folder: Path, packages: Sequence[str]) -> None:
    """Unpack packages of a suite into `folder`/root."""
    for path in ("apt/lists/partial", "apt/archives/partial", "root"):
        (folder / path).mkdir(parents=True, exist_ok=True)
    apt = (folder / "apt").resolve()
    sources = read_apt_sources(suite)
    if not sources:
        raise SystemExit(f"this machine has no package sources of Debian to read {suite} from")
    # apt knows the format by the end of the name.
    listed = apt / ("older.sources" if "Types:" in sources else "older.list")
    listed.write_text(sources, encoding="utf-8")
    (apt / "status").touch()
    options = {
        "Dir::Etc::sourcelist": listed,
        "Dir::Etc::sourceparts": "-",
        "Dir::State": apt,
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt,
        "APT::Sandbox::User": "root",
        # Its list may be older than it says it holds. Its signature still counts.
        "Acquire::Check-Valid-Until": "false",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    for command in (["update"], ["download", *packages]):
        subprocess.run(["apt-get", "-q", *words, *command], cwd=apt / "archives", check=True, timeout=_LIMIT)
    for package in sorted((apt / "archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, folder / "root"], check=True, timeout=_LIMIT)


def write_wrapper(folder: Path, program: str, name: str) -> None:
    """Make `folder`/bin/`name`, which runs a program that was unpacked with the libraries beside it."""
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(WRAPPER.format(program=program), encoding="utf-8")
    path.chmod(0o755)


def main(arguments: Sequence[str]) -> int:
    suite, folder, *packages = arguments
    unpack(suite, Path(folder), packages)
    write_wrapper(Path(folder), "rsync", "rsync-3.2.3")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
