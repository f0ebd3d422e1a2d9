from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.processes


def test_asks_for_a_share(tempoftp) -> None:
    ended = tempoftp("request", "pide@dominio", "pide_1", "source1:/srv/datos/goes", "--vigencia", "3")
    assert (ended.code, ended.out) == (0, "pide_1: recibido\n")


def test_json_is_the_services_answer(tempoftp) -> None:
    ended = tempoftp("request", "pide@dominio", "pide_json", "source1:/srv/datos/goes", "--json")
    assert ended.code == 0
    assert json.loads(ended.out) == {"id": "pide_json", "status": "recibido"}


def test_watch_follows_until_it_is_ready_in_plain_lines_without_a_terminal(tempoftp) -> None:
    ended = tempoftp("request", "sigue@dominio", "sigue_1", "source1:/srv/datos/tarda-2", "--watch")
    assert ended.code == 0, ended.err
    states = [line.split()[1] for line in ended.out.splitlines() if line[:2].isdigit()]
    assert states[-1] == "listo"
    assert "traslado" in states
    assert "tempoftp decrypt --id sigue_1" in ended.out
    assert "\x1b" not in ended.out


def test_watch_with_json_leaves_one_document_on_standard_output(tempoftp) -> None:
    ended = tempoftp(
        "request", "sigue@dominio", "sigue_json", "source1:/srv/datos/tarda-0", "--watch", "--json"
    )
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["status"] == "listo"
    assert "listo" in ended.err


def test_watch_of_a_share_that_fails_says_why_and_exits_1(tempoftp) -> None:
    ended = tempoftp(
        "request", "falla@dominio", "falla_1", "source1:/srv/datos/falla-source_not_found", "--watch"
    )
    assert ended.code == 1
    assert "falla_1 is error" in ended.err
    assert "source_not_found" in ended.err


def test_a_refusal_exits_4_with_the_services_words(tempoftp) -> None:
    ended = tempoftp("request", "pide@dominio", "pide_mal", "source9:/srv/datos/goes")
    assert ended.code == 4
    assert "Origen no permitido" in ended.err
    assert "HTTP 403" in ended.err
    assert ended.out == ""


def test_a_missing_argument_exits_2(tempoftp) -> None:
    assert tempoftp("request", "pide@dominio", "pide_2").code == 2
    assert (
        tempoftp("request", "pide@dominio", "pide_2", "source1:/srv/datos/x", "--vigencia", "tres").code == 2
    )
