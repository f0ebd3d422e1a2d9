"""Step 5 of the flow: one playbook execution. The only file that imports ansible_runner.

A run has a private folder `<state>/runs/<run_id>` with `request.json` in and `outcome.json` out. The playbook is told
that path and nothing else: no value of a client is ever an extra var, a host name or an argument. The folder goes at
the end; what a killed worker left is swept at the next start.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ansible_runner
from pydantic import ValidationError

from tempoftp.runs.provisioner import RunAbandoned, RunFailed
from tempoftp.runs.request_file import RunRequest
from tempoftp.settings import INVENTORY_VARIABLES, Settings, variable_of
from tempoftp.shares.errors import ShareError
from tempoftp.shares.results import Outcome

logger = logging.getLogger(__name__)

PLAYBOOK = "run_request.yml"
CANCEL_POLL_SECONDS = 1
LOCK = "lock"
DATABASE_FIELDS = ("ftp_db_host", "ftp_db_port", "ftp_db_user", "ftp_db_pass", "ftp_db_name")
MESSAGE_LENGTH = 500


class AnsibleProvisioner:
    """Carries out runs with ansible-runner, one private folder each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.state_dir / "runs"
        self._environment = build_environment(settings)

    def sweep(self) -> None:
        """Remove the folders of runs whose worker is gone; one that lives holds the lock in its folder."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        Path(self._environment["ANSIBLE_SSH_CONTROL_PATH_DIR"]).mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in self._folder.iterdir():
            with (folder / LOCK).open("a") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    continue
                logger.info("sweeping what run %s left behind", folder.name)
                shutil.rmtree(folder, ignore_errors=True)

    def run(self, request: RunRequest, should_stop: Callable[[], bool]) -> Outcome:
        """Execute the playbook once. Raises RunFailed or RunAbandoned."""
        with self._make_folder(request.run_id) as folder:
            request_file = folder / "request.json"
            descriptor = os.open(request_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(request.write_json())
            failures: list[ShareError] = []
            runner = self._execute(folder, request, should_stop, failures)
            outcome_file = folder / "outcome.json"
            if outcome_file.exists():
                return _read_outcome(outcome_file)
            if runner.status == "canceled":
                raise RunAbandoned
            if runner.status == "timeout":
                text = f"the run on {request.ftp_host} was stopped after {self._settings.run_timeout_seconds:g} s"
                raise RunFailed(ShareError.of("run_timeout", f"{text}; it will be tried again"))
            raise RunFailed(failures[-1] if failures else _explain_output(runner, request.ftp_host))

    def _execute(
        self,
        folder: Path,
        request: RunRequest,
        should_stop: Callable[[], bool],
        failures: list[ShareError],
    ) -> Any:
        def look_at(event: dict[str, Any]) -> bool:
            found = classify_event(event, request.ftp_host)
            if found is not None:
                failures.append(found)
            return False  # nothing of the event is kept on disk

        settings = self._settings
        return ansible_runner.run(
            private_data_dir=str(folder),
            project_dir=str(settings.project_dir),
            playbook=str(settings.project_dir / "playbooks" / PLAYBOOK),
            inventory=str(settings.inventory) if settings.inventory else None,
            limit=request.ftp_host,
            extravars={
                "request_file": str(folder / "request.json"),
                "outcome_file": str(folder / "outcome.json"),
            },
            envvars=self._environment,
            settings={
                "pexpect_timeout": CANCEL_POLL_SECONDS,
                "job_timeout": int(settings.run_timeout_seconds),
                "suppress_ansible_output": True,
            },
            event_handler=look_at,
            cancel_callback=should_stop,
            quiet=True,
        )

    @contextmanager
    def _make_folder(self, run_id: str) -> Iterator[Path]:
        folder = self._folder / run_id
        folder.mkdir(parents=True, mode=0o700)
        try:
            with (folder / LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def build_environment(settings: Settings) -> dict[str, str]:
    """Return what a run's processes get beside the worker's scrubbed environment."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}",
        "ANSIBLE_HOME": str(settings.state_dir / "ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(settings.project_dir / "collections"),
        # ansible-runner turns host key checking off for whoever does not say.
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(settings.state_dir / "cp"),
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


def classify_event(event: dict[str, Any], ftp_host: str) -> ShareError | None:
    """Return what an event of ansible-runner says about a failed run; None when it says nothing of it."""
    name = event.get("event")
    if name not in ("runner_on_unreachable", "runner_on_failed"):
        return None
    data = event.get("event_data") or {}
    if data.get("ignore_errors"):
        return None
    said = str((data.get("res") or {}).get("msg") or "").strip()[:MESSAGE_LENGTH]
    if name == "runner_on_unreachable":
        text = f"FTP host {ftp_host} cannot be reached over ssh: {said or 'no reason given'}"
        return ShareError.of("ftp_host_unreachable", f"{text}; check the host and its network")
    # The playbook's last failing task repeats, unhidden, why an earlier one failed.
    text = f"task {data.get('task')!r} failed on {ftp_host}: {said or 'its output is hidden'}"
    return ShareError.of("run_failed", f"{text}; see the worker's journal")


def _read_outcome(path: Path) -> Outcome:
    try:
        return Outcome.model_validate_json(path.read_bytes())
    except ValidationError as error:
        places = ", ".join(".".join(str(step) for step in part["loc"]) for part in error.errors()[:5])
        text = (
            f"the outcome file does not fit its schema at {places}; collection and service differ in version"
        )
        raise RunFailed(ShareError.of("run_failed", text)) from None


def _explain_output(runner: Any, ftp_host: str) -> ShareError:
    """Return the last words of a playbook that ended before any task, as for a missing inventory or a typo."""
    try:
        lines = [line.strip() for line in runner.stdout.read().splitlines() if line.strip()]
    except (OSError, ansible_runner.exceptions.AnsibleRunnerException):
        lines = []
    said = next((line for line in lines if line.startswith(("ERROR", "[ERROR]"))), " ".join(lines[-2:]))
    text = f"the playbook for {ftp_host} ended with {runner.rc} before an outcome: {said[:MESSAGE_LENGTH]}"
    return ShareError.of("run_failed", f"{text}; see the worker's journal")
