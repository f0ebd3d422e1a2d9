"""The blueprints that the endpoints put their routes on, and the paths of those routes.

Routes of one path belong on one blueprint: the schema library keeps only the last blueprint's operations of a path.
"""

from __future__ import annotations

import re

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from tempoftp.http.body import require_json_object
from tempoftp.http.problems import build_not_found, document_limits, document_refusals
from tempoftp.shares.schemas import ID_PATTERN, RESERVED_IDS

SHARES_ROUTE = "/tmpftp"  # noqa: S108 - a route, not a folder
SHARE_ROUTE = f"{SHARES_ROUTE}/<id>"
LINK_ROUTE = "/enlace/<token>"

SECURITY_SCHEME = "token"


def name_operation(name: str, path: str, method: str) -> str:
    """Return the operationId of a route, from which generated clients take the name of the call: the view's name."""
    return name


def _make_blueprint(name: str, tag: Tag, *refusals: int) -> APIBlueprint:
    return APIBlueprint(
        name,
        __name__,
        abp_tags=[tag],
        abp_responses=document_refusals(*refusals) | document_limits(),
        operation_id_callback=name_operation,
    )


shares = _make_blueprint("shares", Tag(name="solicitudes", description="Accesos temporales"), 401, 421, 429)
hosts = _make_blueprint("hosts", Tag(name="operacion", description="Para operadores"), 401, 421, 429)
system = _make_blueprint("system", Tag(name="sistema", description="Sin credencial"), 429)
links = _make_blueprint("links", Tag(name="enlaces", description="El enlace es la credencial"), 429)
"""What the holder of a recipient's link may do; the link is the credential."""


def _check_body() -> None:
    if request.method in ("POST", "PATCH"):
        require_json_object()


def _send_no_referrer(response: Response) -> Response:
    # The address is a credential: a page that is opened from here must not receive it as the referrer.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


for _blueprint in (shares, hosts, links):
    _blueprint.before_request(_check_body)
links.after_request(_send_no_referrer)


_ID = re.compile(ID_PATTERN)


class SharePath(BaseModel):
    """The path of one share."""

    id: str = Field(description="The id that the share was asked for with.")

    def read_id(self) -> str:
        """Return the id. Raises a 404 problem for a text that cannot be an id (invalid characters, reserved word)."""
        if not _ID.fullmatch(self.id) or self.id in RESERVED_IDS:
            raise build_not_found()
        return self.id


class LinkPath(BaseModel):
    """The path of one link. Whatever is no token of ours is simply not found."""

    token: str = Field(description="What a recipient's link ends with.")
