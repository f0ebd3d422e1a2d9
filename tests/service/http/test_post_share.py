from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tempoftp.states import State

REFUSED_RUTAS = {
    "an option for ssh": "-oProxyCommand=touch /tmp/P:/x",
    "an option as host": "lanotadm@-oX:/x",
    "an option for rsync": "--rsh=sh :/x",
    "command substitution": "source1:/x$(touch P)",
    "backticks": "source1:/x`id`",
    "a second command": "source1:/x;id",
    "a newline": "source1:/srv/datos/a\nb",
    "a carriage return": "source1:/srv/datos/a\rb",
    "NUL": "source1:/srv/datos/a\x00b",
    "escape": "source1:/srv/datos/\x1b[31m",
    "right-to-left override": "source1:/srv/datos/\u202egnp",
    "a glob": "source1:/srv/datos/g*",
    "an rsync module": "source1::datos",
    "an rsync url": "rsync://source1/srv/datos",
    "two colons": "/a:b",
    "no host": "/srv/datos",
    "no path": "source1:",
    "a relative path": "source1:srv/datos",
    "this machine": "localhost:/etc",
    "another user": "root@source1:/srv/datos/goes",
    "root's secrets": "root@h:/etc/shadow",
    "upwards": "source1:/srv/datos/../etc",
    "a sibling with the root's prefix": "source1:/srv/datos2",
    "the whole source": "source1:/",
    "off the allow-list": "source2:/srv/datos/goes",
    "a template": "{{ lookup('pipe', 'id') }}",
    "a template as host": "{{ inventory_hostname }}:/srv/datos",
    "a template as path": "source1:/srv/datos/{{ lookup('pipe', 'id') }}",
    "a lone surrogate": "source1:/srv/datos/\ud800",
    "too long": "source1:/srv/datos/" + "a/" * 2100,
    "too long a name": "source1:/srv/datos/" + "a" * 256,
    "empty": "",
}
REFUSED_IDS = [
    *(
        "",
        ".",
        "..",
        "../x",
        "/etc",
        "a/b",
        "a b",
        "a.b",
        "-rf",
        "_x",
        "a" * 65,
        "a" * 256,
        "a\x00",
        "a\n",
        "\n",
    ),
    *(
        "expired",
        "user",
        "auditoria",
        "prorrogas",
        "vista_previa",
        "ñ",
        "{{ 7*7 }}",
        "${X}",
        "$(id)",
        "a;id",
        "' OR 1=1 -- ",
        "\u202ea",
        "\ud800",
    ),
]
REFUSED_USUARIOS = [
    *(
        "",
        "a",
        "alguien",
        "@dominio",
        "alguien@",
        "a@b@c",
        "a b@dominio",
        "alguien@dominio\n",
        "a\x00@dominio",
    ),
    *(
        "-oX@-oY",
        "a@dominio; id",
        "a@dom inio",
        "{{ 7*7 }}",
        "{{ lookup('pipe','id') }}@dominio",
        "<a@dominio>",
    ),
    *(
        "a" * 300 + "@dominio",
        "a@" + "b" * 300,
        "\ud800@dominio",
        "alguien@dominio\r\nBcc: x@y",
        "' OR 1=1 -- ",
    ),
]


def test_writes_the_request_down_and_answers_at_once(
    client: FlaskClient, body: dict[str, Any], count_rows: Callable[[], tuple[int, int]]
) -> None:
    answer = client.post("/tmpftp", json=body)
    assert answer.status_code == 202
    assert answer.json == {"id": "proyecto_real_1", "status": "recibido"}
    assert answer.headers["Location"] == "/tmpftp/proyecto_real_1"
    assert int(answer.headers["Retry-After"]) > 0
    assert count_rows() == (1, 1)


def test_lifetime_has_a_default(client: FlaskClient, body: dict[str, Any]) -> None:
    del body["vigencia"]
    assert client.post("/tmpftp", json=body).status_code == 202
    assert client.get("/tmpftp/proyecto_real_1").json["vigencia"] == 10


def test_the_same_body_again_answers_the_present_state(
    client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None], count_rows
) -> None:
    client.post("/tmpftp", json=body)
    move_share("proyecto_real_1", State.PREPARANDO, State.TRASLADO)
    before = count_rows()
    answer = client.post("/tmpftp", json=body)
    assert answer.status_code == 202
    assert answer.json == {"id": "proyecto_real_1", "status": "traslado"}
    assert count_rows() == before


