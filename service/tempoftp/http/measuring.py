"""Measures every answered request: one line in the log and one count in `/metrics`.

Both have the route's template, never the path, the query or a token; the log also has the caller.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from flask import Flask, Response, g, request

from tempoftp.http.access import find_principal
from tempoftp.http.context import get_context

logger = logging.getLogger(__name__)


def read_route() -> str | None:
    """Return the template of the present request's route as the API's documents write it; None without a route."""
    rule = request.url_rule
    return None if rule is None else rule.rule.replace("<", "{").replace(">", "}")


def _start() -> None:
    g.started = time.perf_counter()


def _finish(response: Response) -> Response:
    seconds = time.perf_counter() - g.started
    route = read_route()
    get_context().requests.observe(request.method, route, response.status_code, seconds)
    principal = find_principal()
    values: dict[str, Any] = {
        "method": request.method,
        "route": route,
        "status": response.status_code,
        "ms": round(1000 * seconds, 1),
        "caller": principal.name if principal is not None else None,
        "address": request.remote_addr,
    }
    logger.info("request", extra=values)
    return response


def init_measuring(app: Flask) -> None:
    """Measure the requests of `app`. Call it before the other `init_` functions, so that their time is measured too."""
    app.before_request(_start)
    app.after_request(_finish)
