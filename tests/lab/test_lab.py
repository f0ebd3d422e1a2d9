"""The lab itself, on a net of its own: up, faults, and down that leaves nothing, also after a crash of anything."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab.cgroups import HostGroup
from lab.host import LabHost, answers_ssh
from lab.nets import NETS

from tests.lab.lab_leftovers import KINDS, find_leftovers

ROOT = Path(__file__).resolve().parents[2]
NET = NETS["labtest"]
FTP1 = "10.117.9.11"
HOSTS = ("ftp1", "small=12,data_mb=16")

pytestmark = pytest.mark.lab


def run_lab(*words: str, rc: int = 0) -> str:
    """Run the lab's own command line; return what it said."""
    argv = [sys.executable, "molecule/shared", "lab", "--net", NET.name, *words]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == rc, done.stdout + done.stderr
    return done.stdout + done.stderr


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


def read_state(name: str = "ftp1") -> str:
    rows = json.loads(run_lab("status", "--json"))
    return next(row["state"] for row in rows if row["name"] == name)


def find_leader() -> int:
    return LabHost(NET, "ftp1").find_leader()


@pytest.fixture(scope="module")
def lab() -> Iterator[None]:
    run_lab("down")
    run_lab("up", *HOSTS)
    yield
    run_lab("down")


@pytest.mark.usefixtures("lab")
class TestUp:
    def test_host_runs_systemd_and_has_its_name(self) -> None:
        assert run_lab("ssh", "ftp1", "--", "hostname; ps -o comm= 1").split() == ["ftp1", "systemd"]

    def test_no_unit_failed(self) -> None:
        assert run_lab("ssh", "ftp1", "--", "systemctl is-system-running --wait").strip() == "running"

    def test_again_changes_nothing(self) -> None:
        leader = find_leader()
        run_lab("up", *HOSTS)
        assert find_leader() == leader
        assert len(find_leftovers(NET)["rules"]) == 3

    def test_it_reaches_the_package_mirror(self) -> None:
        said = run_lab("ssh", "ftp1", "--", "apt-get update -q 2>&1 | tail -1")
        assert "Reading package lists" in said

    def test_host_with_another_definition_is_refused(self) -> None:
        assert "exists with another definition" in run_lab("up", "small=12,data_mb=32", rc=1)

    def test_unknown_host_is_refused(self) -> None:
        assert "does not exist" in run_lab("ssh", "nobody", "--", "true", rc=1)

    def test_another_host_key_is_refused(self) -> None:
        known = NET.folder / "known_hosts"
        good = known.read_text(encoding="ascii")
        other = (NET.folder / "host_keys" / "small.pub").read_text(encoding="ascii").split()[1]
        known.write_text(f"{FTP1} ssh-ed25519 {other}\n", encoding="ascii")
        try:
            assert "Host key verification failed" in run_lab("ssh", "ftp1", "--", "true", rc=255)
        finally:
            known.write_text(good, encoding="ascii")
        assert run_lab("ssh", "ftp1", "--", "echo in") == "in\n"

    def test_net_of_another_checkout_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "molecule/shared/lab").mkdir(parents=True)
        alias = ["ip", "link", "set", NET.bridge, "alias"]
        subprocess.run([*alias, f"tempoftp-lab {tmp_path}"], check=True, timeout=10)
        try:
            assert f"up from another checkout, {tmp_path}" in run_lab("up", *HOSTS, rc=1)
            assert f"up from another checkout, {tmp_path}" in run_lab("down", rc=1)
        finally:
            subprocess.run([*alias, f"tempoftp-lab {ROOT}"], check=True, timeout=10)
        assert answers_ssh(FTP1)


