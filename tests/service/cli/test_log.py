"""`tempoftp log` against the running service."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.processes


def test_shows_what_the_runs_did(tempoftp) -> None:
    tempoftp("request", "log@dominio", "log_1", "source1:/srv/datos/tarda-0", "--watch")
    ended = tempoftp("log", "log_1", "--follow")
    assert ended.code == 0
    assert "state=listo" in ended.out.splitlines()[-1]
    answer = json.loads(tempoftp("log", "log_1", "--json").out)
    assert answer["lineas"] == ended.out.splitlines()
    assert tempoftp("log", "log_1", "--from", str(answer["siguiente"])).out == ""
    assert tempoftp("log", "log_1", "--from", "0").out == ended.out


def test_follows_until_the_share_has_settled(tempoftp) -> None:
    tempoftp("request", "log@dominio", "log_2", "source1:/srv/datos/tarda-3")
    ended = tempoftp("log", "log_2", "--follow")
    assert ended.code == 0
    assert "state=listo" in ended.out.splitlines()[-1]
    assert len(ended.out.splitlines()) == len(set(ended.out.splitlines()))


def test_of_what_is_no_share_exits_4(tempoftp) -> None:
    assert tempoftp("log", "no_existe").code == 4
    assert tempoftp("log", "log_1", TEMPOFTP_TOKEN="otra").code == 4
