"""`tempoftp audit` against the running service, and `tempoftp db backup`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tempoftp.cli.audit import follow, print_audit
from tempoftp.cli.exits import ServiceFailed

pytestmark = pytest.mark.processes


def test_an_audit_is_made_and_told(tempoftp: Any) -> None:
    ended = tempoftp("audit")
    assert ended.code == 0
    assert "findings" in ended.err
    answer = json.loads(tempoftp("audit", "--repair", "--json").out)
    assert set(answer) == {"estado", "total", "hosts"}
    (host,) = answer["hosts"].values()
    assert host["auditado_at"] is not None
    last = json.loads(tempoftp("audit", "--last", "--json").out)
    assert last["hosts"].keys() == answer["hosts"].keys()


def test_after_a_restore_it_says_when_rows_were_corrected(tempoftp: Any) -> None:
    answer = json.loads(tempoftp("audit", "--after-restore", "--json").out)
    (host,) = answer["hosts"].values()
    assert host["restaurado_at"] is not None
    assert host["retenido"] is None


def test_strict_succeeds_when_nothing_is_wrong(tempoftp: Any) -> None:
    assert tempoftp("audit", "--repair").code == 0
    assert tempoftp("audit", "--strict").code == 0


def test_a_stranger_may_not(tempoftp: Any) -> None:
    assert tempoftp("audit", TEMPOFTP_TOKEN="nobodys").code == 4


def test_findings_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    finding = {"kind": "half_deleted", "subject": "p1", "detail": "why", "repair": "safe", "repaired": False}
    hosts = {
        "ftp1": {
            "hallazgos": [finding, finding | {"repaired": True}, finding | {"repair": "manual"}],
            "fallos": ["oops"],
            "auditado_at": "2030-01-01T00:00:00Z",
            "edad_segundos": 3,
        },
        "ftp2": {"retenido": {"desde": "x", "razon": "older"}, "error": "run_failed", "mensaje": "no"},
    }
    print_audit({"hosts": hosts})
    told = capsys.readouterr()
    assert [line.split("\t")[3:4] for line in told.out.splitlines()[:3]] == [
        ["--repair"],
        ["repaired"],
        ["look"],
    ]
    assert "ftp1\trepair failed\toops" in told.out
    assert "ftp1: 2 findings, 3 s ago" in told.err
    assert "HELD since x: older; run_failed: no; not audited yet" in told.err


class Silent:
    """A service on which no worker runs."""

    asked = 0

    def get_audit(self) -> dict[str, Any]:
        self.asked += 1
        return {"estado": "pendiente" if self.asked < 3 else "limpio"}


def test_it_is_followed_until_made_or_patience_ends() -> None:
    silent = Silent()
    answer = follow(silent, {"estado": "pendiente"}, sleep=lambda _seconds: None)  # type: ignore[arg-type]
    assert (answer["estado"], silent.asked) == ("limpio", 3)
    ticks = iter([0.0, 10_000.0])
    with pytest.raises(ServiceFailed, match="worker"):
        follow(Silent(), {"estado": "pendiente"}, lambda _seconds: None, lambda: next(ticks))  # type: ignore[arg-type]


def test_backup_copies_the_database(tempoftp_alone: Any, tmp_path: Path) -> None:
    tempoftp_alone("db", "upgrade")
    ended = tempoftp_alone("db", "backup", str(tmp_path / "copy"))
    assert ended.code == 0
    with closing(sqlite3.connect(tmp_path / "copy")) as connection:
        assert connection.execute("SELECT count(*) FROM shares").fetchone() == (0,)
    again = tempoftp_alone("db", "backup", str(tmp_path / "copy"))
    assert (again.code, "File exists" in again.err) == (5, True)
