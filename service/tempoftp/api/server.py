"""gunicorn around the application: threads, time limits and logs. The command line calls `run_server`."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from tempoftp.api.app import create_app
from tempoftp.api.context import STREAM_SLOTS, WAITING_SLOTS
from tempoftp.settings import Settings

# A worker process whose threads are all stuck for so long is killed and replaced.
STUCK_SECONDS = 60
STOP_SECONDS = 20
KEEPALIVE_SECONDS = 5
# `r` is the request line as it came, still percent-encoded: a decoded path could forge log lines.
_LINK = re.compile(
    r"(/(?:e|%65)(?:n|%6e)(?:l|%6c)(?:a|%61)(?:c|%63)(?:e|%65)(?:/|%2f)+)[^/\s]+", re.IGNORECASE
)
ACCESS_LINE = '%(h)s "%(r)s" %(s)s %(B)s %(M)sms [%({x-request-id}o)s]'


class AccessLogger(Logger):  # type: ignore[misc]
    """gunicorn's, but what opens something does not stand in its lines."""

    def atoms(self, *args: Any) -> dict[str, Any]:
        """Return the values of an access line."""
        atoms: dict[str, Any] = super().atoms(*args)
        return atoms | {"r": hide_link(str(atoms["r"]))}


def hide_link(request_line: str) -> str:
    """Return a request line without the token of a recipient's link, however its path is spelled."""
    return _LINK.sub(r"\1…", request_line)


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with its options from `Settings`; each process builds its own application after the fork."""

    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        self._settings = settings
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Take our options only: neither a command line nor GUNICORN_CMD_ARGS is read."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Build the application in a worker process."""
        return create_app(self._settings)


def build_options(settings: Settings, *, workers: int, pidfile: Path | None) -> dict[str, Any]:
    """Return gunicorn's options for these settings."""
    host = f"[{settings.bind}]" if ":" in settings.bind else settings.bind
    return {
        "bind": f"{host}:{settings.port}",
        "worker_class": "gthread",
        "workers": workers,
        "threads": settings.api_threads + WAITING_SLOTS + STREAM_SLOTS,
        # A change holds a thread for its bounded wait; the limit must not cut that.
        "timeout": STUCK_SECONDS + int(settings.deletion_wait_seconds),
        "graceful_timeout": STOP_SECONDS + int(settings.deletion_wait_seconds),
        "keepalive": KEEPALIVE_SECONDS,
        "pidfile": str(pidfile) if pidfile else None,
        "proc_name": "tempoftp-api",
        "control_socket_disable": True,
        "access_log_format": ACCESS_LINE,
        "logger_class": AccessLogger,
        "logconfig_dict": build_log_config(settings.log_level),
        "forwarded_allow_ips": "127.0.0.1,::1",
        **_build_tls_options(settings),
    }


def _build_tls_options(settings: Settings) -> dict[str, Any]:
    if settings.tls_certificate is None:
        return {}
    return {
        "certfile": str(settings.tls_certificate),
        "keyfile": str(settings.tls_key),
        "ssl_context": _build_tls_context,
    }


def _build_tls_context(_config: object, build_default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = build_default()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def build_log_config(level: str) -> dict[str, Any]:
    """Return a logging configuration: everything to standard error (the journal), each line with its request id."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "tempoftp.api.request_id.RequestIdFilter"}},
        "formatters": {
            "line": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"},
            # The access line brings its own identifier: it is written when the request is already forgotten.
            "access": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
        },
        "handlers": {
            "line": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]},
            "access": {"class": "logging.StreamHandler", "formatter": "access"},
        },
        "root": {"level": level, "handlers": ["line"]},
        "loggers": {
            "gunicorn.error": {"level": level, "handlers": ["line"], "propagate": False},
            "gunicorn.access": {"level": "INFO", "handlers": ["access"], "propagate": False},
        },
    }


def run_server(settings: Settings, *, workers: int, pidfile: Path | None) -> None:
    """Serve until stopped. Returns only by ending the process, as gunicorn does."""
    Server(settings, build_options(settings, workers=workers, pidfile=pidfile)).run()
