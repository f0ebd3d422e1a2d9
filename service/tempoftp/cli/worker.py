"""`tempoftp worker`: carry out what was asked."""

from __future__ import annotations

import click

from tempoftp.cli.command import Command
from tempoftp.cli.exits import SERVICE_FAILED, USAGE


@click.command(
    cls=Command,
    examples=["tempoftp worker", "TEMPOFTP_SIMULACRO=1 tempoftp worker"],
    exits=(USAGE, SERVICE_FAILED),
)
def worker() -> None:
    """Run the worker that carries out what was asked.

    Several may run; each share is worked on by one of them at a time. The database is brought up to date first.
    """
    import logging.config

    from tempoftp.cli.exits import BadSetting
    from tempoftp.cli.service import read_settings, report_missing_keys, upgrade
    from tempoftp.logs import build_log_config
    from tempoftp.settings import SettingsError
    from tempoftp.worker.worker import run_worker

    settings = read_settings()
    logging.config.dictConfig(build_log_config(settings.log_level, settings.log_format))
    upgrade(settings)
    report_missing_keys(settings)
    try:
        run_worker(settings)
    except SettingsError as error:  # of a file that only the worker reads
        raise BadSetting(str(error)) from error
