"""`tempoftp audit`, `health`, `expire`, `pause`, `drain` and `resume` against the running service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from tempoftp.cli.client import ServiceClient
from tempoftp.cli.exits import ServiceFailed
from tempoftp.cli.main import main
from tempoftp.cli.operators import print_audit, wait_for_audit

pytestmark = pytest.mark.processes


def test_audit_makes_an_audit_and_shows_it(tempoftp: Any) -> None:
    ended = tempoftp("audit")
    assert ended.code == 0
    assert "findings" in ended.err
    answer = json.loads(tempoftp("audit", "--repair", "--json").out)
    assert set(answer) == {"estado", "total", "hosts"}
    (host,) = answer["hosts"].values()
    assert host["auditado_at"] is not None
    last = json.loads(tempoftp("audit", "--last", "--json").out)
    assert last["hosts"].keys() == answer["hosts"].keys()


def test_audit_after_a_restore_shows_when_rows_were_corrected(tempoftp: Any) -> None:
    answer = json.loads(tempoftp("audit", "--after-restore", "--json").out)
    (host,) = answer["hosts"].values()
    assert host["restaurado_at"] is not None
    assert host["retenido"] is None


def test_audit_strict_exits_0_without_findings(tempoftp: Any) -> None:
    assert tempoftp("audit", "--repair").code == 0
    assert tempoftp("audit", "--strict").code == 0


def test_audit_with_an_unknown_token_exits_4(tempoftp: Any) -> None:
    assert tempoftp("audit", TEMPOFTP_TOKEN="nobodys").code == 4


def test_each_finding_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    finding = {"kind": "half_deleted", "subject": "p1", "detail": "why", "repair": "safe", "repaired": False}
    hosts = {
        "ftp1": {
            "hallazgos": [finding, finding | {"repaired": True}, finding | {"repair": "manual"}],
            "fallos": ["oops"],
            "auditado_at": "2030-01-01T00:00:00Z",
            "edad_segundos": 3,
        },
        "ftp3": {"auditado_at": "x", "edad_segundos": 4, "cuentas": {"operator_shares": 2}},
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
    assert "ftp3: 0 findings, 2 shares of operators, 4 s ago" in told.err
    assert "HELD since x: older; run_failed: no; not audited yet" in told.err


class Silent:
    """A service whose audit is pending for some time."""

    asked = 0

    def get_audit(self) -> dict[str, Any]:
        self.asked += 1
        return {"estado": "pendiente" if self.asked < 3 else "limpio"}


def test_wait_for_audit_ends_with_the_audit_or_the_time_limit() -> None:
    silent = Silent()
    answer = wait_for_audit(silent, {"estado": "pendiente"}, sleep=lambda _seconds: None)  # type: ignore[arg-type]
    assert (answer["estado"], silent.asked) == ("limpio", 3)
    ticks = iter([0.0, 10_000.0])
    with pytest.raises(ServiceFailed, match="worker"):
        wait_for_audit(Silent(), {"estado": "pendiente"}, lambda _seconds: None, lambda: next(ticks))  # type: ignore[arg-type]


def test_health_shows_each_host_and_exits_0(tempoftp) -> None:
    ended = tempoftp("health")
    assert ended.code == 0
    name, free, ftpd, database, *_rest = ended.out.rstrip("\n").split("\t")
    assert (name, ftpd, database) == ("simulado", "ok", "ok")
    assert free.endswith(("GB", "TB"))  # the simulated disk has a terabyte, less what shares need
    assert ended.err.startswith("ok: ")
    assert json.loads(tempoftp("health", "--json").out)["status"] == "ok"


def test_health_names_problems_and_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    host: dict[str, Any] = {"ftpd": "error", "database": "ok", "pausado": True, "razon": "disco"}
    answer = {"status": "degraded", "problemas": ["ftp1: no greeting"], "hosts": {"ftp1": host}}
    monkeypatch.setattr(ServiceClient, "get_health", lambda _self: answer)
    ended = CliRunner().invoke(main, ["health"], env={"XDG_CONFIG_HOME": "/nonexistent"})
    assert ended.exit_code == 1
    assert "ftp1\t?\terror\tok\t\tnever\tdisco" in ended.stdout
    assert "ftp1: no greeting" in ended.stderr


def test_health_shows_warnings_and_exits_0(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"status": "ok", "problemas": [], "advertencias": ["1 token(s) without a key"], "hosts": {}}
    monkeypatch.setattr(ServiceClient, "get_health", lambda _self: answer)
    ended = CliRunner().invoke(main, ["health"], env={"XDG_CONFIG_HOME": "/nonexistent"})
    assert (ended.exit_code, "warning: 1 token(s) without a key\n" in ended.stderr) == (0, True)


def test_expire(tempoftp: Any) -> None:
    assert tempoftp("expire").out == "0 expired\n"
    assert json.loads(tempoftp("expire", "--json").out) == {"status": "ok", "expiradas": 0}


def test_pause_drain_resume(tempoftp: Any) -> None:
    try:
        assert tempoftp("pause", "simulado", "--reason", "disco").out.startswith("simulado: paused")
        asked = tempoftp("request", "pausa@dominio", "cli_pausa", "source1:/srv/datos/tarda-0")
        assert asked.code == 0
        drained = tempoftp("drain")
        assert drained.out == "simulado: paused, 0 runs under way\n"
        share = json.loads(tempoftp("status", "cli_pausa", "--json").out)
        assert (share["status"], share["en_pausa"]) == ("recibido", True)
    finally:
        assert tempoftp("resume").out.startswith("simulado: running")
    assert tempoftp("status", "cli_pausa", "--watch").code == 0
    assert tempoftp("pause", "no_existe").code == 4


def test_health_names_who_is_near_a_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    use = {
        "de": "persona",
        "nombre": "ana@dominio\x1b[2J",
        "porcentaje": 90.0,
        "solicitudes": {"hay": 9, "limite": 10},
        "abiertas": {"hay": 2, "limite": None},
        "bytes": {"hay": 5_000_000_000, "limite": 100_000_000_000},
    }
    answer = {"status": "ok", "hosts": {}, "cuotas": [use]}
    monkeypatch.setattr(ServiceClient, "get_health", lambda _self: answer)
    ended = CliRunner().invoke(main, ["health"], env={"XDG_CONFIG_HOME": "/nonexistent"})
    assert ended.exit_code == 0
    assert "near its quota: person ana@dominio\\x1b[2J: 9 of 10 shares, 5.0 GB of 100 GB" in ended.stderr
