# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs the copier on the FTP host, in ``lib/<content hash>/``. It uses only Python's standard library.

A unit outlives the module that started it, and an upgrade must not change the program of a running copy. So every
version has its own folder, named by a hash of its content, which appears in one rename.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Optional

# These are imported so that Ansible sends them to the host, together with all modules that they import.
from .._copy import copier
from .._host.errors import TempoftpError
from .._host.tree import Tree
from . import trash

PACKAGE = "tempoftp_copier"
COPY, PURGE = "copy", "purge"
# The root is found from where the program lies: lib/<hash>/copy/__main__.py.
_ENTRY = """import sys
from pathlib import Path

here = Path(__file__).resolve()
sys.path.insert(0, str(here.parents[1]))
from {package}.{module} import {function}

sys.exit({function}(here.parents[4], sys.argv[1]))
"""
_ENTRIES = {COPY: copier.copy_share, PURGE: trash.purge_share}
_ROOMS = __name__.rsplit(".", 2)[0]
_PYTHON = "/usr/bin/python3"
_IMPORT = re.compile(r"^\s*from (\.+)([\w.]*) import (?:\(([\w,\s]*)\)|([\w, ]*))", re.MULTILINE)


def read_library() -> dict[str, bytes]:
    """Return every file of the copier by its path below ``lib/<hash>/``."""
    modules = [function.__module__[len(_ROOMS) + 1 :] for function in _ENTRIES.values()]
    files = read_package(PACKAGE, modules)
    for (folder, function), module in zip(_ENTRIES.items(), modules):
        entry = _ENTRY.format(package=PACKAGE, module=module, function=function.__name__)
        files[f"{folder}/__main__.py"] = entry.encode("ascii")
    return files


def read_package(package: str, modules: list[str]) -> dict[str, bytes]:
    """Return modules of ``module_utils`` and all that they import there, by their paths below ``lib/<hash>/``.

    *modules*: dotted names below ``module_utils``. Relative imports are ours; the host has all others.
    """
    files = {f"{package}/__init__.py": b""}
    todo = list(modules)
    while todo:
        module = todo.pop()
        path = f"{package}/{module.replace('.', '/')}.py"
        if path not in files:
            files[path] = _read_source(module)
            room = module.rpartition(".")[0]
            files[f"{package}/{room}/__init__.py"] = b""
            todo += find_imports(files[path].decode("utf-8"), room)
    return files


def find_imports(source: str, room: str) -> list[str]:
    """Return the modules that a module of this room imports, as dotted names below ``module_utils``.

    It matches lines instead of parsing: parsing all files would cost 0.1 s at each start of copies.
    """
    found = []
    for dots, target, in_brackets, names in _IMPORT.findall(source):
        parts = [room] if dots == "." else []
        if target:
            parts.append(target)
        base = ".".join(parts)
        if "." in base:
            found.append(base)
        else:  # a whole module is imported out of its room
            found += [
                f"{base}.{name.split()[0]}" for name in (in_brackets or names).split(",") if name.strip()
            ]
    return found


def _read_source(module: str) -> bytes:
    """Return the source of a module. It may be in the archive that Ansible sent."""
    loader = getattr(copier.__spec__, "loader", None)
    path = Path(copier.__file__).parents[1] / f"{module.replace('.', '/')}.py"
    try:
        return bytes(loader.get_data(str(path)))  # type: ignore[union-attr]
    except (AttributeError, OSError):
        raise TempoftpError(
            f"{path.name} did not come along with the module: reinstall the collection"
        ) from None


def name_library(files: Optional[dict[str, bytes]] = None) -> str:
    """Return the name of this release's folder below ``lib/``: a hash of its content."""
    content = read_library() if files is None else files
    digest = hashlib.sha256()
    for name in sorted(content):
        digest.update(f"{name}\0{len(content[name])}\0".encode("ascii") + content[name])
    return digest.hexdigest()[:16]


def install_library(tree: Tree) -> Path:
    """Write the copier unless it is there; return its folder."""
    return install_files(tree, read_library())


def install_files(tree: Tree, files: dict[str, bytes]) -> Path:
    """Write a library unless it is there; return its folder. The folder's time says when it was last used."""
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
        # When another run has just written the same folder, this is no error.
        if not target.is_dir():
            raise TempoftpError(f"{target} could not be written: {error.strerror}") from None
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
    return target


def _write_durably(path: Path, content: bytes) -> None:
    """Write a file so that a power loss cannot leave it empty under its final name."""
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def build_program_argv(library: Path, entry: str, share_id: str) -> list[str]:
    """Return the command line of the copier: Python isolated from the environment, and the id of the share.

    ``-B``: Python must not write what it has compiled. It makes missing folders for that, also in the place of a disk
    that has just gone away.
    """
    python = _PYTHON if os.access(_PYTHON, os.X_OK) else sys.executable
    return [python, "-ISB", str(library / entry), share_id]
