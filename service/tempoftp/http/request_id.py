"""`X-Request-ID`: it is in every answer, and in every log line that is written while the request is handled.

A well-formed identifier of the client is kept, so that a call can be followed across systems. Any other value is
replaced, because the identifier goes into log lines and into the history of a share.
"""

from __future__ import annotations

import logging
import re
import uuid
from contextvars import ContextVar

from flask import Flask, Response, request

HEADER = "X-Request-ID"
NO_REQUEST = "-"
PATTERN = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_WELL_FORMED = re.compile(PATTERN)
_current: ContextVar[str] = ContextVar("tempoftp_request_id", default=NO_REQUEST)


def parse_request_id(offered: str | None) -> str | None:
    """Return the offered identifier if it is safe to log (1 to 64 of `A-Za-z0-9._-`), else None."""
    if offered is None or not _WELL_FORMED.fullmatch(offered):
        return None
    return offered


def get_request_id() -> str:
    """Return the identifier of the request being handled, or `-` outside of one."""
    return _current.get()


class RequestIdFilter(logging.Filter):
    """Set `request_id` on every log record, for the formats of the service's handlers."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = get_request_id()
        return True


def _take_request_id() -> None:
    _current.set(parse_request_id(request.headers.get(HEADER)) or uuid.uuid4().hex)


def _add_header(response: Response) -> Response:
    response.headers[HEADER] = get_request_id()
    return response


def _forget_request_id(_error: BaseException | None) -> None:
    # Threads are used again: without this, a later log line of the thread would have the id of a finished request.
    _current.set(NO_REQUEST)


def init_request_id(app: Flask) -> None:
    """Read, answer and clear the identifier of each request of `app`."""
    app.before_request(_take_request_id)
    app.after_request(_add_header)
    app.teardown_request(_forget_request_id)
