# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sessions are found by pure-ftpwho and ended by pidfd: a scripted pure-ftpwho, and real processes."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host import sessions as _sessions
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.sessions import (
    end_sessions,
    parse_who,
)
from hypothesis import given
from hypothesis import strategies as st

WHO = """\
101|ftp_a|12|IDLE||10.0.0.1|10.0.0.2|21|0|0|0|0
102|ftp_b|3|DL|x|y|10.0.0.1|10.0.0.2|21|5|10|50|1
103|ftp_a|1|DL|/s1/ftp_b|10.0.0.1|10.0.0.2|21|5|10|50|1
-1|ftp_a|1|IDLE||||||||
x|ftp_a|1|IDLE||||||||
104|FTP_A|1|IDLE||||||||
105
"""


def test_the_sessions_of_the_accounts_are_found():
    assert parse_who(WHO, ["ftp_a"]) == {101: "ftp_a", 103: "ftp_a"}
    assert parse_who(WHO, ["ftp_a", "ftp_b"]) == {101: "ftp_a", 102: "ftp_b", 103: "ftp_a"}
    assert parse_who(WHO, []) == {}


@given(st.text(max_size=200), st.lists(st.text(max_size=8)))
def test_any_output_is_read(text, names):
    assert set(parse_who(text, names).values()) <= set(names)


def test_the_sessions_of_the_accounts_are_ended_and_counted(start_session, script_who, print_living):
    mine, other = start_session(), start_session()
    script_who(body=print_living(mine, "ftp_a") + print_living(other, "ftp_b"))
    ended, errors = end_sessions(["ftp_a", "ftp_c"])
    assert (ended, errors) == ({"ftp_a": 1, "ftp_c": 0}, {})
    assert mine.wait(10) == -signal.SIGTERM
    assert other.poll() is None


def test_a_session_that_does_not_listen_is_killed(start_session, script_who, print_living, monkeypatch):
    monkeypatch.setattr(_sessions, "_TERM_PATIENCE", 0.2)
    deaf = start_session(deaf=True)
    script_who(body=print_living(deaf, "ftp_a"))
    assert end_sessions(["ftp_a"])[0] == {"ftp_a": 1}
    assert deaf.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize("title", ["pure-ftpd (SERVER)", "pure-ftpd (PRIV)", "nginx: worker"])
def test_a_process_that_is_no_session_is_never_ended(start_session, script_who, title):
    session, other = start_session(), start_session(title)
    script_who(f"{other.pid}|ftp_a|1|IDLE||||||||", f"{os.getpid()}|ftp_a|1|IDLE||||||||")
    assert end_sessions(["ftp_a"]) == ({"ftp_a": 0}, {})
    assert other.poll() is None
    assert session.poll() is None


def test_a_number_that_is_nobodys_any_more_is_no_error(start_session, script_who):
    start_session()
    gone = subprocess.Popen(["/bin/true"])
    gone.wait(10)
    script_who(f"{gone.pid}|ftp_a|1|IDLE||||||||")
    assert end_sessions(["ftp_a"]) == ({"ftp_a": 0}, {})


def test_nobody_is_asked_while_there_is_no_session_at_all(tmp_path):
    assert end_sessions(["ftp_a"], proc=tmp_path) == ({"ftp_a": 0}, {})


def test_a_missing_pure_ftpwho_is_named_when_there_are_sessions(start_session, tmp_path, monkeypatch):
    start_session()
    monkeypatch.setattr(_sessions, "_SERVICE_PATH", str(tmp_path / "nothing"))
    errors = end_sessions(["ftp_a"])[1]
    assert errors["ftp_a"].error_class == "run_failed"
    assert "pure-ftpwho is missing" in errors["ftp_a"].message


def test_a_pure_ftpwho_that_hangs_is_given_up(start_session, script_who, monkeypatch):
    start_session()
    monkeypatch.setattr(_sessions, "_WHO_TIMEOUT", 0.5)
    script_who(body="time.sleep(60)")
    errors = end_sessions(["ftp_a"])[1]
    assert errors["ftp_a"].error_class == "run_timeout"
