"""Quotas over HTTP: refused in words, shown to operators, and no limit for them."""

from __future__ import annotations

import pytest
from flask import Flask

from tempoftp.access.tokens import Role
from tempoftp.app import create_app
from tempoftp.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"quota_person_open": 2, "quota_token_shares": 3})


@pytest.fixture
def app(settings: Settings):
    app = create_app(settings)
    yield app
    app.extensions["tempoftp"].database.close()


def ask(app: Flask, header: dict[str, str], share_id: str, usuario: str = "ana@dominio"):
    body = {"usuario": usuario, "id": share_id, "ruta": "source1:/srv/datos/a"}
    return app.test_client().post("/tmpftp", json=body, headers=header)


def test_too_many_open_requests_of_a_person_are_429(app: Flask, make_token, count_rows) -> None:
    header = make_token("ana@dominio")
    assert [ask(app, header, f"s{number}").status_code for number in range(2)] == [202, 202]
    before = count_rows()
    answer = ask(app, header, "s2")
    assert (answer.status_code, answer.json["codigo"]) == (429, "quota_person_open")
    assert "2 solicitudes en camino" in answer.json["detail"]
    assert int(answer.headers["Retry-After"]) > 0
    assert count_rows() == before
    assert ask(app, header, "s1").status_code == 202  # the same body again


def test_too_many_shares_of_a_token_are_403(app: Flask, make_token) -> None:
    header = make_token("*")
    for number in range(3):
        assert ask(app, header, f"s{number}", f"p{number}@dominio").status_code == 202
    answer = ask(app, header, "s3", "p3@dominio")
    assert (answer.status_code, answer.json["codigo"]) == (403, "quota_token_shares")
    assert "Retry-After" not in answer.headers
    other = make_token("p3@dominio", name="otra")
    assert ask(app, other, "s3", "p3@dominio").status_code == 202


def test_operators_are_not_bound_and_see_who_is_near(app: Flask, make_token) -> None:
    operator, client = make_token(role=Role.OPERADOR, name="operacion"), make_token("*")
    for number in range(4):
        assert ask(app, operator, f"s{number}").status_code == 202
    seen = app.test_client().get("/health", headers=operator).json["cuotas"]
    assert [(entry["de"], entry["nombre"]) for entry in seen] == [
        ("persona", "ana@dominio"),
        ("token", "operacion"),
    ]
    assert seen[0]["abiertas"] == {"hay": 4, "limite": 2}
    assert app.test_client().get("/health", headers=client).json["cuotas"] == []
