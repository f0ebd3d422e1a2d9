"""The API and the worker of one control host, with state under `var/control/<net>/`.

    Control("demo").start()      # idempotent; writes tempoftp.env (0600), makes a token, starts serve and worker
    Control("demo").stop()

It does for the lab what the role `service` and systemd do in production, with the same settings and commands.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tempoftp.cli.service import parse_env_text

from . import processes

PROJECT = Path(__file__).resolve().parents[3]
PROGRAMS = ("serve", "worker")


class ControlError(RuntimeError):
    """The control host could not be started or stopped; the message says what to look at."""


class Control:
    """One API and one worker for the lab net `net`, listening on 127.0.0.1:`port`."""

    def __init__(self, net: str, *, port: int = 9043) -> None:
        self.net = net
        self.port = port
        self.home = PROJECT / "var" / "control" / net
        self.url = f"http://127.0.0.1:{port}"
        self.env_file = self.home / "tempoftp.env"
        self.token_file = self.home / "token"
        self.key_file = self.home / "token-key"
        self.command = str(Path(sys.executable).parent / "tempoftp")
        # A test adds variables that are no settings, as PYTHONPATH, for programs that start from then on.
        self.extra_environment: dict[str, str] = {}

    # -- settings ---------------------------------------------------------------------------------------------

    def read_settings(self) -> dict[str, str]:
        """Return the settings in `tempoftp.env`, name → value."""
        return parse_env_text(self.env_file.read_text())

    def prepare(self) -> None:
        """Write the settings file. Settings that an earlier start wrote are kept, above all the keys."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings = self.read_settings() if self.env_file.exists() else {}
        for key in ("TEMPOFTP_ENCRYPTION_KEY", "TEMPOFTP_SECRET_KEY"):
            if key not in settings:
                settings[key] = self._run_cli("key", "new").strip()
        settings |= {
            "TEMPOFTP_STATE_DIR": str(self.home / "state"),
            "TEMPOFTP_PROJECT_DIR": str(PROJECT),
            "TEMPOFTP_SOURCES_FILE": str(self.home / "sources.yml"),
            "TEMPOFTP_PORT": str(self.port),
        }
        # Only when they are missing, because a test may have named other hosts.
        settings.setdefault("TEMPOFTP_INVENTORY", str(PROJECT / "inventories" / "lab"))
        settings.setdefault("TEMPOFTP_FTP_HOSTS", "ftp1")
        temporary = self.env_file.with_suffix(".new")
        temporary.touch(mode=0o600)
        temporary.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        temporary.replace(self.env_file)
        self._render_sources()

    def environment(self) -> dict[str, str]:
        """Return the whole environment of the API and the worker."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "LC_ALL", "TERM") if name in os.environ}
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "TEMPOFTP_LAB_NET": self.net,
            **self.read_settings(),
            **self.extra_environment,
        }

    def _render_sources(self) -> None:
        """Write the allow-list from the inventory's `tempoftp_sources` with the template of the role `service`."""
        subprocess.run(
            [
                str(Path(sys.executable).parent / "ansible-playbook"),
                "-i",
                str(PROJECT / "inventories" / "lab"),
                str(Path(__file__).with_name("render_sources.yml")),
                "-e",
                json.dumps({"sources_dest": str(self.home / "sources.yml")}),
            ],
            cwd=PROJECT,
            env={**os.environ, "TEMPOFTP_LAB_NET": self.net, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")},
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=120,
        )

    def _run_cli(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.command, *arguments], check=True, capture_output=True, text=True, timeout=60, cwd=PROJECT
        )
        return done.stdout

    @property
    def token(self) -> str:
        """The token of an operator of this service. There is none before the first start."""
        return self.token_file.read_text().strip()

    def list_secret_files(self) -> list[Path]:
        """Return the files that contain secrets on purpose: the settings, the operator's token and its key."""
        return [self.env_file, self.token_file, self.key_file]

    @property
    def client_key(self) -> str:
        """The key of that token alone: with it a client reads `password` in the answers."""
        return self.key_file.read_text().strip()

    def _make_token(self) -> None:
        """Make that token with a key of its own, if there is none, or one of an earlier release without a key."""
        if self.token_file.exists() and self.key_file.exists():
            return
        # The key comes first: a token file without one is made again.
        token, key = self.create_token("control", "--role", "operador", "--key")
        for path, secret in ((self.key_file, key), (self.token_file, token)):
            path.touch(mode=0o600)
            path.write_text(f"{secret}\n")

    def create_token(self, name: str, *options: str) -> list[str]:
        """Make a token with `tempoftp token create` and return what it prints: the token and, with `--key`, its key.

        The name gets a random end, since that of a token that was lost with its file cannot be taken again.
        """
        made = subprocess.run(
            [self.command, "token", "create", f"{name}-{secrets.token_hex(4)}", *options],
            env=self.environment(),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if made.returncode:
            raise ControlError(f"No token could be made: {made.stderr.strip()}")
        return made.stdout.split()

    # -- processes --------------------------------------------------------------------------------------------

    def pid_file(self, program: str) -> Path:
        return self.home / f"{program}.pid"

    def log_file(self, program: str) -> Path:
        return self.home / f"{program}.log"

    def pid(self, program: str) -> int | None:
        """Return the pid of `serve` or `worker`, or None when it is not running."""
        return processes.find_running(self.pid_file(program), f"tempoftp\0{program}")

    def start_program(self, program: str) -> None:
        if self.pid(program) is None:
            processes.start_detached(
                [self.command, program],
                pid_file=self.pid_file(program),
                log_file=self.log_file(program),
                environment=self.environment(),
                cwd=self.home,
            )

    def kill(self, program: str, *, children: bool = False) -> None:
        """`kill -9` a program that runs, with `children` also what it started; return when it is gone.

        A killed process is there for a moment more. `start_program` would find it and start nothing.
        """
        processes.kill_process(self.pid_file(program), f"tempoftp\0{program}", children=children)

    def start(self) -> None:
        """Start API and worker unless they run; return when the API answers."""
        self._forget_other_hosts()
        self.prepare()
        subprocess.run(
            [self.command, "db", "upgrade"], check=True, env=self.environment(), cwd=self.home, timeout=120
        )
        self._make_token()
        for program in PROGRAMS:
            self.start_program(program)
        self._wait_until_active(30.0)

    def stop(self) -> bool:
        """End worker and API; return True if one of them ran."""
        return any([processes.stop_process(self.pid_file(p), f"tempoftp\0{p}") for p in reversed(PROGRAMS)])

    def forget(self) -> None:
        """Remove the control host's state: rows, key and logs."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _forget_other_hosts(self) -> None:
        """Remove the state if hosts of the last start are gone: after `lab down` the new hosts have none of its shares.

        The state is kept when hosts were only added to the net.
        """
        hosts = (PROJECT / "var" / "lab" / self.net / "known_hosts").read_text()
        note = self.home / "known_hosts"
        known = set(note.read_text().splitlines()) if note.exists() else {"no note"}
        if (self.home / "state").exists() and not known <= set(hosts.splitlines()):
            self.forget()
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        note.write_text(hosts)

    def _wait_until_active(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        missing: list[str] = []
        while True:
            try:
                # Without the environment's proxy, which cannot reach this machine's loopback.
                answer = httpx.get(f"{self.url}/", timeout=2, trust_env=False)
                if answer.is_success and answer.json().get("status") == "active":
                    return
            except (httpx.HTTPError, ValueError):
                pass
            # Missing twice in a row: in the middle of its exec a process has no command line yet.
            dead = [p for p in missing if self.pid(p) is None]
            missing = [p for p in PROGRAMS if self.pid(p) is None]
            if dead or time.monotonic() > deadline:
                what = (
                    f"{' and '.join(dead)} ended" if dead else f"no answer from {self.url} in {seconds:.0f} s"
                )
                logs = ", ".join(str(self.log_file(p)) for p in dead or PROGRAMS)
                raise ControlError(f"The control host did not come up: {what}. Look at {logs}.")
            time.sleep(0.1)
