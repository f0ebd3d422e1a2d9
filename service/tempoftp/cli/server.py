"""The two programs of the service: `serve`, the HTTP API under gunicorn, and `worker`, which carries out requests.

The functions import the service themselves, because `tempoftp serve --help` must not wait for Flask and SQLAlchemy.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tempoftp.cli.command import Command
from tempoftp.cli.exits import SERVICE_FAILED, USAGE

if TYPE_CHECKING:
    from tempoftp.settings import Settings


@click.command(
    cls=Command,
    examples=["tempoftp serve", "TEMPOFTP_SIMULACRO=1 tempoftp serve --port 9044"],
    exits=(USAGE, SERVICE_FAILED),
)
@click.option("--bind", help="Address to listen on (TEMPOFTP_BIND).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (TEMPOFTP_PORT).")
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    help="Requests answered at the same time (TEMPOFTP_API_THREADS).",
)
@click.option("--workers", type=click.IntRange(1, 32), default=1, show_default=True, help="Processes.")
@click.option("--pidfile", type=click.Path(dir_okay=False, path_type=Path), help="Write the process id here.")
def serve(
    bind: str | None, port: int | None, threads: int | None, workers: int, pidfile: Path | None
) -> None:
    """Run the HTTP API.

    It accepts and answers requests; `tempoftp worker` carries them out. The database is brought up to date first.
    """
    if workers > 1:
        # Set before anything imports prometheus_client, which reads it once; the processes then share their counters.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = make_shared_folder()
    from tempoftp.cli.service import check_certificate, read_service_settings, upgrade
    from tempoftp.server import run_server

    given = {"bind": bind, "port": port, "api_threads": threads}
    said = {name: value for name, value in given.items() if value is not None}
    settings: Settings = read_service_settings(check_certificate, **said)
    upgrade(settings)
    run_server(settings, workers=workers, pidfile=pidfile)


def make_shared_folder() -> str:
    """Make a folder that is removed when this process ends, but not when a process ends that it forked."""
    folder, owner = tempfile.mkdtemp(prefix="tempoftp-metrics-"), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


@click.command(
    cls=Command,
    examples=["tempoftp worker", "TEMPOFTP_SIMULACRO=1 tempoftp worker"],
    exits=(USAGE, SERVICE_FAILED),
)
def worker() -> None:
    """Run the worker that carries out what was asked.

    Several workers may run; only one of them at a time works on a share. The database is brought up to date first.
    """
    import logging.config

    from tempoftp.cli.exits import BadSetting
    from tempoftp.cli.service import read_service_settings, report_missing_keys, upgrade
    from tempoftp.logs import build_log_config
    from tempoftp.notices.webhooks import read_webhooks
    from tempoftp.settings import SettingsError
    from tempoftp.worker.process import run_worker

    settings = read_service_settings(read_webhooks)
    logging.config.dictConfig(build_log_config(settings.log_level, settings.log_format))
    upgrade(settings)
    report_missing_keys(settings)
    try:
        run_worker(settings)
    except SettingsError as error:  # in a file that only the worker reads
        raise BadSetting(str(error)) from error
