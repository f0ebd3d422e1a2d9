"""The runs with Ansible: which playbook, its environment, and the run that is ready for each FTP host."""

from __future__ import annotations

import fcntl
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from tempoftp.audits.results import AuditOutcome, AuditRequest
from tempoftp.errors import ShareError
from tempoftp.previews.results import PreviewOutcome, PreviewRequest
from tempoftp.settings import INVENTORY_VARIABLES, Settings, variable_of
from tempoftp.shares.results import Outcome
from tempoftp.worker.folders import prepare_worker_folder
from tempoftp.worker.playbook import (
    AUDIT_PLAYBOOK,
    CANCEL_POLL_SECONDS,
    LOCK,
    PREVIEW_PLAYBOOK,
    PlaybookRun,
    Request,
    remove_folder,
)
from tempoftp.worker.provisioner import RunAbandoned, RunFailed, new_run_id
from tempoftp.worker.request import RunRequest

logger = logging.getLogger(__name__)

Parsed = TypeVar("Parsed", Outcome, AuditOutcome, PreviewOutcome)
LOCALE = "C.UTF-8"
DATABASE_FIELDS = ("ftp_db_host", "ftp_db_port", "ftp_db_user", "ftp_db_pass", "ftp_db_name")


class AnsibleProvisioner:
    """Carries out runs with Ansible. For each FTP host that it has worked on, it keeps the next playbook ready."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.worker_folder / "runs"
        self._environment = build_environment(settings)
        self._ready: dict[str, PlaybookRun] = {}
        self._guard = threading.Lock()
        self._closed = False

    def sweep(self) -> None:
        """Remove the folders of runs whose worker has died; a living worker holds the lock in the folder."""
        prepare_worker_folder(self._settings)
        for folder in self._folder.iterdir():
            with (folder / LOCK).open("a") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    continue
                logger.info("sweeping what a run left behind", extra={"run": folder.name})
                remove_folder(folder)

    def reserve_run_id(self, ftp_host: str) -> str:
        """Return the id of the run that is ready for a host, else a new id."""
        with self._guard:
            prepared = self._ready.get(ftp_host)
            return prepared.run_id if prepared is not None and prepared.is_alive else new_run_id()

    def run(self, request: RunRequest, should_stop: Callable[[], bool]) -> Outcome:
        """Execute the playbook once. Raises RunFailed or RunAbandoned."""
        deadline = time.monotonic() + self._settings.run_timeout_seconds
        playbook = self._take(request)
        outcome = parse_outcome(Outcome, self._carry_out(playbook, request, deadline, should_stop))
        self._prepare(request.ftp_host)
        return outcome

    def audit(self, request: AuditRequest, should_stop: Callable[[], bool]) -> AuditOutcome:
        """Execute the audit's playbook once; the run that is ready for shares is not used. Raises as `run` does."""
        deadline = time.monotonic() + self._settings.run_timeout_seconds
        playbook = PlaybookRun(
            self._settings, self._environment, request.run_id, request.ftp_host, AUDIT_PLAYBOOK
        )
        return parse_outcome(AuditOutcome, self._carry_out(playbook, request, deadline, should_stop))

    def preview(self, request: PreviewRequest, should_stop: Callable[[], bool]) -> PreviewOutcome:
        """Execute the preview's playbook once; the run that is ready for shares is not used. Raises as `run` does."""
        deadline = time.monotonic() + self._settings.run_timeout_seconds
        playbook = PlaybookRun(
            self._settings, self._environment, request.run_id, request.ftp_host, PREVIEW_PLAYBOOK
        )
        return parse_outcome(PreviewOutcome, self._carry_out(playbook, request, deadline, should_stop))

    def _carry_out(
        self,
        playbook: PlaybookRun,
        request: Request,
        deadline: float,
        should_stop: Callable[[], bool],
    ) -> bytes:
        try:
            playbook.feed(request, deadline, should_stop)
            return playbook.read_outcome(deadline, should_stop)
        except OSError as error:
            raise RunFailed(
                ShareError.of("run_failed", f"the playbook went away while it was given its request: {error}")
            ) from None
        except (RunFailed, RunAbandoned):
            playbook.stop()
            raise

    def close(self) -> None:
        """Stop the runs that are ready."""
        with self._guard:
            self._closed = True
            waiting = list(self._ready.values())
            self._ready.clear()
        for playbook in waiting:
            playbook.stop()
        for playbook in waiting:
            playbook.join(CANCEL_POLL_SECONDS * 5)

    def _take(self, request: RunRequest) -> PlaybookRun:
        with self._guard:
            prepared = self._ready.pop(request.ftp_host, None)
        if prepared is not None and prepared.is_alive and prepared.run_id == request.run_id:
            return prepared
        if prepared is not None:
            prepared.stop()
        return PlaybookRun(self._settings, self._environment, request.run_id, request.ftp_host)

    def _prepare(self, ftp_host: str) -> None:
        with self._guard:
            if not self._closed and self._settings.standby:
                self._ready[ftp_host] = PlaybookRun(self._settings, self._environment, new_run_id(), ftp_host)


def build_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that the processes of a run get in addition to the worker's environment."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}",
        # Ansible ends at once with a locale that this host has not generated.
        "LANG": LOCALE,
        "LC_ALL": LOCALE,
        "ANSIBLE_HOME": str(settings.worker_folder / "ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(settings.project_dir / "collections"),
        # Without this, ansible-runner switches host key checking off.
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(settings.worker_folder / "cp"),
        "ANSIBLE_GATHERING": "explicit",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_LOCALHOST_WARNING": "False",
    }
    config = settings.project_dir / "ansible.cfg"
    if config.exists():
        environment["ANSIBLE_CONFIG"] = str(config)
    for name in INVENTORY_VARIABLES & set(os.environ):
        environment[name] = os.environ[name]
    for field in DATABASE_FIELDS:
        value = getattr(settings, field)
        if value is not None:
            plain = value.get_secret_value() if field == "ftp_db_pass" else value
            environment[variable_of(field)] = str(plain)
    return environment


def parse_outcome(kind: type[Parsed], content: bytes) -> Parsed:
    """Return the content of an outcome file of this kind. Raises RunFailed when it does not fit its schema."""
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        places = ", ".join(".".join(str(step) for step in part["loc"]) for part in error.errors()[:5])
        text = (
            f"the outcome file does not fit its schema at {places}; collection and service differ in version"
        )
        raise RunFailed(ShareError.of("run_failed", text)) from None