def test_the_same_body_written_differently_is_the_same(
    client: FlaskClient, body: dict[str, Any], count_rows
) -> None:
    client.post("/tmpftp", json=body)
    again = body | {"usuario": "Alguien@Dominio", "ruta": "datos.example.org:/srv/datos//goes/"}
    assert client.post("/tmpftp", json=again).status_code == 202
    assert count_rows() == (1, 1)


@pytest.mark.parametrize("state", [State.ERROR, State.LISTO, State.BLOQUEADO])
def test_the_same_body_for_a_settled_share_is_200(
    client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None], state: State
) -> None:
    client.post("/tmpftp", json=body)
    move_share("proyecto_real_1", state)
    answer = client.post("/tmpftp", json=body)
    assert answer.status_code == 200
    assert answer.json == {"id": "proyecto_real_1", "status": state}
    assert "Retry-After" not in answer.headers


def test_the_id_of_a_deleted_share_may_be_used_again(
    client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None]
) -> None:
    client.post("/tmpftp", json=body)
    move_share("proyecto_real_1", State.ELIMINANDO, State.ELIMINADO)
    answer = client.post("/tmpftp", json=body | {"vigencia": 5})
    assert answer.json == {"id": "proyecto_real_1", "status": "recibido"}
    assert client.get("/tmpftp/proyecto_real_1").json["vigencia"] == 5


@pytest.mark.parametrize(
    "other", [{"vigencia": 4}, {"usuario": "otra@dominio"}, {"ruta": "source1:/srv/datos/otro"}]
)
def test_refuses_an_id_in_use_with_another_body(
    client: FlaskClient, body: dict[str, Any], other: dict[str, Any], count_rows
) -> None:
    client.post("/tmpftp", json=body)
    answer = client.post("/tmpftp", json=body | other)
    assert answer.status_code == 409
    assert answer.mimetype == "application/problem+json"
    assert answer.json["title"] == "Id en uso"
    assert count_rows() == (1, 1)


@pytest.mark.parametrize("ruta", REFUSED_RUTAS.values(), ids=REFUSED_RUTAS.keys())
def test_refuses_a_bad_ruta(client: FlaskClient, body: dict[str, Any], ruta: str, count_rows) -> None:
    assert_refused(client, body | {"ruta": ruta}, {403, 422})
    assert count_rows() == (0, 0)


@pytest.mark.parametrize("share_id", REFUSED_IDS, ids=ascii)
def test_refuses_a_bad_id(client: FlaskClient, body: dict[str, Any], share_id: str, count_rows) -> None:
    assert_refused(client, body | {"id": share_id}, {422})
    assert count_rows() == (0, 0)


@pytest.mark.parametrize("usuario", REFUSED_USUARIOS, ids=lambda value: ascii(value)[:40])
def test_refuses_a_bad_usuario(client: FlaskClient, body: dict[str, Any], usuario: str, count_rows) -> None:
    assert_refused(client, body | {"usuario": usuario}, {422})
    assert count_rows() == (0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"vigencia": 0},
        {"vigencia": -1},
        {"vigencia": 91},
        {"vigencia": 10**30},
        {"vigencia": "3"},
        {"vigencia": 3.0},
        {"vigencia": 1e400},
        {"vigencia": True},
        {"vigencia": [3]},
        {"id": 7},
        {"id": None},
        {"id": ["a"]},
        {"usuario": None},
        {"usuario": {"a": 1}},
        {"ruta": 7},
        {"ruta": ["source1:/srv/datos/goes"]},
        {"password": "x"},
        {"ftpuser": "ftp_otro"},
        {"__proto__": {}},
        {"\x00": 1},
    ],
    ids=str,
)
def test_refuses_wrong_types_bounds_and_unknown_keys(
    client: FlaskClient, body: dict[str, Any], change: dict[str, Any], count_rows
) -> None:
    assert_refused(client, body | change, {422})
    assert count_rows() == (0, 0)


@pytest.mark.parametrize("missing", ["usuario", "id", "ruta"])
def test_names_a_missing_field(client: FlaskClient, body: dict[str, Any], missing: str) -> None:
    del body[missing]
    answer = client.post("/tmpftp", json=body)
    assert answer.status_code == 422
    assert answer.json["errores"] == [{"campo": missing, "mensaje": "falta este campo"}]


