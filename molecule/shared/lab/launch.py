"""The program that runs beside a host: it mounts, makes control groups, and starts nspawn, again after each reboot.

It runs in a mount namespace of its own (`unshare` in `host.start`), so that every mount made here vanishes with the
last process, also after a kill.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab import network
from lab.host import LabHost
from lab.nets import find_net
from lab.run import LabError, run_command

RC_REBOOT = 133


def launch(net_name: str, host_name: str) -> int:
    """Run a host until it powers off; return nspawn's last exit status."""
    machine = LabHost(find_net(net_name), host_name)
    host, image_folder = machine.read_definition()
    mount_layers(machine, image_folder)
    if host.in_memory:
        options = f"mode=0755,size={host.data_mb}m"
        run_command(["mount", "-t", "tmpfs", "-o", options, "tempoftp-lab", machine.folder / "data"])
    argv = build_nspawn_argv(machine, with_disk=host.data_mb > 0)
    while True:
        done = subprocess.run(argv, preexec_fn=machine.group.enter_boot, check=False)
        if done.returncode != RC_REBOOT:
            return done.returncode
        machine.group.remove_boot()
        network.delete_link(machine.interface)
        machine.group.make()


def mount_layers(machine: LabHost, image_folder: Path) -> None:
    """Mount the host's root (image below, its own layer above), its disk, and a place for nspawn's sockets."""
    folder = machine.folder
    if any(character in f"{folder}{image_folder}" for character in ",:\\"):
        raise LabError(
            f"{folder}: an overlay cannot be mounted from a path with a comma, colon or backslash; move the checkout"
        )
    Path("/run/systemd/nspawn").mkdir(parents=True, exist_ok=True)
    # files that nspawn leaves there make its next start (a reboot) fail
    run_command(["mount", "-t", "tmpfs", "-o", "mode=0755", "tempoftp-lab", "/run/systemd/nspawn"])
    layers = f"lowerdir={image_folder},upperdir={folder}/upper,workdir={folder}/work"
    run_command(["mount", "-t", "overlay", "-o", layers, "tempoftp-lab", folder / "root"])
    if (folder / "data.img").exists():
        run_command(["mount", "-o", "loop", folder / "data.img", folder / "data"])


def build_nspawn_argv(machine: LabHost, *, with_disk: bool) -> list[str]:
    """Return nspawn's command line."""
    return [
        *(
            "systemd-nspawn",
            "--quiet",
            f"--directory={machine.folder}/root",
            "--boot",
            "--register=no",
            "--keep-unit",
        ),
        *(
            f"--machine={machine.machine}",
            f"--hostname={machine.name}",
            f"--network-bridge={machine.net.bridge}",
        ),
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
        *([f"--bind={machine.folder}/data:/data"] if with_disk else []),
    ]
