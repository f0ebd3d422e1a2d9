"""gunicorn with our worker: processes, threads, time limits and logs. The command line calls `run_server`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from prometheus_client.multiprocess import mark_process_dead

from tempoftp.app import create_app
from tempoftp.http.context import SIGN_IN_SLOTS, STREAM_SLOTS, WAITING_SLOTS
from tempoftp.http.metrics import SHARED_FOLDER
from tempoftp.logs import build_log_config
from tempoftp.settings import Settings

# A worker process whose threads are all stuck for so long is killed and replaced.
STUCK_SECONDS = 60
STOP_SECONDS = 20
KEEPALIVE_SECONDS = 5
REQUEST_FILTER = "tempoftp.http.request_id.RequestIdFilter"


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with its options from `Settings`; each process builds its own application after the fork."""

    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        self.settings = settings
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Take our options only: neither a command line nor GUNICORN_CMD_ARGS is read."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Build the application in a worker process."""
        return create_app(self.settings)


def build_options(settings: Settings, *, workers: int, pidfile: Path | None) -> dict[str, Any]:
    """Return gunicorn's options for these settings."""
    host = f"[{settings.bind}]" if ":" in settings.bind else settings.bind
    return {
        "bind": f"{host}:{settings.port}",
        "worker_class": "tempoftp.server.worker.ApiWorker",
        "workers": workers,
        "threads": settings.api_threads + WAITING_SLOTS + STREAM_SLOTS + SIGN_IN_SLOTS,
        # A change holds a thread for its bounded wait; the limit must not cut that.
        "timeout": STUCK_SECONDS + int(settings.deletion_wait_seconds),
        "graceful_timeout": STOP_SECONDS + int(settings.deletion_wait_seconds),
        "keepalive": KEEPALIVE_SECONDS,
        "pidfile": str(pidfile) if pidfile else None,
        "proc_name": "tempoftp-api",
        "control_socket_disable": True,
        "logconfig_dict": build_log_config(
            settings.log_level, settings.log_format, request_filter=REQUEST_FILTER
        ),
        "child_exit": _forget_counts,
    }


def _forget_counts(_arbiter: object, worker: Any) -> None:
    if SHARED_FOLDER in os.environ:
        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def run_server(settings: Settings, *, workers: int, pidfile: Path | None) -> None:
    """Serve until stopped. Returns only by ending the process, as gunicorn does."""
    Server(settings, build_options(settings, workers=workers, pidfile=pidfile)).run()
