"""One host: its folder (overlay upper layer, keys, log), its start, the ways to end it, and whether it answers.

The folder `var/lab/<net>/hosts/<name>` holds `definition.json` (written last: without it the folder is incomplete and
is made again), `upper`, `work`, `root` (mount point, mounted only inside the launcher's namespace), `console.log`, and
`data.img` when /data is a disk of its own. The state is there, so it survives stop, crash and reboot.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path

from lab import image, keys, network
from lab.cgroups import HostGroup
from lab.nets import Host, Net
from lab.run import LabError, remove_tree, run_command, wait_until

ARCHIVES = "upper/var/cache/apt/archives"


class LabHost:
    """One host of a net, which may exist or not, and run or not."""

    def __init__(self, net: Net, name: str) -> None:
        self.net = net
        self.name = name
        self.machine = net.machine(name)
        self.interface = f"vb-{self.machine}"
        self.folder = net.folder / "hosts" / name
        self.group = HostGroup(self.machine)

    @property
    def definition_file(self) -> Path:
        return self.folder / "definition.json"

    def exists(self) -> bool:
        return self.definition_file.exists()

    def read_definition(self) -> tuple[Host, Path]:
        """Return the definition of the host and the folder of its image."""
        try:
            stored = json.loads(self.definition_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise LabError(
                f"host {self.name} of net {self.net.name} does not exist; run `lab --net {self.net.name} up`"
            ) from None
        return Host(**stored["host"]), Path(stored["image"])

    def is_running(self) -> bool:
        return self.group.is_populated()

    def create(self, host: Host) -> None:
        """Make the host's folder, and its image if it is missing; an existing host must have the same definition."""
        if self.exists():
            if self.read_definition()[0] != host:
                raise LabError(
                    f"host {host.name} of net {self.net.name} exists with another definition "
                    f"({self.read_definition()[0]}); run `lab --net {self.net.name} down` first"
                )
            return
        image_folder = image.ensure_image(host.suite)
        self.group.kill()
        remove_tree(self.folder)
        for part in ("upper", "work", "root", "data"):
            (self.folder / part).mkdir(parents=True)
        self._write_upper(host, image_folder)
        image.seed_packages(host.suite, self.folder / ARCHIVES)
        if host.data_mb and not host.in_memory:
            self._make_disk(host.data_mb)
        keys.write_file(
            self.definition_file,
            json.dumps({"host": host.to_dict(), "image": str(image_folder)}) + "\n",
            0o644,
        )

    def start(self) -> None:
        """Start the launcher (and with it the host) unless it runs; do not wait until the host answers."""
        _, image_folder = self.read_definition()
        if self.is_running():
            return
        if not image_folder.is_dir():
            raise LabError(
                f"the image {image_folder} of host {self.name} is gone; run `lab --net {self.net.name} down`, then up"
            )
        self.group.kill()
        network.delete_link(self.interface)
        self.group.make()
        with (self.folder / "console.log").open("ab") as log:
            subprocess.Popen(  # it has to outlive this program, which finds it again by its control group
                [
                    *("unshare", "--mount", "--propagation", "private", sys.executable),
                    *(str(Path(__file__).parents[1]), "lab", "_launch", self.net.name, self.name),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={
                    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "LANG": "C.UTF-8",
                },
                start_new_session=True,
                preexec_fn=self.group.enter_launcher,  # noqa: PLW1509 (one thread; from birth in its group, so that `down` finds it)
            )

    def wait_until_ready(self, *, timeout: float = 60) -> None:
        """Wait until sshd answers; raise LabError with the end of the console log when it does not in time."""
        host, _ = self.read_definition()
        address = self.net.ip(host)

        def is_over() -> bool:
            return answers_ssh(address) or not self.is_running()

        if not wait_until(is_over, timeout=timeout) or not self.is_running():
            log = (self.folder / "console.log").read_text(encoding="utf-8", errors="replace")[-1500:]
            raise LabError(
                f"host {self.name} ({address}) does not answer ssh after {timeout:g} s; its console says:\n{log}"
            )

    def stop(self) -> None:
        """Shut the host down cleanly; after 30 s, kill it and say so."""
        self.group.freeze(frozen=False)
        leader = self.group.find_leader()
        if leader is not None:
            os.kill(leader, signal.SIGRTMIN + 4)
        ended = leader is not None and wait_until(lambda: not self.is_running(), timeout=30)
        self.group.kill()
        if not ended:
            raise LabError(
                f"host {self.name} did not shut down within 30 s and was killed; see {self.folder}/console.log"
            )

    def crash(self) -> None:
        """End every process of the host at once, as a kernel panic would (written data stays in the page cache)."""
        self.group.kill()
        network.delete_link(self.interface)

    def remove(self) -> None:
        """Crash the host and remove everything of it, except packages that it downloaded, for the next one."""
        self.crash()
        if self.exists():
            image.keep_packages(self.read_definition()[0].suite, self.folder / ARCHIVES)
        remove_tree(self.folder)

    def state(self) -> str:
        """Return `running`, `frozen`, `stopped` or `absent`."""
        if self.is_running():
            return "frozen" if self.group.is_frozen() else "running"
        return "stopped" if self.exists() else "absent"

    def find_leader(self) -> int:
        """Return the pid of the host's init on this machine."""
        leader = self.group.find_leader()
        if leader is None:
            raise LabError(
                f"host {self.name} of net {self.net.name} is not running; `lab --net {self.net.name} start {self.name}`"
            )
        return leader

    def _make_disk(self, mebibytes: int) -> None:
        disk = self.folder / "data.img"
        with disk.open("wb") as file:
            file.truncate(mebibytes << 20)
        run_command(["mkfs.ext4", "-q", "-F", "-m", "0", disk])

    def _write_upper(self, host: Host, image_folder: Path) -> None:
        address = self.net.ip(host)
        known = {other.name: other for other in (*self.net.hosts, *self.net.extra_hosts, host)}
        names = "".join(f"{self.net.ip(other)} {other.name}\n" for other in known.values())
        private = keys.host_key(self.net, host.name)
        files = {
            "etc/hostname": (f"{host.name}\n", 0o644),
            "etc/machine-id": (f"{secrets.token_hex(16)}\n", 0o444),
            "etc/hosts": (f"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{names}", 0o644),
            "etc/resolv.conf": (read_resolvers(), 0o644),
            "etc/systemd/network/10-host0.network": (
                f"[Match]\nName=host0\n[Network]\nAddress={address}/24\nGateway={self.net.gateway}\n"
                "LinkLocalAddressing=no\nIPv6AcceptRA=no\n",
                0o644,
            ),
            "etc/ssh/ssh_host_ed25519_key": (private.read_text(encoding="ascii"), 0o600),
            "etc/ssh/ssh_host_ed25519_key.pub": (Path(f"{private}.pub").read_text(encoding="ascii"), 0o644),
            "root/.ssh/authorized_keys": (
                Path(f"{keys.login_key(self.net)}.pub").read_text(encoding="ascii"),
                0o600,
            ),
        }
        for name, (text, mode) in files.items():
            self._make_folders(Path(name).parent, image_folder)
            keys.write_file(self.folder / "upper" / name, text, mode)
        (self.folder / "upper/root/.ssh").chmod(0o700)
        self._make_folders(Path("var/cache/apt/archives"), image_folder)

    def _make_folders(self, relative: Path, image_folder: Path) -> None:
        """Make a folder in the upper layer with the modes of the folder in the image that it covers."""
        for part in (*reversed(relative.parents), relative):
            below, above = image_folder / part, self.folder / "upper" / part
            above.mkdir(exist_ok=True)
            if below.is_dir():
                above.chmod(below.stat().st_mode & 0o7777)


def answers_ssh(address: str) -> bool:
    """Return whether an ssh server greets at that address within a second."""
    try:
        with socket.create_connection((address, 22), timeout=1) as connection:
            connection.settimeout(2)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def read_resolvers() -> str:
    """Return a resolv.conf that works from inside a host: this machine's, without a resolver stub on its loopback."""
    for path in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        if not path.exists():
            continue
        servers = [
            line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("nameserver")
        ]
        if servers and not any(line.split()[1].startswith("127.") for line in servers):
            return "\n".join(servers) + "\n"
    raise LabError(
        "no name server that a lab host could reach is in /etc/resolv.conf; add one that is not on 127.0.0.0/8"
    )
