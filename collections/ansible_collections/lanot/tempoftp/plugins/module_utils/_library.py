# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts the copier on the FTP host: a package of the standard library only, in ``lib/<content hash>/``.

A unit outlives the module that started it, and an upgrade must not change a program under a running copy: so every
content has a folder of its own, which appears in one rename.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Optional

# Imported so that Ansible sends them along; what the copier imports they import themselves.
from . import _copier, _purge  # noqa: F401
from ._errors import TempoftpError
from ._tree import Tree

PACKAGE = "tempoftp_copier"
FILES = (
    "_bind.py",
    "_checksums.py",
    "_clock.py",
    "_commands.py",
    "_copier.py",
    "_copy_errors.py",
    "_copy_meter.py",
    "_copy_passes.py",
    "_copy_report.py",
    "_errors.py",
    "_homes.py",
    "_local.py",
    "_lock.py",
    "_manifest.py",
    "_mounts.py",
    "_names.py",
    "_purge.py",
    "_reflink.py",
    "_reuse.py",
    "_rsync.py",
    "_space.py",
    "_ssh.py",
    "_staging.py",
    "_status.py",
    "_stream.py",
    "_tree.py",
)
COPY, PURGE = "copy", "purge"
# The root is found from where the program lies: lib/<hash>/copy/__main__.py.
_ENTRY = """import sys
from pathlib import Path

here = Path(__file__).resolve()
sys.path.insert(0, str(here.parents[1]))
from {package}.{module} import {function}

sys.exit({function}(here.parents[4], sys.argv[1]))
"""
_ENTRIES = {COPY: ("_copier", "copy_share"), PURGE: ("_purge", "purge_share")}
_PYTHON = "/usr/bin/python3"


def read_library() -> dict[str, bytes]:
    """Return every file of the copier by its path below ``lib/<hash>/``."""
    files = read_package(PACKAGE, FILES)
    for folder, (module, function) in _ENTRIES.items():
        entry = _ENTRY.format(package=PACKAGE, module=module, function=function)
        files[f"{folder}/__main__.py"] = entry.encode("ascii")
    return files


def read_package(package: str, names: Iterable[str]) -> dict[str, bytes]:
    """Return files beside this one as those of a package, by their paths below ``lib/<hash>/``."""
    files = {f"{package}/__init__.py": b""}
    files.update((f"{package}/{name}", _read_source(name)) for name in names)
    return files


def _read_source(name: str) -> bytes:
    """Return a file beside this one, which may lie in the archive that Ansible sent."""
    loader = getattr(_copier.__spec__, "loader", None)
    try:
        return bytes(loader.get_data(str(Path(_copier.__file__).with_name(name))))  # type: ignore[union-attr]
    except (AttributeError, OSError):
        raise TempoftpError(f"{name} did not come along with the module: reinstall the collection") from None


def name_library(files: Optional[dict[str, bytes]] = None) -> str:
    """Return what this release's folder below ``lib/`` is called: by its content."""
    content = read_library() if files is None else files
    digest = hashlib.sha256()
    for name in sorted(content):
        digest.update(f"{name}\0{len(content[name])}\0".encode("ascii") + content[name])
    return digest.hexdigest()[:16]


def install_library(tree: Tree) -> Path:
    """Write the copier unless it is there; return its folder."""
    return install_files(tree, read_library())


def install_files(tree: Tree, files: dict[str, bytes]) -> Path:
    """Write a library unless it is there; return its folder, whose time says when it was last wanted."""
    target = tree.lib / name_library(files)
    if target.is_dir():
        os.utime(target)
        return target
    temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=tree.lib))
    try:
        for name, content in files.items():
            path = temporary / name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _write_durably(path, content)
        temporary.rename(target)
    except OSError as error:
        # Another run was faster: its content is the same.
        if not target.is_dir():
            raise TempoftpError(f"{target} could not be written: {error.strerror}") from None
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
    return target


def _write_durably(path: Path, content: bytes) -> None:
    """A power loss must not leave an empty program under the name of its content."""
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def build_program_argv(library: Path, entry: str, share_id: str) -> list[str]:
    """Return how the copier is started: isolated from the environment, with nothing but an id."""
    python = _PYTHON if os.access(_PYTHON, os.X_OK) else sys.executable
    return [python, "-IS", str(library / entry), share_id]
