"""A control group of its own for each host, so that all its processes can be found, frozen and killed at once.

Two layouts: `unified` (pure cgroup v2) and `hybrid` (v1 controllers with a v2 tree in /sys/fs/cgroup/unified). In the
v2 tree a host has the groups `tempoftp-lab-<machine>/{launcher,boot}`; two leaves, because v2 allows no processes
beside children with controllers. In the hybrid layout a host also needs its own v1 group for systemd. If all hosts
shared one, systemd could not stop units properly.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from lab.run import LabError, wait_until

CGROUP_ROOT = Path("/sys/fs/cgroup")
PREFIX = "tempoftp-lab-"
V1_TREES = ("systemd", "memory", "freezer")


def find_v2_root() -> Path:
    """Return the root of the cgroup v2 tree."""
    for root in (CGROUP_ROOT, CGROUP_ROOT / "unified"):
        if (root / "cgroup.controllers").exists():
            return root
    raise LabError(f"no cgroup v2 tree at {CGROUP_ROOT} or {CGROUP_ROOT}/unified; boot with cgroup v2")


def find_v1_roots() -> list[Path]:
    """Return the v1 trees in which a host needs a group; none on a pure v2 machine."""
    if find_v2_root() == CGROUP_ROOT:
        return []
    return [CGROUP_ROOT / tree for tree in V1_TREES if (CGROUP_ROOT / tree / "cgroup.procs").exists()]


class HostGroup:
    """The control groups of one host (`machine`: net tag and host name)."""

    def __init__(self, machine: str) -> None:
        self.name = PREFIX + machine
        self.top = find_v2_root() / self.name
        self._v1_tops = [root / self.name for root in find_v1_roots()]

    def make(self) -> None:
        """Create the groups; those of an earlier boot must be gone (`remove`)."""
        for leaf in ("launcher", "boot"):
            (self.top / leaf).mkdir(parents=True, exist_ok=True)
        for controller in (self.top / "cgroup.controllers").read_text(encoding="ascii").split():
            with suppress(OSError):  # the host works without a controller that this machine cannot delegate
                (self.top / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")
        for top in self._v1_tops:
            top.mkdir(exist_ok=True)

    def enter_launcher(self) -> None:
        """Move the calling process into the group, apart from the host's own processes."""
        (self.top / "launcher" / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    def enter_boot(self) -> None:
        """Move the calling process into the group of the host (before nspawn starts)."""
        for folder in (self.top / "boot", *self._v1_tops):
            (folder / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    def remove_boot(self) -> None:
        """Remove the groups that a boot left, so that the next one starts in fresh groups."""
        for folder in (self.top / "boot", *self._v1_tops):
            _remove_group(folder)

    def is_populated(self) -> bool:
        """Return whether a process of the host or its launcher runs."""
        return _is_populated(self.top)

    def is_frozen(self) -> bool:
        try:
            return "frozen 1" in (self.top / "cgroup.events").read_text(encoding="ascii")
        except OSError:
            return False

    def freeze(self, *, frozen: bool) -> None:
        """Stop or continue every process of the host; wait until this is done."""
        (self.top / "cgroup.freeze").write_text("1" if frozen else "0", encoding="ascii")
        if not wait_until(lambda: self.is_frozen() == frozen, timeout=10):
            raise LabError(
                f"{self.name} did not {'freeze' if frozen else 'thaw'} in 10 s; see {self.top}/cgroup.events"
            )

    def kill(self) -> None:
        """End every process of the host at once, launcher included, and remove its groups."""
        with suppress(FileNotFoundError):  # nothing to kill
            (self.top / "cgroup.kill").write_text("1", encoding="ascii")
        if not wait_until(lambda: not self.is_populated(), timeout=20):
            raise LabError(f"processes of {self.name} survived SIGKILL for 20 s; see {self.top}/cgroup.procs")
        self.remove()

    def remove(self) -> None:
        """Remove the groups of a host without processes."""
        for folder in (self.top, *self._v1_tops):
            _remove_group(folder)

    def list_pids(self) -> list[int]:
        """Return the pids of every process of the host, as this machine sees them."""
        pids = []
        for folder, _, _ in os.walk(
            self.top
        ):  # continues when a group vanishes during the walk; `rglob` does not
            try:
                procs = Path(folder, "cgroup.procs").read_text(encoding="ascii")
            except OSError:
                continue  # that group was just removed
            pids += [int(word) for word in procs.split()]
        return pids

    def find_leader(self) -> int | None:
        """Return the pid of the host's init, as this machine sees it; None while there is none."""
        for pid in self.list_pids():
            try:
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            except OSError:
                continue
            inner = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
            if len(inner) > 1 and inner[-1] == "1":
                return pid
        return None


def list_machines(tag: str) -> list[str]:
    """Return the machine names of a net with a group in any tree, also when no state file names them."""
    roots = [find_v2_root(), *find_v1_roots()]
    folders = {folder.name for root in roots for folder in root.glob(f"{PREFIX}{tag}-*")}
    return sorted(name.removeprefix(PREFIX) for name in folders)


def _is_populated(folder: Path) -> bool:
    try:
        return "populated 1" in (folder / "cgroup.events").read_text(encoding="ascii")
    except OSError:
        return False


def _remove_group(folder: Path) -> None:
    if not folder.exists():
        return

    def is_gone() -> bool:
        for path, _, _ in os.walk(folder, topdown=False):
            try:
                Path(path).rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return False  # a process has not ended yet
        return True

    if not wait_until(is_gone, timeout=10):
        raise LabError(f"the control group {folder} cannot be removed; see its cgroup.procs")
