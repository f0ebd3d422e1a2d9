"""`tempoftp worker`: carry out what was asked."""

from __future__ import annotations

import click


@click.command
def worker() -> None:
    """Run the worker that carries out what was asked.

    Several may run; each share is worked on by one of them at a time. The database is brought up to date first.
    """
    from tempoftp.cli.service import configure_logging, read_settings, upgrade
    from tempoftp.runs.queue import run_worker

    settings = read_settings()
    configure_logging(settings)
    upgrade(settings)
    run_worker(settings)
