"""The stage of an end-to-end test: lab hosts, a control host, and functions that read the state of both."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from control import Control
from cryptography.fernet import Fernet

PROJECT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
LAB_DIR = PROJECT / "var" / "lab"
LAB_TIMEOUT = 600
# The home of the operator who runs playbooks here, so that no test touches passwords of the person who runs the tests.
OPERATOR_HOME = PROJECT / "var" / "operator"
CREDENTIALS = OPERATOR_HOME / ".config" / "tempoftp" / "credentials"


class Stage:
    """One lab net with its control host."""

    ftp_host = "ftp1"
    source_host = "source1"

    def __init__(self, net: str, *, subnet: str, port: int) -> None:
        self.net = net
        self.ftp_address = f"{subnet}.11"
        self.source_address = f"{subnet}.21"
        self.control = Control(net, port=port)

    @contextmanager
    def stand(self, settings: str = "") -> Iterator[Stage]:
        """Bring the hosts up with `site.yml` applied and the service started; take all down at the end.

        KEEP_LAB=1 uses hosts that are up and leaves them up. `settings` are lines for the service's environment file.
        """
        keep = os.environ.get("KEEP_LAB") == "1"
        try:
            if not keep:
                self.control.forget()
                self.lab("down")
            self.lab("up", timeout=900)
            self.run_playbook("playbooks/site.yml", timeout=900)
            self.source("mkdir -p /srv/datos/e2e && chmod a+rx /srv/datos /srv/datos/e2e")
            if settings and not self.control.env_file.exists():
                self.control.home.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.control.env_file.touch(mode=0o600)
                self.control.env_file.write_text(settings)
            self.control.start()
            yield self
        finally:
            if not keep:
                self.control.stop()
                self.lab("down")

    @contextmanager
    def with_settings(self, lines: str) -> Iterator[None]:
        """Restart the service with more lines in its environment file, and at the end as it was before."""
        before = self.control.env_file.read_text()
        self.control.stop()
        try:
            self.control.env_file.write_text(before + lines)
            self.control.start()
            yield
        finally:
            self.control.stop()
            self.control.env_file.write_text(before)
            self.control.start()

    # -- hosts --------------------------------------------------------------------------------------------------

    def lab(self, *arguments: str, timeout: float = LAB_TIMEOUT) -> str:
        """Run a command of the lab for this net; when it fails, its output is the error."""
        return self._run(
            [sys.executable, str(PROJECT / "molecule/shared"), "lab", "--net", self.net, *arguments], timeout
        )

    def run_playbook(
        self, *arguments: str, inventory: Path | str = "inventories/lab", timeout: float = LAB_TIMEOUT
    ) -> str:
        """Run `ansible-playbook -i inventories/lab …` as an operator does; return its output."""
        return self._run([str(BIN / "ansible-playbook"), "-i", str(inventory), *arguments], timeout)

    def ftp(self, command: str) -> str:
        """Run `command` in a root shell on the FTP host; return its output."""
        return self.on_host(self.ftp_host, command)

    def source(self, command: str) -> str:
        """Run `command` in a root shell on the source host; return its output."""
        return self.on_host(self.source_host, command, timeout=300)

    def on_host(self, host: str, command: str, *, timeout: float = 120) -> str:
        """Run `command` in a root shell on a host of the net; return its output."""
        return self.lab("exec", host, "--", "bash", "-c", command, timeout=timeout)

    def _run(self, argv: list[str], timeout: float) -> str:
        OPERATOR_HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
        environment = {
            **{name: value for name, value in os.environ.items() if name != "XDG_CONFIG_HOME"},
            "HOME": str(OPERATOR_HOME),
            "TEMPOFTP_LAB_NET": self.net,
            "TEMPOFTP_LAB_DIR": str(LAB_DIR),  # for an inventory in another folder
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_HOME": str(PROJECT / "var" / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
        }
        done = subprocess.run(
            argv, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=timeout
        )
        if done.returncode:
            raise AssertionError(
                f"{shlex.join(argv)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
            )
        return done.stdout

    def find_playbooks(self) -> list[int]:
        """Return the pids of the ansible-playbook processes of this stage's worker."""
        mine = str(self.control.home).encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command_line = (folder / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if b"ansible-playbook" in command_line and mine in command_line:
                found.append(int(folder.name))
        return found

    # -- source data --------------------------------------------------------------------------------------------

    def make_tree(self, name: str, *, files: int, kib: int = 16) -> str:
        """Make a folder of random files below the allowed root of the source; return its path there."""
        path = f"/srv/datos/e2e/{name}"
        self.source(
            f"rm -rf {path} && mkdir -p '{path}/sub carpeta' && cd {path} && "
            f"for n in $(seq {files}); do head -c $(({kib} * 1024 + n)) /dev/urandom > archivo_$n.bin; done && "
            f"head -c 777 /dev/urandom > 'sub carpeta/año ñandú.nc' && chmod -R a+rX /srv/datos/e2e"
        )
        return path

    def digest_source(self, path: str) -> dict[str, str]:
        """Return `{relative path: sha256}` of every file below `path` on the source."""
        lines = self.source(f"cd {path} && find . -type f -exec sha256sum {{}} +").splitlines()
        return {line[66:].removeprefix("./"): line[:64] for line in lines}

    # -- what a test looks at -----------------------------------------------------------------------------------

    @property
    def secret_key(self) -> str:
        return self.control.read_settings()["TEMPOFTP_SECRET_KEY"]

    @property
    def encryption_key(self) -> str:
        return self.control.read_settings()["TEMPOFTP_ENCRYPTION_KEY"]

    def decrypt(self, token: str) -> str:
        """Return the password in a Fernet token of an answer to the stage's own token, as an application reads it."""
        return Fernet(self.control.client_key).decrypt(token.encode()).decode()

    @property
    def certificate(self) -> str:
        """pure-ftpd's certificate (PEM, without its key)."""
        return self.read_certificate(self.ftp_host)

    def read_certificate(self, host: str) -> str:
        """Return the certificate (PEM, without its key) of the pure-ftpd on a host."""
        pem = self.on_host(
            host,
            'cat $(python3 -c \'import json; print(json.load(open("/etc/tempoftp/server.json"))["certificate"])\')',
        )
        found = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", pem, re.DOTALL)
        assert found, "server.json names a certificate"
        return found.group()

    def query(self, sql: str) -> str:
        """Return the rows of `sql` in pure-ftpd's database on the FTP host, tab separated."""
        return self.ftp(f"mariadb --batch --skip-column-names pureftpd -e {shlex.quote(sql)}")

    def read_password_hash(self, user: str) -> str:
        return self.query(f"SELECT Password FROM users WHERE User = '{user}'").strip()

    def list_host_state(self) -> str:
        """Return everything of tempoftp on the FTP host: accounts, homes, manifests, staging."""
        return self.query("SELECT User FROM users ORDER BY 1") + self.ftp(
            "find /data -maxdepth 3 -not -path '*/lib/*' -not -name lock -not -name clock.json | sort"
        )
