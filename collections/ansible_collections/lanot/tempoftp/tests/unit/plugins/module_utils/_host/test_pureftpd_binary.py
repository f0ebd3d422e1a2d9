# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the FTP server can read argon2 hashes: the libraries of a real program say it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host import sessions as _sessions
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.pureftpd_binary import (
    find_server,
    has_libsodium,
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the server is looked for; it is empty."""
    monkeypatch.setattr(_sessions, "_SERVICE_PATH", str(tmp_path))
    return tmp_path


def install(place: Path, name: str, program: str) -> None:
    (place / name).symlink_to(program)


def test_a_program_without_the_library_reads_no_argon2(place: Path) -> None:
    true = shutil.which("true")
    assert true is not None
    install(place, "pure-ftpd", true)
    assert has_libsodium() is False


def test_debians_program_for_mysql_is_looked_at_first(place: Path) -> None:
    for name in ("pure-ftpd", "pure-ftpd-mysql"):
        install(place, name, sys.executable)
    assert find_server() == str(place / "pure-ftpd-mysql")


def test_where_there_is_no_server_it_is_not_known(place: Path) -> None:
    assert has_libsodium() is True


def test_a_script_in_its_place_says_nothing(place: Path) -> None:
    (place / "pure-ftpd").write_text("#!/bin/sh\nexec /opt/pure-ftpd\n")
    (place / "pure-ftpd").chmod(0o755)
    assert has_libsodium() is True