@pytest.mark.usefixtures("lab")
class TestFaults:
    def test_reboot_keeps_files(self) -> None:
        leader = find_leader()
        run_lab("exec", "ftp1", "--", "touch", "/etc/kept")
        run_lab("exec", "ftp1", "--", "systemctl", "--no-block", "reboot")
        wait_for(lambda: HostGroup("labt-ftp1").find_leader() not in (None, leader) and answers_ssh(FTP1))
        assert run_lab("ssh", "ftp1", "--", "ls /etc/kept").strip() == "/etc/kept"
        assert run_lab("ssh", "ftp1", "--", "systemctl is-system-running --wait").strip() == "running"

    @pytest.mark.parametrize("fault", ["crash", "stop"])
    def test_crash_and_stop_end_it_and_start_keeps_files(self, fault: str) -> None:
        run_lab("exec", "ftp1", "--", "touch", f"/etc/kept-{fault}")
        run_lab(fault, "ftp1")
        assert read_state() == "stopped"
        assert not answers_ssh(FTP1)
        run_lab("start", "ftp1")
        assert read_state() == "running"
        assert run_lab("ssh", "ftp1", "--", f"ls /etc/kept-{fault}").strip() == f"/etc/kept-{fault}"

    @pytest.mark.parametrize(("fault", "cure"), [("freeze", "thaw"), ("link-down", "link-up")])
    def test_hung_or_unplugged_host_does_not_answer_until_it_is_cured(self, fault: str, cure: str) -> None:
        leader = find_leader()
        run_lab(fault, "ftp1")
        assert not answers_ssh(FTP1)
        run_lab(cure, "ftp1")
        wait_for(lambda: answers_ssh(FTP1))
        assert find_leader() == leader

    def test_exec_needs_no_network(self) -> None:
        run_lab("link-down", "ftp1")
        try:
            assert run_lab("exec", "ftp1", "--", "hostname").strip() == "ftp1"
        finally:
            run_lab("link-up", "ftp1")

    def test_own_disk_is_as_small_as_asked_for(self) -> None:
        run_lab("exec", "ftp1", "--", "mkdir", "-p", "/data")
        fill = ("--", "dd", "if=/dev/zero", "of=/data/fill", "bs=1M", "count=20")
        assert "No space left on device" in run_lab("exec", "small", *fill, rc=1)
        run_lab("exec", "small", "--", "rm", "/data/fill")
        assert "No space" not in run_lab("exec", "ftp1", *fill)

    def test_fault_of_a_host_that_is_not_running_is_refused(self) -> None:
        run_lab("stop", "small")
        try:
            assert "is not running" in run_lab("freeze", "small", rc=1)
        finally:
            run_lab("start", "small")


class TestDown:
    """Each test brings up what it breaks."""

    @pytest.fixture(autouse=True)
    def _down(self) -> Iterator[None]:
        yield
        run_lab("down")

    def test_nothing_is_left(self) -> None:
        run_lab("up", *HOSTS)
        there = find_leftovers(NET)
        assert all(there[kind] for kind in KINDS), there  # else the search would prove nothing
        run_lab("down")
        assert find_leftovers(NET) == {kind: [] for kind in KINDS}

    def test_down_when_nothing_is_up_is_fine(self) -> None:
        run_lab("down")
        assert "is down" in run_lab("down")

    def test_after_the_launcher_was_killed(self) -> None:
        run_lab("up", *HOSTS)
        for pid in (HostGroup("labt-ftp1").top / "launcher" / "cgroup.procs").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
        run_lab("down")
        assert find_leftovers(NET) == {kind: [] for kind in KINDS}

    def test_after_up_was_killed_half_way(self) -> None:
        argv = [sys.executable, "molecule/shared", "lab", "--net", NET.name, "up", *HOSTS]
        with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL) as half:
            wait_for((HostGroup("labt-ftp1").top / "launcher").exists)
            half.kill()
        run_lab("down")
        assert find_leftovers(NET) == {kind: [] for kind in KINDS}

    def test_up_finishes_what_a_killed_up_began(self) -> None:
        (NET.folder / "hosts" / "ftp1" / "upper").mkdir(parents=True)
        run_lab("up", "ftp1")
        with socket.create_connection((FTP1, 22), timeout=5) as connection:
            assert connection.recv(7) == b"SSH-2.0"

    def test_after_its_state_was_deleted_by_hand(self) -> None:
        run_lab("up", "ftp1")
        subprocess.run(["rm", "-rf", "--", NET.folder], check=True, timeout=60)
        run_lab("down")
        assert find_leftovers(NET) == {kind: [] for kind in KINDS}

    def test_doubled_rules_and_a_frozen_host_go_too(self) -> None:
        run_lab("up", "ftp1")
        subprocess.run(
            ["iptables", "-w", "10", "-A", "FORWARD", "-i", NET.bridge, "-j", "ACCEPT"],
            check=True,
            timeout=20,
        )
        run_lab("freeze", "ftp1")
        run_lab("down")
        assert find_leftovers(NET) == {kind: [] for kind in KINDS}
