"""The faults. Each is a context manager: inside its block the fault is in force.

A kill is over at once. At the end of the block the killed process is started again, as systemd would.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from pathlib import Path

from lab.host import LabHost
from lab.nets import find_net

from tests.faults.ground import Ground, Subject

FILLING = "/data/relleno"

Inflict = Callable[[Ground, Subject], AbstractContextManager[None]]


def fault(steps: Callable[[Ground, Subject], Iterator[None]]) -> Inflict:
    """Make a context manager of a function that yields once; the code after its `yield` always runs."""

    @wraps(steps)
    @contextmanager
    def inflict(ground: Ground, subject: Subject) -> Iterator[None]:
        going = steps(ground, subject)
        next(going)
        try:
            yield
        finally:
            next(going, None)

    return inflict


@fault
def kill_api(ground: Ground, subject: Subject) -> Iterator[None]:
    """`kill -9` of the API, its server processes included."""
    ground.stage.control.kill("serve", children=True)
    yield
    ground.stage.control.start()


@fault
def kill_worker(ground: Ground, subject: Subject) -> Iterator[None]:
    """`kill -9` of the worker; the processes that it started run on."""
    ground.stage.control.kill("worker")
    yield
    ground.stage.control.start_program("worker")


@fault
def kill_playbook(ground: Ground, subject: Subject) -> Iterator[None]:
    """`kill -9` of every ansible-playbook of the worker, also of one that stands by."""
    deadline = time.monotonic() + 60
    while not (pids := ground.stage.find_playbooks()):
        assert time.monotonic() < deadline, "no ansible-playbook was seen"
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    yield


@fault
def kill_copier(ground: Ground, subject: Subject) -> Iterator[None]:
    """`kill -9` of the copier's own process."""
    unit = f"tempoftp-copy-{subject.id}"
    ground.stage.ftp(f"kill -KILL $(systemctl show --property=MainPID --value {unit})")
    yield


@fault
def kill_rsync(ground: Ground, subject: Subject) -> Iterator[None]:
    """`kill -9` of every rsync of the share."""
    ground.stage.ftp(f"pkill -KILL -f '^rsync .*/staging/{subject.id}/data/$'")
    yield


@fault
def cut_power(ground: Ground, subject: Subject) -> Iterator[None]:
    """A power cut: every process of the FTP host ends at once; at the end the host starts again."""
    ground.stage.lab("crash", ground.stage.ftp_host)
    yield
    ground.stage.lab("start", ground.stage.ftp_host)
    ground.start_watch()


@fault
def reboot_ftp_host(ground: Ground, subject: Subject) -> Iterator[None]:
    """An orderly reboot of the FTP host."""
    ground.stage.lab("stop", ground.stage.ftp_host)
    yield
    ground.stage.lab("start", ground.stage.ftp_host)
    ground.start_watch()


@fault
def cut_ftp_host(ground: Ground, subject: Subject) -> Iterator[None]:
    """The FTP host's network cable is unplugged."""
    ground.stage.lab("link-down", ground.stage.ftp_host)
    yield
    ground.stage.lab("link-up", ground.stage.ftp_host)


@fault
def cut_source(ground: Ground, subject: Subject) -> Iterator[None]:
    """The source's network cable is unplugged."""
    ground.stage.lab("link-down", ground.stage.source_host)
    yield
    ground.stage.lab("link-up", ground.stage.source_host)


@fault
def blackhole_source(ground: Ground, subject: Subject) -> Iterator[None]:
    """The source drops every packet without an answer."""
    leader = LabHost(find_net(ground.stage.net), ground.stage.source_host).find_leader()
    rule = ["nsenter", f"--target={leader}", "--net", "iptables", "-w", "10"]
    subprocess.run([*rule, "-I", "INPUT", "-i", "host0", "-j", "DROP"], check=True)
    yield
    subprocess.run([*rule, "-D", "INPUT", "-i", "host0", "-j", "DROP"], check=True)


@fault
def fill_disk(ground: Ground, subject: Subject) -> Iterator[None]:
    """The FTP host's disk has no free block."""
    ground.stage.ftp(
        'python3 -c "'
        "import os\n"
        f"filling = os.open('{FILLING}', os.O_CREAT | os.O_WRONLY)\n"
        "taken, size = 0, 1 << 30\n"
        "while size >= 4096:\n"
        "    try:\n"
        "        os.posix_fallocate(filling, taken, size)\n"
        "        taken += size\n"
        "    except OSError as error:\n"
        "        assert error.errno == 28, error\n"
        '        size //= 2"; [ $(stat -f -c %a /data) = 0 ]'
    )
    yield
    ground.stage.ftp(f"rm -f {FILLING}")


@fault
def use_up_inodes(ground: Ground, subject: Subject) -> Iterator[None]:
    """The FTP host's disk has free space, but no free inode."""
    ground.stage.ftp(
        f'mkdir {FILLING} && python3 -c "'
        "import itertools, os\n"
        f"os.chdir('{FILLING}')\n"
        "try:\n"
        "    for number in itertools.count(): os.close(os.open(str(number), os.O_CREAT))\n"
        'except OSError as error: assert error.errno == 28, error"; [ $(stat -f -c %d /data) = 0 ]'
    )
    yield
    ground.stage.ftp(f"rm -rf {FILLING}")


@fault
def take_data_away(ground: Ground, subject: Subject) -> Iterator[None]:
    """An empty folder stands in the place of the FTP host's disk; a disk that was away comes back as it was."""
    ground.stage.ftp("mount -t tmpfs -o size=1m,mode=0755 nothing /data")
    yield
    left = ground.stage.ftp("find /data -mindepth 1; umount /data")
    assert left == "", f"written in the place of the disk: {left}"


