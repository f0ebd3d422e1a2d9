"""`GET /openapi.json`: a valid and complete OpenAPI 3.1 document; and `/docs`, which shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

Operation = dict[str, Any]
SERVERS_OWN = {"414", "431"}
"""Answered by the HTTP server before the API sees the request."""


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    return client.get("/openapi.json").json


def iterate_operations(document: dict[str, Any]) -> Iterator[tuple[str, Operation]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_operation_documents_its_role_and_its_answers(document: dict[str, Any]) -> None:
    names = set()
    for name, operation in iterate_operations(document):
        names.add(operation["operationId"])
        assert operation["summary"] and operation["description"] and operation["tags"], name
        assert operation["security"] in ([], [{"token": ["cliente"]}], [{"token": ["operador"]}]), name
        is_public = operation["security"] == []
        assert ("401" in operation["responses"]) != is_public, name
        if operation["security"] == [{"token": ["operador"]}]:
            assert "403" in operation["responses"], name
        assert "429" in operation["responses"]
        own = {key: value for key, value in operation["responses"].items() if key not in SERVERS_OWN}
        assert set(operation["responses"]) - set(own) == SERVERS_OWN
        for status, response in own.items():
            assert response["description"], (name, status)
            assert "X-Request-ID" in response["headers"], (name, status)
            if 300 <= int(status) < 400:
                assert "content" not in response, (name, status)
                continue
            if int(status) >= 400:
                assert set(response["content"]) == {"application/problem+json"}, (name, status)
            assert all("schema" in media for media in response["content"].values()), (name, status)
    assert len(names) == len(list(iterate_operations(document)))


def test_an_optional_body_is_not_required(document: dict[str, Any]) -> None:
    required = {
        name: operation["requestBody"]["required"]
        for name, operation in iterate_operations(document)
        if "requestBody" in operation
    }
    assert {name for name, value in required.items() if value} == {
        "POST /tmpftp",
        "PATCH /tmpftp/{id}",
        "POST /tmpftp/auditoria",
        "POST /tmpftp/vista_previa",
        "POST /enlace/{token}/prorroga",
    }


def test_the_librarys_own_schemas_are_removed(document: dict[str, Any]) -> None:
    assert "ValidationErrorModel" not in str(document)
    assert "422" not in document["paths"]["/health"]["get"]["responses"]


def test_every_json_answer_of_success_has_an_example(document: dict[str, Any]) -> None:
    for name, operation in iterate_operations(document):
        shown = [
            media
            for status, response in operation["responses"].items()
            if int(status) < 400
            for kind, media in response.get("content", {}).items()
            if kind == "application/json" and "$ref" in media["schema"]
        ]
        assert not shown or any("examples" in media for media in shown), name
        for parameter in operation["parameters"]:
            assert parameter.get("in") != "path" or "example" in parameter, name


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    checked = 0
    for name, operation in iterate_operations(document):
        media = [*operation.get("requestBody", {}).get("content", {}).values()]
        media += [
            media
            for response in operation["responses"].values()
            for media in response.get("content", {}).values()
        ]
        for entry in media:
            schema = entry["schema"] | {"components": document["components"]}
            for example in entry.get("examples", {}).values():
                errors = [error.message for error in OAS31Validator(schema).iter_errors(example["value"])]
                assert errors == [], name
                checked += 1
    assert checked > 20


def test_docs_uses_only_files_of_this_service(client: FlaskClient) -> None:
    page = client.get("/docs")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    used = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert used
    for target in used:
        assert not re.match(r"\w+:|//", target)
    kinds = {}
    for target in used:
        with client.get(f"/{target}") as answer:
            assert answer.status_code == 200, target
            kinds[target] = answer.mimetype
    assert kinds["docs/swagger-ui-bundle.js"] == kinds["docs/start.js"] == "text/javascript"
    assert kinds["docs/swagger-ui.css"] == "text/css"
    script = client.get("/docs/start.js").text
    assert 'url: "openapi.json"' in script
    assert "//" not in script


@pytest.mark.parametrize("name", ["nada.js", "..%2f__init__.py", "%2e%2e", "css"])
def test_docs_has_no_other_file(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/docs/{name}")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
