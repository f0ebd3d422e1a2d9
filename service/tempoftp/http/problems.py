"""Every refusal of the API as `application/problem+json` (RFC 9457): `codigo`, `title`, `detail`, at times `errores`.

The integer member `status` of the RFC is left out on purpose: clients of this API read a share's state in `status`.
The texts are in `wording.py`. No answer repeats what the client sent, nor the text of an exception.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.exc import OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response as WerkzeugResponse

from tempoftp.http.request_id import get_request_id
from tempoftp.http.wording import FIELDS, HTTP_CODES, REFUSALS
from tempoftp.phrases import Translate, fill, keep
from tempoftp.refusals import ConfirmationNeeded, InvalidRequest, Refused
from tempoftp.settings import SettingsError

PROBLEM_JSON = "application/problem+json"
DATABASE_RETRY_SECONDS = 5
BUSY_RETRY_SECONDS = 5
NAMED_FIELDS = 10
"""So many wrong fields are in `detail`; `errores` has up to `LISTED_FIELDS`."""
LISTED_FIELDS = 50

logger = logging.getLogger(__name__)

# (field, type of pydantic's error) → code
_FIELD_RULES: dict[tuple[str, str], str] = {
    ("id", "string_pattern_mismatch"): "id_malformed",
    ("id", "value_error"): "id_reserved",
    ("usuario", "value_error"): "email_malformed",
}


class FieldError(BaseModel):
    """One thing that is wrong with what was sent."""

    campo: str
    mensaje: str


class ProblemDocument(BaseModel):
    """A refusal (RFC 9457), without the integer `status`: that name is a share's state."""

    codigo: str = Field(
        description="What was refused, for programs: a stable snake_case word.", examples=["id_in_use"]
    )
    title: str
    detail: str = Field(description="What is wrong and what to do, in Spanish.")
    errores: list[FieldError] = Field(
        default_factory=list, description="Field by field, where fields are wrong."
    )


@dataclass(frozen=True, slots=True)
class WrongField:
    """One wrong field: its name on the wire, and the text that says what is wrong with it."""

    name: str
    text: str
    params: Mapping[str, object] = field(default_factory=dict)

    def word(self, translate: Translate = keep) -> str:
        """Return what is wrong with it."""
        return fill(self.text, self.params, translate)


class Problem(Exception):  # noqa: N818 - the RFC's word
    """A refusal that an endpoint raises; answered as problem details with the HTTP status of its code.

    `http_status` is given only where the code does not decide it. `members` are further members of the body.
    """

    def __init__(
        self,
        code: str,
        params: Mapping[str, object] | None = None,
        *,
        http_status: int | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
        fields: Sequence[WrongField] = (),
    ) -> None:
        super().__init__(code)
        self.code = code
        self.params = dict(params or {})
        self.http_status = http_status or REFUSALS[code].http_status
        self.headers = dict(headers or {})
        self.members = dict(members or {})
        self.fields = fields

    def word_title(self, translate: Translate = keep) -> str:
        """Return what was refused, in a few words."""
        return fill(REFUSALS[self.code].title, {}, translate)

    def word_detail(self, translate: Translate = keep) -> str:
        """Return what was wrong and what to do."""
        if self.code == "fields_invalid":
            return "; ".join(f"{wrong.name}: {wrong.word(translate)}" for wrong in self.fields[:NAMED_FIELDS])
        return fill(REFUSALS[self.code].detail, self.params, translate)


class ProblemResponse(Response):
    """The answer to a refused request. It keeps the problem, so that the portal can make a page of it."""

    problem: Problem


def build_problem(problem: Problem) -> ProblemResponse:
    """Translate a `Problem` into its answer."""
    body: dict[str, object] = {
        "codigo": problem.code,
        "title": problem.word_title(),
        "detail": problem.word_detail(),
        **problem.members,
    }
    if problem.fields:
        body["errores"] = [
            {"campo": wrong.name, "mensaje": wrong.word()} for wrong in problem.fields[:LISTED_FIELDS]
        ]
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")) + "\n"
    response = ProblemResponse(text, status=problem.http_status, content_type=PROBLEM_JSON)
    response.headers.update(problem.headers)
    response.problem = problem
    return response


def build_not_found() -> Problem:
    """The answer for a share that is unknown or already deleted: the two are not told apart."""
    return Problem("share_not_found")


def find_http_status(error: Refused) -> int:
    """Return the HTTP status of a refusal of the domains."""
    return REFUSALS[error.code].http_status


def word_refusal(error: Refused, translate: Translate = keep) -> str:
    """Return what was wrong and what to do, of a refusal of the domains."""
    return _translate_refusal(error).word_detail(translate)


