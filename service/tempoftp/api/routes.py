"""The blueprints that the endpoint files put their routes on.

Routes of one path belong on one blueprint: the schema library keeps only the last blueprint's operations of a path.
"""

from __future__ import annotations

from flask import request
from flask_openapi3.blueprint import APIBlueprint

from tempoftp.api.body import require_json_object
from tempoftp.api.problems import document_refusals

SHARES_ROUTE = "/tmpftp"  # noqa: S108 - a route, not a folder
SHARE_ROUTE = f"{SHARES_ROUTE}/<id>"

SECURITY_SCHEME = "token"
NEEDS_TOKEN: list[dict[str, list[str]]] = [{SECURITY_SCHEME: []}]

shares = APIBlueprint("shares", __name__, abp_security=NEEDS_TOKEN, abp_responses=document_refusals(401, 429))
hosts = APIBlueprint("hosts", __name__, abp_security=NEEDS_TOKEN, abp_responses=document_refusals(401, 429))
system = APIBlueprint("system", __name__, abp_responses=document_refusals(429))


def _check_body() -> None:
    if request.method in ("POST", "PATCH"):
        require_json_object()


for _blueprint in (shares, hosts):
    _blueprint.before_request(_check_body)
