"""Step 5 of the flow: one playbook execution. This is the only file that imports ansible_runner.

A run has a private folder, `runs/<run_id>` in the worker's folder, with `request.json` and `outcome.json`. The playbook
gets these two paths and nothing else: no value of a client is ever an extra var, a host name or an argument. The
folder is removed at the end of the run; the next start of a worker removes what a killed worker left.

`request.json` is a named pipe, and the playbook waits for it. So a run can be started ahead of its request: Python's
imports and the inventory are done when the request comes. And no password hash is ever written to the disk here.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible_runner

from tempoftp.audits.results import AuditRequest
from tempoftp.errors import ERROR_CLASSES, ShareError
from tempoftp.previews.results import PreviewRequest
from tempoftp.settings import Settings
from tempoftp.worker.provisioner import RunAbandoned, RunFailed
from tempoftp.worker.request import RunRequest

logger = logging.getLogger(__name__)

PLAYBOOK = "lanot.tempoftp.run_request"
AUDIT_PLAYBOOK = "lanot.tempoftp.audit_request"
PREVIEW_PLAYBOOK = "lanot.tempoftp.preview_request"
CANCEL_POLL_SECONDS = 1
OUTCOME_POLL_SECONDS = 0.02
LOCK = "lock"
REQUEST = "request.json"
OUTCOME = "outcome.json"
Request = RunRequest | AuditRequest | PreviewRequest
MESSAGE_LENGTH = 500


class PlaybookRun:
    """One execution of a playbook. It starts at once, in a thread of its own, and waits for its request."""

    def __init__(
        self,
        settings: Settings,
        environment: dict[str, str],
        run_id: str,
        ftp_host: str,
        playbook: str = PLAYBOOK,
    ) -> None:
        self.run_id = run_id
        self._playbook = playbook
        self.ftp_host = ftp_host
        self.failures: list[ShareError] = []
        self._settings = settings
        self._environment = environment
        self._folder = settings.worker_folder / "runs" / run_id
        self._stop = threading.Event()
        self._requests: tuple[str, ...] = ()
        self._folder.mkdir(parents=True, mode=0o700)
        # Held until the folder is removed, so that another worker's sweep does not remove it.
        self._lock = (self._folder / LOCK).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.mkfifo(self._folder / REQUEST, 0o600)
        self._thread = threading.Thread(target=self._execute, name=f"run-{run_id}", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the playbook still runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Kill the playbook, within about a second."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait until the playbook has ended and its folder is removed."""
        self._thread.join(seconds)

    def feed(self, request: Request, deadline: float, should_stop: Callable[[], bool]) -> None:
        """Give the request to the waiting playbook. Raises RunFailed or RunAbandoned if it does not take it."""
        self._requests = () if isinstance(request, AuditRequest) else request.requests
        while True:
            try:
                descriptor = os.open(self._folder / REQUEST, os.O_WRONLY | os.O_NONBLOCK)
                break
            except OSError:  # the playbook does not read yet
                self.check(deadline, should_stop)
                time.sleep(OUTCOME_POLL_SECONDS)
        try:
            write_all(descriptor, request.write_json().encode(), lambda: self.check(deadline, should_stop))
        finally:
            os.close(descriptor)

    def read_outcome(self, deadline: float, should_stop: Callable[[], bool]) -> bytes:
        """Wait for the outcome file and return its content. The playbook may end a little later."""
        path = self._folder / OUTCOME
        while not path.exists():
            if not self.is_alive and not path.exists():
                raise RunFailed(self.explain())
            self.check(deadline, should_stop)
            time.sleep(OUTCOME_POLL_SECONDS)
        return path.read_bytes()

    def check(self, deadline: float, should_stop: Callable[[], bool]) -> None:
        """Raise RunFailed or RunAbandoned when waiting makes no sense any more."""
        if should_stop():
            raise RunAbandoned
        if not self.is_alive:
            raise RunFailed(self.explain())
        if time.monotonic() > deadline:
            text = f"the run on {self.ftp_host} was stopped after {self._settings.run_timeout_seconds:g} s"
            raise RunFailed(ShareError.of("run_timeout", f"{text}; it will be tried again"))

    def explain(self) -> ShareError:
        """Return why the playbook ended without an outcome."""
        if self.failures:
            return self.failures[-1]
        text = f"the playbook for {self.ftp_host} ended without an outcome"
        return ShareError.of("run_failed", f"{text}; see the worker's journal")

    def _execute(self) -> None:
        settings = self._settings
        try:
            runner = ansible_runner.run(
                private_data_dir=str(self._folder),
                project_dir=str(settings.project_dir),
                playbook=self._playbook,
                inventory=str(settings.inventory) if settings.inventory else None,
                limit=self.ftp_host,
                extravars={
                    "request_file": str(self._folder / REQUEST),
                    "outcome_file": str(self._folder / OUTCOME),
                },
                envvars=self._environment,
                settings={"pexpect_timeout": CANCEL_POLL_SECONDS, "suppress_ansible_output": True},
                event_handler=self._look_at,
                cancel_callback=self._stop.is_set,
                quiet=True,
            )
            if runner.rc != 0 and not self.failures and not self._stop.is_set():
                self.failures.append(_explain_output(runner, self.ftp_host))
        except Exception as error:  # nothing else reports an error in this thread to the run that waits
            logger.exception("run broke", extra={"run": self.run_id, "host": self.ftp_host})
            self.failures.append(ShareError.of("run_failed", f"the playbook could not be run: {error}"))
        finally:
            remove_folder(self._folder)
            self._lock.close()

    def _look_at(self, event: dict[str, Any]) -> bool:
        found = classify_event(event, self.ftp_host)
        self._log(event, found)
        if found is not None:
            self.failures.append(found)
        return False  # do not keep the event on disk

    def _log(self, event: dict[str, Any], failure: ShareError | None) -> None:
        """Log one line for each task that ended on a host: its name and result, never its output."""
        name = str(event.get("event"))
        if not name.startswith("runner_on_") or name == "runner_on_start":
            return
        data = event.get("event_data") or {}
        values = {
            "run": self.run_id,
            "host": self.ftp_host,
            "task": data.get("task"),
            "result": name.removeprefix("runner_on_"),
            "seconds": data.get("duration"),
            "requests": self._requests,
        }
        logger.log(logging.DEBUG if failure is None else logging.WARNING, "task ended", extra=values)


