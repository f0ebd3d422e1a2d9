# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A login shell on the source that prints something: rsync cannot speak through it, and the reason is named."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy import login_shell as _login_shell
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy import ssh as _ssh
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.source_probe import measure_source
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.source_run import SourceQuestion
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError

LIMIT = 60
SHELL = "cannot be read, since the login shell of lanotadm on source1 prints something before rsync starts: "


@pytest.fixture
def goes(host: Any) -> Path:
    folder = host.source / "goes"
    folder.mkdir()
    (folder / "a.nc").write_bytes(bytes(700))
    return Path(folder)


def preview(host: Any) -> TempoftpError:
    question = SourceQuestion(f"source1:{host.source}/goes")
    with pytest.raises(TempoftpError) as found:
        measure_source(
            question, _ssh.read_access(question), time.monotonic() + LIMIT, host.folder / "run", host.tree
        )
    return found.value


@pytest.mark.parametrize(
    ("bashrc", "reason"),
    [
        ("echo Bienvenido a source1", 'it prints "Bienvenido a source1"'),
        ("echo; echo '  cuota: 93 %'; echo aviso >&2", 'it prints "cuota: 93 %"'),
        (r"printf 'a\361o'", r'it prints "a\xf1o"'),
        ("printf '\\n'", "it prints an empty line"),
        (r"printf '\040\0\0\0abcdefgh'", 'it prints " '),
        (
            "echo 'This account is not available.'; exit 1",
            '"This account is not available." and ends with code 1',
        ),
        ("exit 7", "it runs no command and ends with code 7"),
    ],
)
def test_it_is_named_and_not_tried_for_ever(host: Any, goes: Path, bashrc: str, reason: str) -> None:
    host.use_login_shell(bashrc)
    (share,) = host.run(host.share("p1", "goes"))
    error = share["error"]
    assert (share["state"], error["class"], error["transient"]) == ("failed", "source_shell", False)
    assert SHELL in error["message"]
    assert reason.strip('" ') in error["message"]
    tries = [line for line in host.log("ssh").splitlines() if "rsync --server" in line]
    assert len(tries) >= 3, "it may have been a message of the moment"
    assert preview(host).message == error["message"]


def test_behind_a_restricted_key_it_is_the_same(host: Any, goes: Path) -> None:
    host.restrict()
    host.use_login_shell("echo Bienvenido")
    (share,) = host.run(host.share("p1", "goes", source_root=str(host.source)))
    assert share["error"]["class"] == "source_shell"
    assert 'it prints "Bienvenido"' in share["error"]["message"]


def test_a_message_of_the_moment_does_no_harm(host: Any, goes: Path) -> None:
    seen = host.folder / "seen"
    # rsync ends the shell when it has read what it cannot understand: the shell notes it first.
    host.use_login_shell(f"[ -e {seen} ] || {{ touch {seen}; echo mantenimiento esta noche; }}")
    (share,) = host.run(host.share("p1", "goes"))
    assert share["state"] == "delivered", share["error"]


def test_what_it_prints_on_standard_error_is_no_reason(host: Any, goes: Path) -> None:
    host.use_login_shell("echo 'Connection closed? Permission denied (28)' >&2")
    (share,) = host.run(host.share("p1", "goes"))
    assert share["state"] == "delivered", share["error"]
    (share,) = host.run(host.share("p2", "nowhere"))
    assert share["error"]["class"] == "source_not_found"
    assert "(rsync: [sender] link_stat " in share["error"]["message"]


def test_a_silent_shell_is_not_accused(host: Any, goes: Path) -> None:
    host.use_login_shell("true")
    program = host.folder / "bin" / "rsync"
    program.write_text("#!/bin/sh\nexit 12\n")
    program.chmod(0o755)
    (share,) = host.run(host.share("p1", "goes"))
    assert (share["error"]["class"], share["error"]["transient"]) == ("copy_failed", True)


def test_the_question_has_a_limit() -> None:
    assert 0 < _login_shell._LIMIT <= 30