@fault
def stop_mariadb(ground: Ground, subject: Subject) -> Iterator[None]:
    """pure-ftpd's database is down."""
    ground.stage.ftp("systemctl stop mariadb")
    yield
    ground.stage.ftp("systemctl start mariadb")


@fault
def lock_service_database(ground: Ground, subject: Subject) -> Iterator[None]:
    """Another process holds the write lock of the service's database."""
    with ground.lock_database():
        yield


@fault
def change_source(ground: Ground, subject: Subject) -> Iterator[None]:
    """A program writes to a file of the source all the time."""
    ground.stage.source(
        "systemd-run --quiet --collect --unit=tempoftp-writer bash -c "
        f"'while :; do head -c 4096 /dev/urandom >> {subject.source}/archivo_1.bin; sleep 0.02; done'"
    )
    yield
    ground.stage.source("systemctl stop tempoftp-writer")
    if not subject.access:  # the delivered file must not change
        subject.digests = ground.stage.digest_source(subject.source)


@fault
def remove_source(ground: Ground, subject: Subject) -> Iterator[None]:
    """The source's folder is gone."""
    ground.stage.source(f"mv {subject.source} /srv/lejos")
    yield
    ground.stage.source(f"mv /srv/lejos {subject.source}")


@fault
def deny_source(ground: Ground, subject: Subject) -> Iterator[None]:
    """The ssh user loses the right to read a file that was not sent yet; rsync sends files in the order of names."""
    last = f"{subject.source}/$(ls {subject.source} | grep archivo_ | LC_ALL=C sort | tail -1)"
    ground.stage.source(f"chmod 0600 {last}")
    yield
    ground.stage.source(f"chmod 0644 {last}")


FAKETIME = """[Service]
Environment=LD_PRELOAD=libfaketime.so.1 FAKETIME=%s FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1
"""
CLOCKS = ("mariadb", "tempoftp-expire")
"""The programs that read the time on the FTP host: the login query and the expiry of shares."""


def _move_clocks(ground: Ground, by: str) -> None:
    """Move the clocks; the kernel's own clock, which the sweep compares with the programs', stays as it is."""
    ground.stage.ftp(
        "export DEBIAN_FRONTEND=noninteractive; "
        "dpkg -s libfaketime >/dev/null 2>&1 || apt-get install -qq -y libfaketime >/dev/null; "
        "dpkg -L libfaketime | grep -m1 -x '.*/faketime' > /etc/ld.so.conf.d/faketime.conf && ldconfig"
    )
    for unit in CLOCKS:
        folder = f"/run/systemd/system/{unit}.service.d"
        ground.stage.ftp(f"mkdir -p {folder} && printf '{FAKETIME % by}' > {folder}/clock.conf")
    ground.stage.ftp("systemctl daemon-reload && systemctl restart mariadb")


def _put_clocks_right(ground: Ground) -> None:
    for unit in CLOCKS:
        ground.stage.ftp(f"rm -rf /run/systemd/system/{unit}.service.d/clock.conf")
    ground.stage.ftp("systemctl daemon-reload && systemctl restart mariadb")


@fault
def set_clock_back(ground: Ground, subject: Subject) -> Iterator[None]:
    """The clock of MariaDB and of the expiry of shares is ten days slow."""
    _move_clocks(ground, "-10d")
    slow = f"SELECT UTC_TIMESTAMP() < FROM_UNIXTIME({int(time.time()) - 9 * 86400})"
    assert ground.stage.query(slow) == "1\n"
    yield
    _put_clocks_right(ground)


@fault
def set_clock_ahead(ground: Ground, subject: Subject) -> Iterator[None]:
    """The clock of MariaDB and of the expiry of shares is a year fast, and the timer has run by it."""
    ground.stage.ftp("systemctl start tempoftp-expire.service")  # a mark of the right time
    _move_clocks(ground, "+365d")
    fast = f"SELECT UTC_TIMESTAMP() > FROM_UNIXTIME({int(time.time()) + 300 * 86400})"
    assert ground.stage.query(fast) == "1\n"
    ground.stage.ftp("systemctl start tempoftp-expire.service || true")
    yield
    ground.wait_on_ftp("systemctl is-failed --quiet tempoftp-expire.service")
    assert ground.stage.ftp("cat /data/.tempoftp/clock.json").count(f"{time.gmtime().tm_year + 1}-") == 0
    _put_clocks_right(ground)
    ground.stage.ftp("systemctl start tempoftp-expire.service")


MOVED_CLOCK = Path(__file__).with_name("moved_clock")
YEAR = 365 * 86400


@fault
def set_service_clock_ahead(ground: Ground, subject: Subject) -> Iterator[None]:
    """The clock of API and worker is a year fast; at the end it jumps back while both run, as a time daemon sets it.

    Ansible's processes have the right time, since the worker gives its environment to no run.
    """
    control = ground.stage.control
    file = control.home / "clock"
    file.write_text(str(YEAR))
    control.stop()
    control.extra_environment = {"PYTHONPATH": str(MOVED_CLOCK), "CLOCK_FILE": str(file)}
    try:
        control.start()
        assert ground.read_service_time() > time.time() + YEAR / 2
        yield
        move_file(file, "0")
        ground.wait_clocks(apart=False)
    finally:
        control.extra_environment = {}
        control.stop()
        control.start()


def move_file(file: Path, text: str) -> None:
    """Write a file anew, so that no reader finds a part of it."""
    temporary = file.with_suffix(".new")
    temporary.write_text(text)
    temporary.replace(file)
