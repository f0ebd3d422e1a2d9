"""The OpenAPI document. The schema library generates it from the routes and their schemas; this module adds the rest.

The rest is: who may call, headers, which bodies are optional, the problem documents, and examples.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Any, cast

import yaml
from flask import Flask
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel

from tempoftp.http.access import PUBLIC, Role, read_allowed
from tempoftp.http.body import is_body_optional
from tempoftp.http.context import get_context
from tempoftp.http.events import EventsAnswer
from tempoftp.http.origins import SAFE_METHODS
from tempoftp.http.problems import PROBLEM_JSON, ProblemDocument, document_refusals
from tempoftp.http.request_id import HEADER, PATTERN
from tempoftp.http.routes import SECURITY_SCHEME
from tempoftp.shares.fields import WIRES

Document = dict[str, Any]

_EXTENSION = "tempoftp_openapi"
_SCHEMAS: tuple[type[BaseModel], ...] = (ProblemDocument, EventsAnswer)
"""Schemas that the library does not find, because the routes name them only by a reference."""
_LIBRARY_ERROR = "ValidationErrorModel"
JSON = "application/json"
PARAMETERS = {
    "id": "proyecto_real_1",
    "ftpuser": "ftp_alguien_dominio",
    "archivo": "swagger-ui.css",
    "vista": "5d0c1f0e9a8b4c7d8e6f1a2b3c4d5e6f",
    "token": "WyJwcm95ZWN0b19yZWFsXzEiLDEsMCwxNzk1NTAwMDAwXQ.firma",
}
"""Examples of the parameters in paths."""

_ROLES = {
    PUBLIC: "Anybody may call it.",
    Role.CLIENTE: "For `cliente` and `operador`.",
    Role.OPERADOR: "Only for `operador`.",
}
_HEADERS = {
    HEADER: {
        "description": "The request's identifier: the one that was sent if it is well-formed, else a new one.",
        "schema": {"type": "string"},
        "required": True,
    },
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Location": {
        "description": "Path of what was asked for, or of the page.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {"description": "What is to be sent.", "schema": {"type": "string"}},
}
_HEADERS_OF_STATUS = {
    "202": ("Retry-After",),
    "303": ("Location",),
    "401": ("WWW-Authenticate",),
    "429": ("Retry-After",),
    "503": ("Retry-After",),
}
_HEADERS_OF_OPERATION = dict.fromkeys(
    ("post_share", "retry_share", "restore_share", "post_preview", "get_preview"), ("Location",)
)


def get_document(app: Flask) -> Document:
    """Return the document of `app`, which is built at the first call."""
    if _EXTENSION not in app.extensions:
        app.extensions[_EXTENSION] = build_document(cast(OpenAPI, app), get_context().settings.path_prefix)
    return cast(Document, app.extensions[_EXTENSION])


def build_document(app: OpenAPI, prefix: str = "") -> Document:
    """Return the library's document, completed. The paths are below `prefix`."""
    document: Document = copy.deepcopy(app.api_doc)
    schemas = document["components"]["schemas"]
    schemas.pop(_LIBRARY_ERROR, None)
    for model in _SCHEMAS:
        schema = model.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {}) | {model.__name__: schema}
    document["components"]["headers"] = dict(_HEADERS)
    if prefix:
        document["servers"] = [{"url": prefix}]
    document["components"]["parameters"] = {HEADER: _build_request_id()}
    views = dict(_iterate_views(app))
    for path, item in document["paths"].items():
        for method, operation in item.items():
            view = views[method.upper(), path]
            if method.upper() not in SAFE_METHODS:  # any change can come from another site's page
                operation["responses"] |= {
                    str(status): said for status, said in document_refusals(403).items()
                }
            _complete_operation(operation, view)
            _add_examples(operation, load_cases().get(f"{method.upper()} {path}", []))
    return document


def _iterate_views(app: Flask) -> Iterator[tuple[tuple[str, str], Any]]:
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<path:", "<").replace("<", "{").replace(">", "}")
        for method in rule.methods or ():
            yield (method, path), app.view_functions[rule.endpoint]


def _build_request_id() -> dict[str, Any]:
    return {
        "name": HEADER,
        "in": "header",
        "required": False,
        "description": f"An identifier of your own for this request. One that is not `{PATTERN}` is replaced.",
        "schema": {"type": "string"},
    }


def _complete_operation(operation: Document, view: Any) -> None:
    role = read_allowed(view)
    operation["description"] = "\n\n".join(filter(None, (operation.get("description"), _ROLES[role])))
    # OpenAPI 3.1 allows names of roles here for schemes without scopes.
    operation["security"] = [] if role is PUBLIC else [{SECURITY_SCHEME: [role.value]}]
    operation.setdefault("parameters", []).append({"$ref": f"#/components/parameters/{HEADER}"})
    if is_body_optional(view):
        operation["requestBody"]["required"] = False
    responses = operation["responses"]
    if _LIBRARY_ERROR in str(responses.get("422")):
        del responses["422"]  # the library adds it to every route, also to those without a parameter
    for status, response in responses.items():
        if "text/html" in response.get("content", {}) and int(status) >= 400:
            continue  # an answer of the HTTP server, which does not have these headers
        names = (HEADER, *_HEADERS_OF_STATUS.get(status, ()))
        if status.startswith("2"):
            names += _HEADERS_OF_OPERATION.get(operation["operationId"], ())
        refs = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        response["headers"] = (response.get("headers") or {}) | refs


def _add_examples(operation: Document, cases: list[dict[str, Any]]) -> None:
    for parameter in operation["parameters"]:
        name = parameter.get("name")
        if parameter.get("in") == "path" and name in PARAMETERS:
            parameter["example"] = PARAMETERS[name]
        for case in cases:
            if parameter.get("in") == "query" and name in case.get("query", {}):
                parameter["example"] = case["query"][name]
    for number, case in enumerate(cases, start=1):
        if "request" in case and case["status"] < 400:
            _name_example(operation["requestBody"]["content"][JSON], number, case["request"])
        content = operation["responses"][str(case["status"])]["content"]
        _name_example(content[JSON if case["status"] < 400 else PROBLEM_JSON], number, case["answer"])


def _name_example(media: Document, number: int, value: Any) -> None:
    media.setdefault("examples", {})[f"caso_{number}"] = {"value": value}


@lru_cache(maxsize=1)
def load_cases() -> dict[str, list[dict[str, Any]]]:
    """Return the cases of `examples.yml` by method and path; each has a status, an answer and perhaps a request."""
    text = files("tempoftp.http").joinpath("examples.yml").read_text(encoding="utf-8")
    return cast("dict[str, list[dict[str, Any]]]", complete_examples(yaml.safe_load(text)))


def complete_examples(value: Any) -> Any:
    """Return examples in which a reported field that they leave out is null: a new field changes no example."""
    if isinstance(value, list):
        return [complete_examples(item) for item in value]
    if not isinstance(value, dict):
        return value
    completed = {name: complete_examples(item) for name, item in value.items()}
    for group in {wire.group for wire in WIRES.values()}:
        if isinstance(completed.get(group), dict):
            unknown = {wire.name: None for wire in WIRES.values() if wire.group == group}
            completed[group] = unknown | completed[group]
    return completed
