"""Step 5 of the flow: one playbook execution. The only file that imports ansible_runner.

A run has a private folder `<state>/runs/<run_id>` with `request.json` in and `outcome.json` out. The playbook is told
these paths and nothing else: no value of a client is ever an extra var, a host name or an argument. The folder goes at
the end; what a killed worker left is swept at the next start.

`request.json` is a named pipe: the playbook waits on it, so that a run can be started ahead, past Python's imports
and the inventory, and stand by until there is a request; and no password hash ever touches the disk here.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import ansible_runner
from pydantic import ValidationError

from tempoftp.audits.results import AuditOutcome, AuditRequest
from tempoftp.errors import ShareError
from tempoftp.previews.results import PreviewOutcome, PreviewRequest
from tempoftp.settings import INVENTORY_VARIABLES, Settings, variable_of
from tempoftp.shares.results import Outcome
from tempoftp.worker.provisioner import RunAbandoned, RunFailed, new_run_id
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
Parsed = TypeVar("Parsed", Outcome, AuditOutcome, PreviewOutcome)
DATABASE_FIELDS = ("ftp_db_host", "ftp_db_port", "ftp_db_user", "ftp_db_pass", "ftp_db_name")
MESSAGE_LENGTH = 500


class PlaybookRun:
    """One execution of the playbook, started at once, in a thread of its own; it waits for its request."""

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
        self._folder = settings.state_dir / "runs" / run_id
        self._stop = threading.Event()
        self._requests: tuple[str, ...] = ()
        self._folder.mkdir(parents=True, mode=0o700)
        # Held until the folder goes, so that another worker's sweep leaves it alone.
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
        """Have the playbook killed within a second or so."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait until the playbook has ended and its folder is gone."""
        self._thread.join(seconds)

    def feed(self, request: Request, deadline: float, should_stop: Callable[[], bool]) -> None:
        """Hand the request to the waiting playbook. Raises RunFailed or RunAbandoned when it is not to be had."""
        self._requests = () if isinstance(request, AuditRequest) else request.requests
        while True:
            try:
                descriptor = os.open(self._folder / REQUEST, os.O_WRONLY | os.O_NONBLOCK)
                break
            except OSError:  # nobody reads yet
                self.check(deadline, should_stop)
                time.sleep(OUTCOME_POLL_SECONDS)
        os.set_blocking(descriptor, True)
        with os.fdopen(descriptor, "w", encoding="utf-8") as pipe:
            pipe.write(request.write_json())

    def read_outcome(self, deadline: float, should_stop: Callable[[], bool]) -> bytes:
        """Wait for the outcome file and return its content; the playbook may still be ending then."""
        path = self._folder / OUTCOME
        while not path.exists():
            if not self.is_alive and not path.exists():
                raise RunFailed(self.explain())
            self.check(deadline, should_stop)
            time.sleep(OUTCOME_POLL_SECONDS)
        return path.read_bytes()

    def check(self, deadline: float, should_stop: Callable[[], bool]) -> None:
        """Raise RunFailed or RunAbandoned when there is nothing to wait for any more."""
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
        except Exception as error:  # a thread of our own: whoever waits for it must learn of it
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
        return False  # nothing of the event is kept on disk

    def _log(self, event: dict[str, Any], failure: ShareError | None) -> None:
        """One line for each task that ended on a host: its name and result, never what it said."""
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


class AnsibleProvisioner:
    """Carries out runs with ansible-runner; keeps one standing by for each FTP host it has worked on."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.state_dir / "runs"
        self._environment = build_environment(settings)
        self._standing_by: dict[str, PlaybookRun] = {}
        self._guard = threading.Lock()
        self._closed = False

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
                logger.info("sweeping what a run left behind", extra={"run": folder.name})
                remove_folder(folder)

    def reserve_run_id(self, ftp_host: str) -> str:
        """Return the id of the run that stands by for a host, else a new one."""
        with self._guard:
            prepared = self._standing_by.get(ftp_host)
            return prepared.run_id if prepared is not None and prepared.is_alive else new_run_id()

    def run(self, request: RunRequest, should_stop: Callable[[], bool]) -> Outcome:
        """Execute the playbook once. Raises RunFailed or RunAbandoned."""
        deadline = time.monotonic() + self._settings.run_timeout_seconds
        playbook = self._take(request)
        outcome = parse_outcome(self._carry_out(playbook, request, deadline, should_stop))
        self._prepare(request.ftp_host)
        return outcome

    def audit(self, request: AuditRequest, should_stop: Callable[[], bool]) -> AuditOutcome:
        """Execute the audit's playbook once; a run that stands by stays. Raises RunFailed or RunAbandoned."""
        deadline = time.monotonic() + self._settings.run_timeout_seconds
        playbook = PlaybookRun(
            self._settings, self._environment, request.run_id, request.ftp_host, AUDIT_PLAYBOOK
        )
        return parse_audit_outcome(self._carry_out(playbook, request, deadline, should_stop))

    def preview(self, request: PreviewRequest, should_stop: Callable[[], bool]) -> PreviewOutcome:
        """Execute the preview's playbook once. What stands by is for shares: it stays, and nobody of them waits."""
        deadline = time.monotonic() + self._settings.run_timeout_seconds
        playbook = PlaybookRun(
            self._settings, self._environment, request.run_id, request.ftp_host, PREVIEW_PLAYBOOK
        )
        return _parse(PreviewOutcome, self._carry_out(playbook, request, deadline, should_stop))

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
        """Stop what stands by."""
        with self._guard:
            self._closed = True
            waiting = list(self._standing_by.values())
            self._standing_by.clear()
        for playbook in waiting:
            playbook.stop()
        for playbook in waiting:
            playbook.join(CANCEL_POLL_SECONDS * 5)

    def _take(self, request: RunRequest) -> PlaybookRun:
        with self._guard:
            prepared = self._standing_by.pop(request.ftp_host, None)
        if prepared is not None and prepared.is_alive and prepared.run_id == request.run_id:
            return prepared
        if prepared is not None:
            prepared.stop()
        return PlaybookRun(self._settings, self._environment, request.run_id, request.ftp_host)

    def _prepare(self, ftp_host: str) -> None:
        with self._guard:
            if not self._closed and self._settings.standby:
                self._standing_by[ftp_host] = PlaybookRun(
                    self._settings, self._environment, new_run_id(), ftp_host
                )


def remove_folder(folder: Path) -> None:
    """Remove a run's folder, and let whoever still waits for its request read an end of file, and so end.

    Ansible's forks lead sessions of their own: killing the playbook's process group does not reach them.
    """
    hidden = folder / "closed"
    try:
        (folder / REQUEST).rename(hidden)  # from here on nobody begins to wait
        os.close(os.open(hidden, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        pass  # nobody waits
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


def parse_outcome(content: bytes) -> Outcome:
    """Return an outcome file's content. Raises RunFailed when it does not fit."""
    return _parse(Outcome, content)


def parse_audit_outcome(content: bytes) -> AuditOutcome:
    """The same for that of an audit."""
    return _parse(AuditOutcome, content)


def _parse(kind: type[Parsed], content: bytes) -> Parsed:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        places = ", ".join(".".join(str(step) for step in part["loc"]) for part in error.errors()[:5])
        text = (
            f"the outcome file does not fit its schema at {places}; collection and service differ in version"
        )
        raise RunFailed(ShareError.of("run_failed", text)) from None


def _explain_output(runner: Any, ftp_host: str) -> ShareError:
    """Return why a playbook ended before any task failed, as when it was killed or its inventory is not there."""
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
