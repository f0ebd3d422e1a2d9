"""The worker process: it builds all parts, starts them, and stops them in order when it gets a signal."""

from __future__ import annotations

import logging
import os
import signal
import threading

from tempoftp.audits.audits import begin_checks
from tempoftp.db.engine import open_database
from tempoftp.notices.notifier import Notifier, build_senders
from tempoftp.settings import INVENTORY_VARIABLES, Settings
from tempoftp.worker.ansible import AnsibleProvisioner
from tempoftp.worker.auditor import Auditor
from tempoftp.worker.folders import check_places
from tempoftp.worker.previewer import Previewer
from tempoftp.worker.provisioner import Provisioner
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner
from tempoftp.worker.worker import Worker

logger = logging.getLogger(__name__)

KEPT_VARIABLES = INVENTORY_VARIABLES | {"PATH", "HOME", "USER", "LOGNAME", "TZ", "TMPDIR"}
"""The only variables that the processes of a run inherit: ansible-runner writes the whole environment to disk."""


def run_worker(settings: Settings) -> None:
    """Run the worker until SIGTERM or SIGINT. The database must have been brought up to date before."""
    scrub_environment()
    if not settings.simulacro:
        check_places(settings)
    stop, abandoned = threading.Event(), threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    database = open_database(settings)
    notifier = Notifier(settings, database, build_senders(settings))
    provisioner = build_provisioner(settings)
    provisioner.sweep()
    runner = HostRunner(settings, database, provisioner, abandoned.is_set)
    auditor = Auditor(settings, database, provisioner, abandoned.is_set)
    previewer = Previewer(settings, database, provisioner, abandoned.is_set)
    database.transact(lambda session: begin_checks(session, settings))

    def work_on(ftp_host: str) -> int:
        auditor.run_due(ftp_host)
        return runner.run_host(ftp_host)

    worker = Worker(settings, work_on, database, runner.passwords.hash_ahead, notifier.look, previewer.look)
    notifier.start()
    worker.start()
    logger.info(
        "worker started",
        extra={
            "hosts": settings.ftp_host_names,
            "simulated": settings.simulacro,
            "notices": notifier.channels,
        },
    )
    try:
        while not stop.wait(60):
            pass
    finally:
        previewer.close()
        worker.stop(abandoned.set)
        notifier.stop()
        runner.close()
        database.close()
        logger.info("worker stopped")


def scrub_environment() -> None:
    """Remove from this process's environment what its children need not know, above all the keys."""
    for name in set(os.environ) - KEPT_VARIABLES:
        del os.environ[name]


def build_provisioner(settings: Settings) -> Provisioner:
    """Return the provisioner that the settings ask for."""
    return SimulatedProvisioner(settings.state_dir) if settings.simulacro else AnsibleProvisioner(settings)
