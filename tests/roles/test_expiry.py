"""Expiry without a control host: the program reads what the role writes, and the playbook reports what ended."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.lanot.tempoftp.plugins.filter._expiry_report import describe_expiry
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.settings import read_settings
from ansible_collections.lanot.tempoftp.plugins.modules import tempoftp_expire

from tests.roles.rendering import FAMILIES, PLAYBOOKS, PROJECT, evaluate, render

UNITS = ("tempoftp-expire.service", "tempoftp-expire.timer")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_program_reads_what_the_role_writes(family: str, tmp_path: Path) -> None:
    written = evaluate(
        "ftp_server",
        family,
        "ftp_server_expire",
        tempoftp_expire_grace_seconds=300,
        tempoftp_staging_days=3,
        tempoftp_trash_hours=24,
        tempoftp_table="ftpd",
        tempoftp_columns={"name": "login"},
        tempoftp_login_config_file="/etc/x.cnf",
    )
    path = tmp_path / "expire.json"
    path.write_text(json.dumps(written))
    settings = read_settings(path)
    assert (settings.grace_seconds, settings.staging_days, settings.trash_hours) == (300.0, 3, 24.0)
    assert (settings.table.table, settings.table.name, settings.table.home) == ("ftpd", "login", "Dir")
    assert settings.login.login_config_file == "/etc/x.cnf"
    assert settings.mysql_conf == evaluate("ftp_server", family, "ftp_server_mysql_conf")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_timer_starts_the_newest_program_each_minute(family: str) -> None:
    service = render("ftp_server", "tempoftp-expire.service.j2", family, tempoftp_root="/srv/ftp")
    assert "ExecStart=/usr/bin/python3 -IB /srv/ftp/.tempoftp/lib/current/expire\n" in service
    assert "\nReadWritePaths=/srv/ftp -/run/pure-ftpd\n" in service
    assert "OnCalendar=minutely\n" in render("ftp_server", "tempoftp-expire.timer.j2", family)


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    for name in UNITS:
        text = (PROJECT / "deploy" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/usr/bin/python3", sys.executable))
    ended = subprocess.run(
        [analyze, "verify", "--man=no", *(str(tmp_path / name) for name in UNITS)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = [line for line in ended.stderr.splitlines() if "tempoftp-expire" in line]
    assert told == []


def test_the_playbook_gives_only_options_that_the_module_has() -> None:
    (play,) = yaml.safe_load((PLAYBOOKS / "expire.yml").read_text(encoding="utf-8"))
    options = play["tasks"][0]["lanot.tempoftp.tempoftp_expire"]
    assert set(options) <= set(tempoftp_expire.build_argument_spec())
    assert {"root", "table", "columns", "login_config_file"} <= set(options)


SHARE = {
    "id": "p1",
    "generation": 1,
    "ftpuser": "ftp_x",
    "reason": "expired",
    "state": "purging",
    "error": None,
}
ACCOUNT = {"name": "ftp_x", "state": "absent", "kept_reason": None, "error": None}


def build_answer(**changes: Any) -> dict[str, Any]:
    answer = {"shares": [], "accounts": [], "staging": [], "sessions_ended": 0, "sessions_left": 0}
    return {**answer, "next_end": None, "clock_ahead": 0, **changes}


def test_ended_shares_are_reported_line_by_line() -> None:
    answer = build_answer(
        shares=[SHARE, {**SHARE, "id": "p2", "error": {"class": "run_failed"}}],
        accounts=[ACCOUNT],
        staging=["p3"],
        sessions_ended=2,
        next_end="2030-01-31T12:00:00Z",
        clock_ahead=7200,
    )
    assert describe_expiry(answer) == [
        "share p1 of ftp_x: ended (expired)",
        "account ftp_x: absent, its last share ended",
        "staging of p3: its time to be tried again is over",
        "sessions: 2 ended, 0 may finish a transfer",
        "next: 2030-01-31T12:00:00Z",
        "the clock of this host was 7200 s later once: was it set back?",
    ]
    assert describe_expiry(build_answer(shares=[SHARE]), True)[0] == "share p1 of ftp_x: would end (expired)"


@pytest.mark.parametrize(
    ("answer", "line"), [(build_answer(), "nothing was over"), ({"msg": "x"}, "nothing was looked at")]
)
def test_the_playbook_says_when_no_share_ended(answer: dict[str, Any], line: str) -> None:
    assert describe_expiry(answer) == [line]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_timer_fails_loudly_when_the_disk_is_away(family: str, tmp_path: Path) -> None:
    root = tmp_path / "data"
    service = render("ftp_server", "tempoftp-expire.service.j2", family, tempoftp_root=str(root))
    # A condition would skip the run without a word.
    assert f"RequiresMountsFor={root}\n" in service and "Condition" not in service
    (line,) = [line for line in service.splitlines() if line.startswith("ExecStartPre=")]
    argv = [word.replace("$$", "$") for word in shlex.split(line.partition("=")[2])]
    failed = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (
        failed.returncode == 1 and failed.stderr.startswith("root_missing: ") and str(root) in failed.stderr
    )
    (root / ".tempoftp" / "lib" / "current" / "expire").mkdir(parents=True)
    assert subprocess.run(argv, check=False).returncode == 0