def test_names_every_wrong_field_at_once_without_repeating_what_was_sent(client: FlaskClient) -> None:
    answer = client.post("/tmpftp", json={"usuario": "secreto-1", "id": "secreto 2", "ruta": 3, "otra": 4})
    assert answer.status_code == 422
    assert {entry["campo"] for entry in answer.json["errores"]} == {"usuario", "id", "ruta", "otra"}
    assert "secreto" not in answer.text


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"nada", b'{"id": }', b"\xff\xfe", b'{"id": "a"', b"[" * 15000, b'{"a":' * 3000]
)
def test_malformed_json_is_400(client: FlaskClient, raw: bytes, count_rows) -> None:
    answer = client.post("/tmpftp", data=raw, content_type="application/json")
    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert count_rows() == (0, 0)


@pytest.mark.parametrize("raw", ["null", "1", '"texto"', "[]", "[{}]", "true", "NaN"])
def test_json_other_than_an_object_is_422(client: FlaskClient, raw: str) -> None:
    assert client.post("/tmpftp", data=raw, content_type="application/json").status_code == 422


@pytest.mark.parametrize("opening", ['{"a":', '{"a":[', '{"otra":1,"a":{"b":'])
def test_nested_deeper_than_20_levels_is_422(
    client: FlaskClient, body: dict[str, Any], count_rows, opening: str
) -> None:
    closing = "".join({"{": "}", "[": "]"}[character] for character in reversed(opening) if character in "{[")
    per_turn = len(closing)
    for turns in (20 // per_turn + 1, 300 // per_turn):
        raw = opening * turns + "0" + closing * turns
        answer = client.post("/tmpftp", data=raw, content_type="application/json")
        assert answer.status_code == 422
        assert "niveles" in answer.json["detail"]
    raw = opening * (20 // per_turn) + "0" + closing * (20 // per_turn)
    shallow = client.post("/tmpftp", data=raw, content_type="application/json")
    assert (shallow.status_code, "niveles" in shallow.text) == (422, False)
    assert count_rows() == (0, 0)


def test_json_inside_a_json_string_is_not_unpacked(
    client: FlaskClient, body: dict[str, Any], count_rows
) -> None:
    assert client.post("/tmpftp", json=json.dumps(body)).status_code == 422
    assert count_rows() == (0, 0)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_another_content_type_is_415(
    client: FlaskClient, body: dict[str, Any], content_type: str, count_rows
) -> None:
    answer = client.post("/tmpftp", data=json.dumps(body), content_type=content_type)
    assert answer.status_code == 415
    assert count_rows() == (0, 0)


def test_a_large_body_is_413(client: FlaskClient, body: dict[str, Any], settings, count_rows) -> None:
    padded = json.dumps(body | {"relleno": "x" * settings.max_body_bytes})
    answer = client.post("/tmpftp", data=padded, content_type="application/json")
    assert answer.status_code == 413
    assert answer.mimetype == "application/problem+json"
    assert count_rows() == (0, 0)


def test_a_missing_sources_file_is_503_without_its_path(
    client: FlaskClient, body: dict[str, Any], settings, count_rows
) -> None:
    settings.sources_file.unlink()
    answer = client.post("/tmpftp", json=body)
    assert answer.status_code == 503
    assert str(settings.sources_file) not in answer.text
    assert count_rows() == (0, 0)


def assert_refused(client: FlaskClient, body: dict[str, Any], http_statuses: set[int]) -> None:
    answer = client.post("/tmpftp", data=json.dumps(body), content_type="application/json")
    assert answer.status_code in http_statuses, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.json["title"]
    assert answer.json["detail"]
    assert "status" not in answer.json


def test_the_same_body_many_times_at_once_is_one_share(app: Flask, body: dict[str, Any], count_rows) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: app.test_client().post("/tmpftp", json=body), range(24)))
    assert {answer.status_code for answer in answers} == {202}
    assert count_rows() == (1, 1)


def test_of_many_bodies_with_one_id_at_once_one_is_accepted(
    app: Flask, body: dict[str, Any], count_rows
) -> None:
    bodies = [body | {"usuario": f"alguien{number}@dominio"} for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda one: app.test_client().post("/tmpftp", json=one), bodies))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 11
    assert count_rows() == (1, 1)
