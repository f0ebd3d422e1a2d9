"""Who a request is written down for in the history of a share."""

from __future__ import annotations

from flask import request


def get_author() -> str:
    """Return who asks. Until there are tokens that is only where the call came from."""
    return f"api {request.remote_addr or 'local'}"
