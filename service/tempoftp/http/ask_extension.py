"""`POST /enlace/{token}/prorroga`: the recipient asks for more days, which an operator grants."""

from __future__ import annotations

from typing import Annotated

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tempoftp.access.links import find_linked_share
from tempoftp.access.recipients import RECIPIENT
from tempoftp.http.access import PUBLIC, allow
from tempoftp.http.context import get_context
from tempoftp.http.get_link import Extension
from tempoftp.http.link_path import LinkPath
from tempoftp.http.problems import document_refusals
from tempoftp.http.request_id import get_request_id
from tempoftp.http.routes import LINK_ROUTE, links
from tempoftp.shares.extensions import ask_extension as ask
from tempoftp.shares.extensions import describe_extension


class ExtensionBody(BaseModel):
    """How many days more, and why."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    dias: Annotated[int, Field(description="Days more than the share has.", examples=[7])]
    motivo: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        default=None, description="Why; the operator reads it."
    )


class ExtensionAnswer(BaseModel):
    """The request; it waits for an operator."""

    id: str
    prorroga: Extension


@links.post(
    f"{LINK_ROUTE}/prorroga",
    summary="Pedir más días",
    responses={200: ExtensionAnswer, **document_refusals(400, 404, 409, 413, 415, 422, 503)},
)
@allow(PUBLIC)
def ask_extension(path: LinkPath, body: ExtensionBody) -> Response:
    """Write down that the recipient wants more days. Asking again while the request waits changes it."""
    context = get_context()
    with context.write() as session:
        share = find_linked_share(session, context.settings, path.token)
        request = ask(
            session,
            context.settings,
            share,
            body.dias,
            body.motivo,
            author=RECIPIENT,
            request_id=get_request_id(),
        )
        response: Response = jsonify({"id": share.id, "prorroga": describe_extension(request)})
    return response
