"""docs/api.md names every route, answer and key of the API, and no other."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel, ConfigDict, TypeAdapter

from tempoftp.cli.main import main
from tempoftp.http.accounts import AccountDeletionAnswer
from tempoftp.http.answers import ShareAnswer
from tempoftp.http.audits import AuditAnswer, AuditOrder
from tempoftp.http.credentials import CredentialsAnswer, PasswordAnswer
from tempoftp.http.events import EventsAnswer
from tempoftp.http.extensions import (
    DecisionAnswer,
    ExtensionAnswer,
    ExtensionBody,
    ExtensionsAnswer,
    GrantRequest,
    RefuseRequest,
)
from tempoftp.http.hosts import PauseAnswer, PauseRequest, ResumeRequest
from tempoftp.http.links import (
    LinkAnswer,
    NewLinkAnswer,
    RenewAnswer,
    RenewRequest,
    RevokedAnswer,
)
from tempoftp.http.openapi import complete_examples, load_cases
from tempoftp.http.previews import PreviewAnswer, PreviewOrder
from tempoftp.http.share_changes import (
    BlockAnswer,
    BlockRequest,
    DeletionAnswer,
    ExpiryAnswer,
    LifetimeAnswer,
    LifetimeRequest,
    UnblockRequest,
)
from tempoftp.http.shares import AcceptedAnswer, ListAnswer
from tempoftp.http.system import HealthAnswer, RootAnswer
from tempoftp.shares.schemas import RESERVED_IDS, ShareRequest

TEXT = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
SECTIONS = {
    match["route"]: match["text"]
    for match in re.finditer(
        r"^## `(?P<route>[A-Z]+ /\S*)`\n(?P<text>.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL
    )
}
# The JSON blocks of each section, in their order.
EXAMPLES: dict[str, list[type[BaseModel]]] = {
    "POST /tmpftp": [ShareRequest, AcceptedAnswer],
    "GET /tmpftp/{id}": [ShareAnswer, ShareAnswer],
    "GET /tmpftp": [ListAnswer],
    "DELETE /tmpftp/{id}": [DeletionAnswer],
    "PATCH /tmpftp/{id}": [LifetimeRequest, LifetimeAnswer],
    "POST /tmpftp/{id}/bloquear": [BlockRequest, BlockAnswer],
    "POST /tmpftp/{id}/desbloquear": [UnblockRequest, BlockAnswer],
    "POST /tmpftp/{id}/reintentar": [AcceptedAnswer],
    "POST /tmpftp/{id}/credenciales": [CredentialsAnswer],
    "POST /tmpftp/{id}/restaurar": [AcceptedAnswer],
    "POST /tmpftp/{id}/password": [PasswordAnswer],
    "GET /tmpftp/{id}/eventos": [EventsAnswer],
    "DELETE /tmpftp/user/{ftpuser}": [AccountDeletionAnswer],
    "DELETE /tmpftp/expired": [ExpiryAnswer],
    "GET /tmpftp/auditoria": [AuditAnswer],
    "POST /tmpftp/auditoria": [AuditOrder],
    "POST /tmpftp/vista_previa": [PreviewOrder, PreviewAnswer],
    "GET /tmpftp/vista_previa/{vista}": [PreviewAnswer],
    "GET /tmpftp/prorrogas": [ExtensionsAnswer],
    "POST /tmpftp/{id}/prorroga/aceptar": [GrantRequest, DecisionAnswer],
    "POST /tmpftp/{id}/prorroga/rechazar": [RefuseRequest, DecisionAnswer],
    "POST /tmpftp/{id}/enlace": [NewLinkAnswer],
    "DELETE /tmpftp/{id}/enlace": [RevokedAnswer],
    "GET /enlace/{token}": [LinkAnswer],
    "POST /enlace/{token}/credenciales": [CredentialsAnswer],
    "POST /enlace/{token}/password": [RenewRequest, RenewAnswer],
    "POST /enlace/{token}/prorroga": [ExtensionBody, ExtensionAnswer],
    "GET /": [RootAnswer],
    "GET /health": [HealthAnswer],
    "GET /openapi.json": [],
    "GET /docs": [],
    "GET /docs/{archivo}": [],
    "GET /metrics": [],
    "GET /tmpftp/{id}/log": [],
    "POST /pausar": [PauseRequest, PauseAnswer],
    "POST /reanudar": [ResumeRequest, PauseAnswer],
}


# Documented once for all routes, in the table of refusals.
COMMON = {"401", "414", "421", "429", "431"}


def read_routes(app: Flask) -> set[str]:
    return {
        f"{method} {rule.rule.replace('<', '{').replace('>', '}')}"
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("portal.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def read_blocks(section: str) -> list[str]:
    return re.findall(r"^```json\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL)


def parse_example(block: str) -> Any:
    """Return a JSON example; a reported field that it leaves out is null."""
    return complete_examples(json.loads(block))


def test_every_route_is_documented_and_every_documented_route_exists(app: Flask) -> None:
    assert set(SECTIONS) == read_routes(app)


def test_the_overview_names_the_same_routes() -> None:
    overview = TEXT[: TEXT.index("## Refusals")]
    assert set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", overview, re.MULTILINE)) == set(SECTIONS)


def test_the_openapi_document_names_the_same_routes(client: FlaskClient) -> None:
    paths = client.get("/openapi.json").json["paths"]
    assert {f"{method.upper()} {path}" for path, item in paths.items() for method in item} == set(SECTIONS)


@pytest.mark.parametrize("route", SECTIONS)
def test_every_answer_of_a_route_is_documented_and_declared(client: FlaskClient, route: str) -> None:
    method, path = route.split()
    rows = re.findall(r"^\| ([\d, ]+) \|", SECTIONS[route], re.MULTILINE)
    documented = {code for row in rows for code in row.split(", ")}
    declared = set(client.get("/openapi.json").json["paths"][path][method.lower()]["responses"]) - COMMON
    # The schema library declares its own 422 on every route, also on those without parameters.
    assert documented == declared - ({"422"} - documented)
    assert {"200", "202"} & documented


@pytest.mark.parametrize("route", SECTIONS)
def test_examples_have_the_keys_of_the_answers(route: str) -> None:
    blocks = read_blocks(route)
    assert len(blocks) == len(EXAMPLES[route])
    for block, model in zip(blocks, EXAMPLES[route], strict=True):
        example = parse_example(block)
        assert TypeAdapter(forbid_extra(model)).validate_python(example)


@pytest.mark.parametrize("route", SECTIONS)
def test_examples_are_those_of_the_openapi_document(route: str) -> None:
    cases = load_cases().get(route, [])
    known = [case[part] for case in cases for part in ("request", "answer") if part in case]
    for block in read_blocks(route):
        assert parse_example(block) in known


@pytest.mark.parametrize("route", ["GET /", "GET /health", "GET /tmpftp"])
def test_examples_have_the_keys_of_real_answers(client: FlaskClient, route: str) -> None:
    answer = client.get(route.split()[1]).json
    assert set(parse_example(read_blocks(route)[0])) == set(answer) - {"codigo", "title", "detail"}


def test_the_example_of_a_share_has_the_keys_of_a_real_one(client: FlaskClient, move_share) -> None:
    request = parse_example(read_blocks("POST /tmpftp")[0])
    assert client.post("/tmpftp", json=request).json == parse_example(read_blocks("POST /tmpftp")[1])
    on_its_way, ready = (parse_example(block) for block in read_blocks("GET /tmpftp/{id}"))
    assert set(client.get(f"/tmpftp/{request['id']}").json) == set(on_its_way)
    move_share(request["id"], "listo")
    shown = client.get(f"/tmpftp/{request['id']}").json
    assert set(shown) == set(ready)
    for key in ("progreso", "servidor", "entrega", "descargas", "omitidos"):
        assert set(shown[key]) == set(ready[key])
    listed = client.get("/tmpftp").json["solicitudes"][0]
    assert set(parse_example(read_blocks("GET /tmpftp")[0])["solicitudes"][0]) == set(listed)


def test_the_example_of_a_refusal_is_what_the_api_answers(client: FlaskClient) -> None:
    example = re.search(r"^```json\n(.*?)^```", TEXT[TEXT.index("## Refusals") :], re.MULTILINE | re.DOTALL)
    assert example is not None
    body = {"usuario": "alguien", "ruta": "source1:/srv/datos/goes", "vigencia": "3"}
    assert client.post("/tmpftp", json=body).json == parse_example(example[1])


def test_common_refusals_are_in_the_table_of_refusals() -> None:
    table = TEXT[TEXT.index("## Refusals") : TEXT.index("## `POST /tmpftp`")]
    assert set(re.findall(r"^\| (\d+) \|", table, re.MULTILINE)) >= COMMON


def test_reserved_ids_and_settings_are_named() -> None:
    for word in RESERVED_IDS:
        assert f"`{word}`" in SECTIONS["POST /tmpftp"]


def test_every_command_line_exists() -> None:
    lines = re.findall(r"^\$ (tempoftp .*)$", TEXT, re.MULTILINE)
    assert lines
    for line in lines:
        name, *arguments = shlex.split(line)[1:]
        command = main.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        command.make_context(name, arguments)


def forbid_extra(model: type[BaseModel]) -> type[BaseModel]:
    """The same model, but one that refuses keys it does not have."""
    return type(model.__name__, (model,), {"model_config": ConfigDict(extra="forbid")})
