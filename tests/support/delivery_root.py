"""A delivery root as the role ftp_server sets it up: a marker below it, and the same id in server.json."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree


def record_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Make the root; its server.json lies beside it."""
    from ansible_collections.lanot.tempoftp.plugins.module_utils._host.root import (
        establish_root,
        find_server_file,
    )
    from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree

    monkeypatch.setenv("TEMPOFTP_CONFIGURATION_DIRECTORY", str(root.parent / "etc"))
    root.mkdir(mode=0o755, exist_ok=True)
    identity = establish_root(root, new=True).id
    find_server_file().parent.mkdir(exist_ok=True)
    find_server_file().write_text(json.dumps({"root": {"path": str(root), "id": identity}}))
    return Tree(root)


def write_interpreter(root: Path) -> Path:
    """Return a Python for the modules of this root: a run hands no variable of ours on to them, and it sets one."""
    path = root.parent / "python-of-the-host"
    path.write_text(
        f"#!/bin/sh\nexport TEMPOFTP_CONFIGURATION_DIRECTORY={shlex.quote(str(root.parent / 'etc'))}\n"
        f"PATH={shlex.quote(str(root.parent / 'bin'))}:$PATH\n"
        f'exec {shlex.quote(sys.executable)} "$@"\n'
    )
    path.chmod(0o755)
    return path
