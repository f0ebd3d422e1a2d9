"""The blueprints that the endpoint files put their routes on.

Routes of one path belong on one blueprint: the schema library keeps only the last blueprint's operations of a path.
"""

from __future__ import annotations

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint

from tempoftp.api.body import require_json_object
from tempoftp.api.problems import document_refusals

SHARES_ROUTE = "/tmpftp"  # noqa: S108 - a route, not a folder
SHARE_ROUTE = f"{SHARES_ROUTE}/<id>"
LINK_ROUTE = "/enlace/<token>"

SECURITY_SCHEME = "token"
NEEDS_TOKEN: list[dict[str, list[str]]] = [{SECURITY_SCHEME: []}]

shares = APIBlueprint("shares", __name__, abp_security=NEEDS_TOKEN, abp_responses=document_refusals(401, 429))
hosts = APIBlueprint("hosts", __name__, abp_security=NEEDS_TOKEN, abp_responses=document_refusals(401, 429))
links = APIBlueprint("links", __name__, abp_responses=document_refusals(429))
"""What a recipient's link opens: the link is the credential."""
system = APIBlueprint("system", __name__, abp_responses=document_refusals(429))


def _check_body() -> None:
    if request.method in ("POST", "PATCH"):
        require_json_object()


def _keep_link_to_itself(response: Response) -> Response:
    # Whatever a page of the link leads to must not learn its address.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


for _blueprint in (shares, hosts, links):
    _blueprint.before_request(_check_body)
links.after_request(_keep_link_to_itself)
