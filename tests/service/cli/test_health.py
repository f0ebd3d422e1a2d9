"""`tempoftp health`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from tempoftp.cli.client import ServiceClient
from tempoftp.cli.main import main


@pytest.mark.processes
def test_shows_each_host_and_that_all_is_well(tempoftp) -> None:
    ended = tempoftp("health")
    assert ended.code == 0
    name, free, ftpd, database, *_rest = ended.out.rstrip("\n").split("\t")
    assert (name, ftpd, database) == ("simulado", "ok", "ok")
    assert free.endswith("GiB")
    assert ended.err.startswith("ok: ")
    assert json.loads(tempoftp("health", "--json").out)["status"] == "ok"


def test_of_what_is_not_well_exits_1_and_says_what(monkeypatch: pytest.MonkeyPatch) -> None:
    host: dict[str, Any] = {"ftpd": "error", "database": "ok", "pausado": True, "razon": "disco"}
    answer = {"status": "degraded", "problemas": ["ftp1: no greeting"], "hosts": {"ftp1": host}}
    monkeypatch.setattr(ServiceClient, "get_health", lambda _self: answer)
    ended = CliRunner().invoke(main, ["health"], env={"XDG_CONFIG_HOME": "/nonexistent"})
    assert ended.exit_code == 1
    assert "ftp1\t?\terror\tok\t\tnever\tdisco" in ended.stdout
    assert "ftp1: no greeting" in ended.stderr
