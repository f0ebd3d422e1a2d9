from __future__ import annotations

import logging
from typing import Literal

import pytest
from flask import Flask
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import IntegrityError

from tempoftp.http.access import PUBLIC, allow
from tempoftp.http.problems import find_wrong_fields

HIDDEN = ("valor-oculto",)


def test_a_fault_is_a_500_that_reveals_only_the_request_id(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    @allow(PUBLIC)
    def fail() -> str:
        raise RuntimeError("detalle interno")

    app.add_url_rule("/falla", view_func=fail)
    with caplog.at_level(logging.ERROR):
        answer = app.test_client().get("/falla", headers={"X-Request-ID": "falla-1"})
    assert answer.status_code == 500
    assert answer.mimetype == "application/problem+json"
    assert set(answer.json) == {"codigo", "title", "detail"}
    assert "falla-1" in answer.json["detail"]
    assert "interno" not in answer.json["detail"]
    assert "Traceback" not in answer.text
    assert "detalle interno" in caplog.text


def test_the_values_of_a_statement_reach_neither_answer_nor_log(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    @allow(PUBLIC)
    def fail() -> str:
        raise IntegrityError("INSERT INTO accounts VALUES (?)", HIDDEN, Exception("UNIQUE failed"))

    app.add_url_rule("/falla", view_func=fail)
    with caplog.at_level(logging.ERROR):
        answer = app.test_client().get("/falla")
    assert answer.status_code == 500
    assert "UNIQUE failed" in caplog.text
    assert HIDDEN[0] not in caplog.text + answer.text


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    texto: str = Field(min_length=2, max_length=4, pattern="^[a-z]+$")
    numero: int = Field(ge=1, le=9)
    palabra: Literal["a", "b"]


VALID = {"texto": "abc", "numero": 3, "palabra": "a"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texto": 1}, "debe ser un texto"),
        ({"texto": "\ud800"}, "no es texto Unicode válido"),
        ({"texto": "a"}, "demasiado corto: al menos 2 caracteres"),
        ({"texto": "abcde"}, "demasiado largo: como mucho 4 caracteres"),
        ({"texto": "ABC"}, "no tiene la forma esperada"),
        ({"numero": "1"}, "debe ser un número entero"),
        ({"numero": 1.5}, "debe ser un número entero"),
        ({"numero": 0}, "debe ser al menos 1"),
        ({"numero": 10}, "debe ser como mucho 9"),
        ({"palabra": "c"}, "debe ser uno de 'a' o 'b'"),
        ({"otra": 1}, "campo desconocido"),
    ],
)
def test_errors_of_fields_are_in_spanish(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Strict.model_validate(VALID | change)
    (wrong,) = find_wrong_fields(caught.value)
    assert (wrong.name, wrong.word()) == (next(iter(change)), message)


def test_an_unknown_key_is_named_short_and_printable() -> None:
    with pytest.raises(ValidationError) as caught:
        Strict.model_validate({**VALID, "\x1b[31m" + "x" * 500: 1})
    (wrong,) = find_wrong_fields(caught.value)
    assert wrong.name.startswith("?[31mxxx")
    assert len(wrong.name) == 64


@pytest.mark.parametrize(
    "path", ["/nada", "/tmpftp/", "/tmpftp//a", "/tmpftp/a/b", "/%00", "/static/x", "/tmpftp/user/"]
)
def test_a_path_without_a_route_is_404(app: Flask, path: str) -> None:
    answer = app.test_client().get(path)
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