def remove_folder(folder: Path) -> None:
    """Remove a run's folder. A process that still waits for its request reads an end of file, and so it ends.

    Ansible's forks are leaders of their own sessions: killing the playbook's process group does not kill them.
    """
    hidden = folder / "closed"
    try:
        (folder / REQUEST).rename(hidden)  # from now on no process can begin to wait
        os.close(os.open(hidden, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        pass  # no process waits
    shutil.rmtree(folder, ignore_errors=True)


_CLASS = re.compile(r"\s*\[(?P<name>[a-z_]+)\]$")
"""The playbooks append the class of a module's error to its message."""


def write_all(descriptor: int, content: bytes, check: Callable[[], object]) -> None:
    """Write to a pipe that does not block, which holds 64 KiB. `check` is called while its reader takes nothing.

    A playbook that has opened its request and hangs would otherwise hold the thread of its host for ever.
    """
    left = memoryview(content)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            check()
            time.sleep(OUTCOME_POLL_SECONDS)


def classify_event(event: dict[str, Any], ftp_host: str) -> ShareError | None:
    """Return the failure that an event of ansible-runner reports; None when it reports none."""
    name = event.get("event")
    if name not in ("runner_on_unreachable", "runner_on_failed"):
        return None
    data = event.get("event_data") or {}
    if data.get("ignore_errors"):
        return None
    said, error_class = _split_class(str((data.get("res") or {}).get("msg") or "").strip())
    said = said[:MESSAGE_LENGTH]
    if name == "runner_on_unreachable":
        text = f"FTP host {ftp_host} cannot be reached over ssh: {said or 'no reason given'}"
        return ShareError.of("ftp_host_unreachable", f"{text}; check the host and its network")
    # The last failing task of the playbook shows again, not hidden, why an earlier task failed.
    if error_class in ERROR_CLASSES and ERROR_CLASSES[error_class].transient:
        return ShareError.of(error_class, f"FTP host {ftp_host}: {said}")
    text = f"task {data.get('task')!r} failed on {ftp_host}: {said or 'its output is hidden'}"
    return ShareError.of("run_failed", f"{text}; see the worker's journal")


def _split_class(said: str) -> tuple[str, str]:
    """Return a message and the class that the playbook appended to it; empty without one."""
    found = _CLASS.search(said)
    return (said, "") if found is None else (said[: found.start()], found["name"])


def _explain_output(runner: Any, ftp_host: str) -> ShareError:
    """Return why a playbook ended before a task failed, for example because its inventory is missing."""
    if runner.rc is None:  # it did not exit: a signal ended it
        return ShareError.of(
            "run_failed", f"the playbook for {ftp_host} was killed; it will be started again"
        )
    try:
        with runner.stdout as said_all:
            lines = [line.strip() for line in said_all]
    except (OSError, ansible_runner.exceptions.AnsibleRunnerException):
        lines = []
    said = next((line for line in lines if line.startswith(("ERROR", "[ERROR]"))), "it said nothing")
    text = f"the playbook for {ftp_host} ended with {runner.rc} before an outcome: {said[:MESSAGE_LENGTH]}"
    return ShareError.of("run_failed", f"{text}; see the worker's journal")
