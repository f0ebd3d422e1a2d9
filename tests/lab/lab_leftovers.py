"""Everything a net puts on this machine, by kind: what `down` must leave empty, and what is there while it is up."""

import os
import subprocess
from pathlib import Path

from lab.nets import Net

KINDS = ("mounts", "interfaces", "rules", "processes", "groups", "folders", "loops")


def find_leftovers(net: Net) -> dict[str, list[str]]:
    """Return, for each of KINDS, what of the net is on this machine now."""
    machine, folder = f"{net.tag}-", str(net.folder)
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True, timeout=20).stdout
    return {
        "mounts": _list_mounts(folder),
        "interfaces": [
            path.name
            for path in Path("/sys/class/net").iterdir()
            if path.name == net.bridge or path.name.startswith(f"vb-{machine}")
        ],
        "rules": [line for line in rules.splitlines() if net.subnet in line or f" {net.bridge} " in line],
        "processes": _list_processes(machine, folder),
        "groups": [
            folder
            for folder, _, _ in os.walk("/sys/fs/cgroup")  # groups of others come and go meanwhile
            if Path(folder).name.startswith(f"tempoftp-lab-{machine}")
        ],
        "folders": [str(path) for path in (net.folder, net.control_folder) if path.exists()],
        "loops": [
            path.read_text().strip()
            for path in Path("/sys/block").glob("loop*/loop/backing_file")
            if folder in path.read_text()
        ],
    }


def _list_mounts(folder: str) -> list[str]:
    """Mounts in any mount namespace: those of a host are in a namespace of its own."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            found |= {line for line in path.read_text().splitlines() if folder in line}
        except OSError:
            continue  # that process has just ended
    return sorted(found)


def _list_processes(machine: str, folder: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"--machine={machine}" in words or folder in words:
            found.append(words)
    return found
