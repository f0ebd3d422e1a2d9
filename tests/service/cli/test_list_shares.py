from __future__ import annotations

import json


def test_lists_one_line_a_share(tempoftp) -> None:
    for number in (1, 2):
        tempoftp("request", "lista@dominio", f"lista_{number}", "source1:/srv/datos/tarda-0", "--watch")
    ended = tempoftp("list", "--usuario", "lista@dominio")
    assert ended.code == 0
    rows = [line.split("\t") for line in ended.out.splitlines()]
    assert [row[:2] for row in rows] == [["lista_2", "listo"], ["lista_1", "listo"]]
    assert rows[0][3:] == ["lista@dominio", "lanotadm@source1:/srv/datos/tarda-0"]


def test_pages_by_the_cursor_it_shows(tempoftp) -> None:
    for number in (1, 2):
        tempoftp("request", "hoja@dominio", f"hoja_{number}", "source1:/srv/datos/goes")
    first = json.loads(tempoftp("list", "--usuario", "hoja@dominio", "--limite", "1", "--json").out)
    assert (first["total"], [share["id"] for share in first["solicitudes"]]) == (2, ["hoja_2"])
    second = tempoftp("list", "--usuario", "hoja@dominio", "--limite", "1", "--cursor", first["siguiente"])
    assert second.out.startswith("hoja_1\t")


def test_a_wrong_filter_exits_4(tempoftp) -> None:
    ended = tempoftp("list", "--estado", "nada")
    assert ended.code == 4
    assert "estado" in ended.err
