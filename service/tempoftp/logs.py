"""The log of API and worker: standard error (the journal), one event on each line, as text or as JSON.

An event is a short sentence and named values (`extra=`). As text the values follow the sentence as `name=value`; as
JSON (TEMPOFTP_LOG_FORMAT=json) they are members of the object, for programs that collect logs.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any, Literal

from pythonjsonlogger.core import RESERVED_ATTRS, merge_record_extra

LogFormat = Literal["text", "json"]
REQUEST_ID = "request_id"
_TEXT = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"
_JSON = "%(levelname)s %(name)s %(message)s"
_MEMBERS = {"levelname": "level", "name": "logger", "message": "event"}
_PLAIN = re.compile(r"[^\s\"=]+")
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_QUOTED = re.compile(
    r"Invalid request from ip=\S*: [A-Za-z -]+|Error handling request|Ignored premature client disconnection"
)
"""Beginnings of the HTTP server's own lines that go on with a piece of what the client sent."""
_NOT_VALUES = (*RESERVED_ATTRS, REQUEST_ID)


class TextFormatter(logging.Formatter):
    """A line of text, the event's values at its end."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line without a traceback."""
        values: dict[str, Any] = merge_record_extra(record, {}, _NOT_VALUES)
        shown = [super().formatMessage(record), *(f"{name}={_show(value)}" for name, value in values.items())]
        # What another program said may stand in the event itself: it ends no line either.
        return _BREAKS.sub(lambda found: found[0].encode("unicode_escape").decode(), " ".join(shown))


def _show(value: Any) -> str:
    if value is None or value in ("", []):
        return "-"
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    # A blank or a line break in a value must not look like another value or another line.
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def build_log_config(
    level: str, log_format: LogFormat, *, request_filter: str = "tempoftp.logs.NoRequestFilter"
) -> dict[str, Any]:
    """Return a logging configuration; `request_filter` names the class that gives each record its `request_id`."""
    formatters: dict[LogFormat, dict[str, Any]] = {
        "text": {"()": "tempoftp.logs.TextFormatter", "fmt": _TEXT},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": _JSON,
            "rename_fields": _MEMBERS,
            "timestamp": "time",
            "json_ensure_ascii": False,
        },
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "request_id": {"()": request_filter},
            "unquoted": {"()": "tempoftp.logs.UnquotedFilter"},
        },
        "formatters": {"line": formatters[log_format]},
        "handlers": {
            "line": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]}
        },
        "root": {"level": level, "handlers": ["line"]},
        "loggers": {
            "alembic": {"level": "WARNING"},
            # A higher level for the rest leaves these lines: they say who asked for what.
            "tempoftp.http.measuring": {"level": "INFO"},
            "gunicorn.error": {
                "level": level,
                "handlers": ["line"],
                "filters": ["unquoted"],
                "propagate": False,
            },
            # It reports starts and stops, which gunicorn does too.
            "uvicorn.error": {
                "level": "WARNING",
                "handlers": ["line"],
                "filters": ["unquoted"],
                "propagate": False,
            },
            # Its access line has the path as it came: ours has the route, since a path may hold a signed link.
            "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
        },
    }


class NoRequestFilter(logging.Filter):
    """For a process that answers no requests; its lines name those they are about."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Give the record the mark of no request, unless it says itself whose it is."""
        if not hasattr(record, REQUEST_ID):
            record.request_id = "-"
        return True


class UnquotedFilter(logging.Filter):
    """For the HTTP server's own lines: they repeat nothing of a request.

    A line or header that it cannot read may be a link's address or an `Authorization` that lost its colon.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Leave of the record what happened, and from where."""
        found = _QUOTED.match(record.getMessage())
        if found is not None:
            record.msg, record.args = found[0], ()
        return True
