from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.processes


def test_ends_a_share(tempoftp) -> None:
    tempoftp("request", "borra@dominio", "borra_1", "source1:/srv/datos/tarda-0", "--watch")
    ended = tempoftp("delete", "borra_1")
    assert (ended.code, ended.out) == (0, "borra_1: deleted\n")
    assert tempoftp("status", "borra_1").code == 4


def test_ends_a_share_that_is_being_copied(tempoftp) -> None:
    tempoftp("request", "borra@dominio", "borra_2", "source1:/srv/datos/tarda-600")
    assert json.loads(tempoftp("delete", "borra_2", "--json").out) == {"status": "deleted", "id": "borra_2"}


def test_of_what_is_no_share_exits_4(tempoftp) -> None:
    assert tempoftp("delete", "no_existe").code == 4
    assert tempoftp("delete", "..").code == 2
