"""Start and removal of a whole net, under one lock. Both can be repeated and clean up after an interrupted command."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import image, keys, network
from lab.cgroups import list_machines
from lab.host import ARCHIVES, LabHost, answers_ssh
from lab.nets import NETS, Host, Net
from lab.run import LabError, remove_tree, run_command, wait_until

RUNTIME = Path("/run/tempoftp-lab")
LOCK_SECONDS = 900  # another `up` may be building an image


@dataclass(frozen=True)
class HostStatus:
    """What `status` shows of one host."""

    net: str
    name: str
    address: str
    suite: str
    state: str
    ssh: str
    link: str


def bring_up(net: Net, hosts: Sequence[Host]) -> None:
    """Bring the hosts up (others of the net stay as they are) and wait until each answers ssh."""
    with hold_lock(net.name):
        network.check_owner(net)
        made = [host.read_definition()[0] for host in list_hosts(net) if host.exists()]
        keys.ensure_keys(net, list({host.name: host for host in (*made, *hosts)}.values()))
        net.control_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        network.bring_up(net)
        machines = [LabHost(net, host.name) for host in hosts]
        for machine, host in zip(machines, hosts, strict=True):
            with hold_lock("images"):  # so that no other command destroys the image before the host names it
                machine.create(host)
            machine.start()
        for machine in machines:
            machine.wait_until_ready()
            keep_downloads(machine)


def take_down(net: Net) -> None:
    """Remove everything of a net: processes, groups, interfaces, rules, mounts, folders. Images and packages stay."""
    with hold_lock(net.name):
        network.check_owner(net)
        machines = list_hosts(net)
        steps: list[Callable[[], None]] = [machine.remove for machine in machines]
        steps += [
            lambda: end_connections(net),
            lambda: network.take_down(net),
            lambda: remove_tree(net.folder),
        ]
        problems = []
        for step in steps:
            try:
                step()
            except (LabError, OSError) as error:  # continue, so that everything is removed that can be
                problems.append(str(error))
    remove_if_empty(RUNTIME)
    if problems:
        raise LabError(f"net {net.name} is not wholly down: " + "; ".join(problems))


def start_host(machine: LabHost) -> None:
    """Start a stopped or crashed host and wait until it answers ssh."""
    with hold_lock(machine.net.name):
        machine.start()
        machine.wait_until_ready()


def list_hosts(net: Net) -> list[LabHost]:
    """Return the hosts of a net that have a folder or a control group."""
    folders = net.folder / "hosts"
    names = {path.name for path in folders.iterdir()} if folders.is_dir() else set()
    names |= {machine.removeprefix(f"{net.tag}-") for machine in list_machines(net.tag)}
    return [LabHost(net, name) for name in sorted(names)]


def read_status(net: Net) -> list[HostStatus]:
    """Return the state of every host of the net that has a folder or a control group."""
    found = []
    for machine in list_hosts(net):
        host = machine.read_definition()[0] if machine.exists() else None
        address = net.ip(host) if host else "-"
        state = machine.state()
        ssh = "yes" if host and state == "running" and answers_ssh(address) else "no"
        link = network.link_state(machine.interface)
        found.append(
            HostStatus(net.name, machine.name, address, host.suite if host else "-", state, ssh, link)
        )
    return found


def destroy_images() -> list[Path]:
    """Remove every cached image that no host of any net uses."""
    with hold_lock("images"):
        machines = [machine for net in NETS.values() for machine in list_hosts(net) if machine.exists()]
        return image.destroy_images(in_use={machine.read_definition()[1] for machine in machines})


def keep_downloads(machine: LabHost) -> None:
    """Keep the packages that the host has downloaded so far for later hosts."""
    image.keep_packages(machine.read_definition()[0].suite, machine.folder / ARCHIVES)


def end_connections(net: Net) -> None:
    """End the ssh connections that Ansible keeps open to the net; those to a removed host would hang."""
    if not net.control_folder.is_dir():
        return
    for control in net.control_folder.iterdir():
        run_command(
            ["ssh", "-F", "/dev/null", "-O", "exit", "-o", f"ControlPath={control}", "x"],
            timeout=5,
            check=False,
        )
        control.unlink(missing_ok=True)
    net.control_folder.rmdir()


@contextmanager
def hold_lock(name: str) -> Iterator[None]:
    """Hold a lock of this machine, because all checkouts share one kernel; wait until it is free."""
    path = RUNTIME / f"{name}.lock"
    descriptor = -1

    def take() -> bool:
        nonlocal descriptor
        RUNTIME.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.fstat(descriptor).st_ino == path.stat().st_ino:
                return True  # otherwise its last holder has removed the file: take the new one
        except BlockingIOError:
            pass
        os.close(descriptor)
        return False

    if not wait_until(take, timeout=LOCK_SECONDS, interval=0.1):
        raise LabError(f"another lab command has held {path} for {LOCK_SECONDS} s; see `fuser {path}`")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while the lock is held; a waiting command notices it
        os.close(descriptor)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder if it is empty."""
    try:
        folder.rmdir()
    except OSError:
        return  # another net still uses it