def find_wrong_fields(error: ValidationError) -> list[WrongField]:
    """One entry for each thing wrong, without the values that the client sent."""
    return [_read_field_error(item) for item in error.errors(include_url=False, include_input=False)]


def _read_field_error(item: Mapping[str, Any]) -> WrongField:
    place = item["loc"]
    values = dict(item.get("ctx") or {})
    if "expected" in values:
        values["expected"] = str(values["expected"]).replace(" or ", " o ")
    kind = str(item["type"])
    code = _FIELD_RULES.get((str(place[0]) if place else "", kind), kind)
    name = ".".join(str(part) for part in place) or "cuerpo"
    return WrongField(_clip_field(name), FIELDS.get(code, FIELDS["value_invalid"]), values)


def _clip_field(name: str) -> str:
    """An unknown key is the client's own text: kept short, and free of control characters and surrogates."""
    readable = "".join(character if character.isprintable() else "?" for character in name)
    return readable if len(readable) <= 64 else readable[:63] + "…"


def build_validation_problem(error: ValidationError) -> Response:
    """422 that names every wrong field at once, so that one correction is enough."""
    return build_problem(Problem("fields_invalid", fields=find_wrong_fields(error)))


def _answer_http_exception(error: HTTPException) -> WerkzeugResponse:
    if error.response is not None or error.code is None or error.code < 400:
        return error.get_response()
    if error.code >= 500:
        return build_problem(_build_failure(error.code))
    headers = {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = _join_methods(error.valid_methods)
    code = HTTP_CODES.get(error.code, "refused")
    return build_problem(Problem(code, http_status=error.code, headers=headers))


def _join_methods(methods: Iterable[str]) -> str:
    return ", ".join(sorted(methods))


def _build_failure(http_status: int) -> Problem:
    return Problem("internal_error", {"id": get_request_id()}, http_status=http_status)


def _translate_refusal(error: Refused) -> Problem:
    members: dict[str, object] = {}
    fields: list[WrongField] = []
    if isinstance(error, InvalidRequest):
        fields = [WrongField(error.field, REFUSALS[error.code].detail, error.params)]
    if isinstance(error, ConfirmationNeeded):
        members["abre"] = error.opens
    http_status = REFUSALS[error.code].http_status
    headers = {"Retry-After": str(BUSY_RETRY_SECONDS)} if http_status == 429 else {}
    return Problem(error.code, error.params, headers=headers, members=members, fields=fields)


def _answer_refused(error: Refused) -> Response:
    return build_problem(_translate_refusal(error))


def _answer_settings_error(error: SettingsError) -> Response:
    logger.error("a setting of the service is wrong: %s", error)
    return build_problem(Problem("misconfigured", {"id": get_request_id()}))


def _answer_database_error(error: Exception) -> Response:
    _hide_values(error)
    logger.error("the service's database did not answer: %s", type(error).__name__, exc_info=error)
    return build_problem(
        Problem("database_unavailable", headers={"Retry-After": str(DATABASE_RETRY_SECONDS)})
    )


def _hide_values(error: Exception) -> None:
    # A statement's values are tokens, hashes and e-mails: not for the journal.
    if isinstance(error, StatementError):
        error.hide_parameters = True


def _answer_failure(error: Exception) -> Response:
    _hide_values(error)
    logger.error("unhandled %s", type(error).__name__, exc_info=error)
    return build_problem(_build_failure(500))


def init_problems(app: Flask) -> None:
    """Make every error of `app`, expected or not, a problem answer."""
    app.register_error_handler(Problem, build_problem)
    app.register_error_handler(Refused, _answer_refused)
    app.register_error_handler(SettingsError, _answer_settings_error)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(OperationalError, _answer_database_error)
    app.register_error_handler(PoolTimeoutError, _answer_database_error)
    app.register_error_handler(Exception, _answer_failure)


def document_limits() -> dict[str | int, Any]:
    """The OpenAPI descriptions of what the HTTP server refuses by itself, before the API sees it: as HTML."""
    return {
        http_status: {
            "description": f"{_name_status(http_status)}. Answered before the API sees the request.",
            "content": {"text/html": {"schema": {"type": "string"}}},
        }
        for http_status in (414, 431)
    }


def document_refusals(*http_statuses: int) -> dict[str | int, Any]:
    """The OpenAPI descriptions of an endpoint's refusals."""
    schema = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
    return {
        http_status: {
            "description": _name_status(http_status),
            "content": {PROBLEM_JSON: {"schema": schema}},
        }
        for http_status in http_statuses
    }


def _name_status(http_status: int) -> str:
    return REFUSALS[HTTP_CODES.get(http_status, "refused")].title
