#!/usr/bin/env python3
"""Pack what a service host needs of this project into one tar, the same bytes for the same files.

    pack_project.py PROJECT TARFILE      prints the SHA-256 of the tar

Owners, times and modes of the checkout are left out, so that only a change of content makes another release.
"""

from __future__ import annotations

import hashlib
import sys
import tarfile
from pathlib import Path

PARTS = (
    "service",
    "collections/ansible_collections/lanot",
    "playbooks",
    "docs/man_pages.py",
    "pyproject.toml",
    "requirements.lock",
    "requirements-build.lock",
    "README.md",
    "LICENSE",
)
LEFT_OUT = frozenset({"__pycache__", "output", ".ansible", ".hypothesis"})


def list_missing(project: Path) -> list[str]:
    """Return the parts that are missing in the folder. A checkout has all of them."""
    return [part for part in PARTS if not (project / part).exists()]


def list_files(project: Path) -> list[Path]:
    """Return the files of the release, relative to the project, in a fixed order."""
    found: list[Path] = []
    for part in PARTS:
        path = project / part
        found += [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    kept = (file.relative_to(project) for file in found if file.suffix != ".pyc")
    return sorted(
        file
        for file in kept
        if not LEFT_OUT & set(file.parts) and not any(p.endswith(".egg-info") for p in file.parts)
    )


def pack(project: Path, target: Path) -> str:
    """Write the tar and return its SHA-256."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for file in list_files(project):
            info = tarfile.TarInfo(file.as_posix())
            content = (project / file).read_bytes()
            info.size = len(content)
            info.mode = 0o644
            with (project / file).open("rb") as stream:
                tar.addfile(info, stream)
    return hashlib.sha256(target.read_bytes()).hexdigest()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} PROJECT TARFILE")
    if missing := list_missing(Path(sys.argv[1])):
        sys.exit(
            f"{sys.argv[1]} is no checkout of tempoftp, it has no {', '.join(missing)}: "
            "set service_project_dir to a checkout"
        )
    sys.stdout.write(pack(Path(sys.argv[1]), Path(sys.argv[2])) + "\n")
