"""Checks of a request's body before its schema is applied: size, content type, valid JSON, an object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from flask import Flask, current_app, request
from pydantic import BaseModel, ConfigDict, model_validator
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from tempoftp.http.problems import Problem

_ATTRIBUTE = "tempoftp_body_optional"
View = TypeVar("View", bound=Callable[..., Any])
MAX_DEPTH = 20
"""Most levels of lists and objects in a body; no request needs more than three."""


def require_json_object() -> None:
    """Refuse a body that is not JSON (415 by its type, 400 by its content) or not an object (422).

    The schema library ignores errors of JSON: without this check it takes malformed JSON for a missing body, and
    unpacks a JSON string that contains JSON. The content type is required even where the body may be left out: a web
    page of another site cannot make a browser send it.
    """
    if not request.is_json:
        raise UnsupportedMediaType
    view = current_app.view_functions.get(request.endpoint or "")
    if is_body_optional(view) and not request.content_length and "Transfer-Encoding" not in request.headers:
        return
    _refuse_truncated_body()
    try:
        body = request.get_json()
    except RecursionError as error:  # thousands of nested brackets
        raise BadRequest from error
    if not isinstance(body, dict):
        raise Problem("body_not_object")
    if is_deeper_than(body, MAX_DEPTH):
        raise Problem("body_too_deep", {"levels": MAX_DEPTH})


def is_deeper_than(value: dict[str, object], levels: int) -> bool:
    """Whether lists and objects are nested more than `levels` deep."""
    inside: list[object] = [value]
    for _ in range(levels):
        inside = [part for container in inside for part in _iterate_parts(container)]
    return bool(inside)


def _iterate_parts(container: Any) -> Iterator[object]:
    parts = container.values() if isinstance(container, dict) else container
    return (part for part in parts if isinstance(part, dict | list))


def allow_empty(view: View) -> View:
    """Make a view's body optional; its schema is an `OptionalBody`. Put it below the route's decorator."""
    setattr(view, _ATTRIBUTE, True)
    return view


def is_body_optional(view: Callable[..., Any] | None) -> bool:
    """Whether the body of a view's requests may be left out."""
    return bool(getattr(view, _ATTRIBUTE, False))


class OptionalBody(BaseModel):
    """Base of a body that may be left out. Unknown keys and loose types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _take_nothing(cls, value: object) -> object:
        return {} if value is None else value


def _refuse_large_body() -> None:
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    if limit is not None and (request.content_length or 0) > limit:
        raise RequestEntityTooLarge


def _refuse_truncated_body() -> None:
    # Werkzeug cuts a chunked body (which has no length) at the limit and reports no error.
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    if request.content_length is None and len(request.get_data()) >= limit:
        raise RequestEntityTooLarge


def init_body_limit(app: Flask, max_bytes: int) -> None:
    """Answer 413 to a larger body on every route, also on routes that read no body."""
    app.config["MAX_CONTENT_LENGTH"] = max_bytes
    app.before_request(_refuse_large_body)
