from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from tempoftp.db.models import Account, FtpHost
from tempoftp.states import State

ODD_IDS = [
    *(
        "nada",
        "..",
        "%2e%2e",
        "%00",
        "%0a",
        "a%00b",
        "a%0ab",
        "%ff%fe",
        "ñ",
        "a" * 300,
        "%7B%7B7*7%7D%7D",
        "-x",
    ),
    *("expired", "user", "a.b", "a%20b", "a%2fb", "%24%28id%29", "%27%20OR%201=1", "%ed%a0%80"),
]


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ((), "recibido"),
        ((State.PREPARANDO,), "preparando"),
        ((State.PREPARANDO, State.TRASLADO), "traslado"),
        ((State.ELIMINANDO,), "eliminando"),
        ((State.LISTO, State.EXPIRANDO), "expirando"),
    ],
)
def test_is_202_while_work_goes_on(
    client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None], states, status: str
) -> None:
    client.post("/tmpftp", json=body)
    move_share(body["id"], *states)
    answer = client.get("/tmpftp/proyecto_real_1")
    assert answer.status_code == 202
    assert answer.json["status"] == status
    assert int(answer.headers["Retry-After"]) > 0
    assert "password" not in answer.json


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ((State.LISTO,), "listo"),
        ((State.ERROR,), "error"),
        ((State.LISTO, State.BLOQUEADO), "bloqueado"),
        ((State.LISTO, State.EXPIRANDO, State.EXPIRADO), "expirado"),
    ],
)
def test_is_200_once_settled(
    client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None], states, status: str
) -> None:
    client.post("/tmpftp", json=body)
    move_share(body["id"], *states)
    answer = client.get("/tmpftp/proyecto_real_1")
    assert answer.status_code == 200
    assert answer.json["status"] == status
    assert "Retry-After" not in answer.headers
    assert ("password" in answer.json) is (status == "listo")


STORED_HASH = "$6$nosecret$" + "x" * 86


def test_answers_how_far_the_copy_is(
    client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None]
) -> None:
    client.post("/tmpftp", json=body)
    move_share(
        body["id"],
        *(State.PREPARANDO, State.TRASLADO),
        **{"bytes_done": 25, "bytes_total": 100, "files_done": 1, "files_total": 4},
        **{"percent": 25.0, "rate": 10.0, "eta": 120.0},
    )
    answer = client.get("/tmpftp/proyecto_real_1")
    assert answer.json["progreso"] == {
        **{"bytes": 25, "total": 100, "archivos": 1, "archivos_total": 4},
        **{"porcentaje": 25.0, "velocidad": 10.0, "eta": 120.0},
    }
    assert answer.headers["Retry-After"] == "12"


def test_answers_how_to_log_in_when_ready(
    client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None], context, settings
) -> None:
    client.post("/tmpftp", json=body)
    now = datetime.now(UTC)
    path = "/data/ftp_alguien_dominio/proyecto_real_1"
    move_share(body["id"], State.LISTO, path=path, ready_at=now, expires=now + timedelta(days=3))
    with context.database.write() as session:
        host = settings.ftp_host_names[0]
        server = {"host": "ftp.example.org", "port": 21, "tls": True, "fingerprint": "sha256:AA:BB"}
        session.merge(FtpHost(name=host, facts={"server": server}, facts_at=now, paused=False))
    share = client.get("/tmpftp/proyecto_real_1").json
    assert share["usuario"] == share["ftpuser"] == "ftp_alguien_dominio"
    assert share["password_tipo"] == "fernet"
    assert len(settings.build_fernet().decrypt(share["password"])) >= 16
    assert share["vigencia"] == 3
    assert share["expira"] == (now + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert share["servidor"] == {
        "host": "ftp.example.org",
        "puerto": 21,
        "tls": True,
        "huella": "sha256:AA:BB",
    }
    assert share["homedir"] == "/data/ftp_alguien_dominio"
    assert share["directorio"] == path
    assert set(share["descargas"]) >= {"total_descargas", "ultima_descarga"}


def test_a_later_share_of_the_account_gives_the_hash(
    client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None], context
) -> None:
    with context.database.write() as session:
        earlier = datetime.now(UTC) - timedelta(days=1)
        session.add(
            Account(
                name="ftp_alguien_dominio",
                email="alguien@dominio",
                ftp_host="simulado",
                password_hash=STORED_HASH,
                exists_since=earlier,
                created_at=earlier,
            )
        )
    client.post("/tmpftp", json=body)
    move_share(body["id"], State.LISTO)
    share = client.get("/tmpftp/proyecto_real_1").json
    assert (share["password_tipo"], share["password"]) == ("hash", STORED_HASH)


def test_text_is_utf8_not_escapes(client: FlaskClient, body: dict[str, Any]) -> None:
    client.post("/tmpftp", json=body | {"ruta": "source1:/srv/datos/año"})
    assert "/srv/datos/año" in client.get("/tmpftp/proyecto_real_1").data.decode()


@pytest.mark.parametrize("share_id", ODD_IDS)
def test_an_id_without_a_share_is_404(client: FlaskClient, share_id: str) -> None:
    answer = client.get(f"/tmpftp/{share_id}")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert "status" not in answer.json


def test_a_deleted_share_is_404(
    client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None]
) -> None:
    client.post("/tmpftp", json=body)
    move_share(body["id"], State.ELIMINANDO, State.ELIMINADO)
    assert client.get("/tmpftp/proyecto_real_1").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "TRACE", "BREW"])
def test_another_method_is_405(client: FlaskClient, method: str) -> None:
    answer = client.open("/tmpftp/proyecto_real_1", method=method)
    assert answer.status_code == 405
    assert answer.mimetype == "application/problem+json"
    assert {"GET", "DELETE"} <= set(answer.headers["Allow"].split(", "))
