# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An FTP host in a temporary folder: the real rsync and the real copier, with stand-ins for ssh and systemd on PATH.

The ssh stand-in runs the source's side on this machine, through the real ``rrsync -ro`` when the key is "restricted";
a host called ``silent`` takes the connection and never says a word. The source may have a login shell (bash with a
``.bashrc``) and a user without root's rights.
The systemd stand-in starts, lists and stops real processes, with the limit of memory of their unit.
"""

from __future__ import annotations

import ctypes
import errno
import grp
import json
import os
import pwd
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy import ssh as _ssh
from ansible_collections.lanot.tempoftp.plugins.module_utils._host import clock as _clock
from ansible_collections.lanot.tempoftp.plugins.module_utils._host import sessions as _sessions
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.root import (
    establish_root,
    find_server_file,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._share import (
    launcher as _share_launcher,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share import (
    run as _share_run,
)

SSH = """#!/bin/sh
here=$(realpath "$(dirname "$0")/..")
while :; do
  case "$1" in
    -o) case "$2" in ControlPath=*) control=${2#ControlPath=} ;; esac; shift 2 ;;
    -F|-i|-l|-p) shift 2 ;;
    -N) master=1; shift ;;
    -*) shift ;;
    *) break ;;
  esac
done
host=$1
shift
if [ "$host" = silent ]; then exec sleep 120; fi
if [ -e "$here/unreachable" ]; then
  echo "ssh: connect to host $host port 22: No route to host" >&2
  exit 255
fi
if [ "$master" ]; then : > "$control"; exec sleep 120; fi
echo "$*" >> "$here/ssh.log"
export SSH_ORIGINAL_COMMAND="$*"
if [ -e "$here/forced" ]; then exec sh -c "$(cat "$here/forced")"; fi
if [ -e "$here/reader" ]; then
  reader=$(cat "$here/reader")
  as="setpriv --reuid=$reader --regid=$reader --clear-groups --"
fi
command="$*"
if [ -e "$here/restricted" ]; then
  command="rrsync -ro '$(cat "$here/restricted")'"
fi
if [ -e "$here/home" ]; then
  # As sshd starts a login shell for a command: bash reads .bashrc then.
  unset SHLVL
  HOME=$here/home SSH_CLIENT="192.0.2.1 40000 22" exec $as bash -c "$command"
fi
exec $as sh -c "$command"
"""

SYSTEMD_RUN = r"""#!/bin/sh
units=$(realpath "$(dirname "$0")/..")/units
export TEMPOFTP_RUNTIME_DIRECTORY=$units/../run TEMPOFTP_CONFIGURATION_DIRECTORY=$units/../etc
silence=$units/../silence
if [ -e "$silence" ]; then TEMPOFTP_SILENCE_SECONDS=$(cat "$silence"); export TEMPOFTP_SILENCE_SECONDS; fi
for word in "$@"; do
  case "$word" in
    --unit=*) name=${word#--unit=} ;;
    --pipe) pipe=1 ;;
    # Less in a test that reaches it ("memory").
    *LimitAS=*) ulimit -v $(($(cat "$units/../memory" 2> /dev/null || echo "${word#*LimitAS=}") / 1024)) ;;
  esac
done
if [ "$pipe" ]; then
  if [ -e "$units/../no_namespaces" ]; then exit 226; fi
  if [ -e "$units/../systemd_broken" ]; then echo "Failed to connect to bus: No such file" >&2; exit 1; fi
  echo "$*" >> "$units/../measure.log"
  while [ "$1" != -- ]; do shift; done
  shift
  # As systemd does, which reads $$ as $.
  exec python3 -c 'import os, sys; os.execvp(sys.argv[1], [word.replace("$$", "$") for word in sys.argv[1:]])' "$@"
fi
while [ "$1" != -- ]; do shift; done
shift
echo "$name $*" >> "$units/../systemd.log"
if [ -e "$units/../systemd_broken" ]; then echo "Failed to connect to bus" >&2; exit 1; fi
if [ -e "$units/$name" ] && kill -0 "$(cat "$units/$name")" 2> /dev/null; then
  echo "Failed to start transient service unit: Unit $name.service was already loaded" >&2
  exit 1
fi
setsid sh -c 'echo $$ > "$0.new"; mv "$0.new" "$0"; "$@"; rm -f "$0"' "$units/$name" "$@" \
  >> "$units/../$name.log" 2>&1 < /dev/null &
until [ -e "$units/$name" ] || ! kill -0 $! 2> /dev/null; do sleep 0.01; done
"""

SYSTEMCTL = """#!/bin/sh
units=$(realpath "$(dirname "$0")/..")/units
if [ "$1" = --version ]; then echo "systemd 252 (stand-in)"; exit 0; fi
if [ "$1" = list-units ]; then
  for file in "$units"/*; do
    [ -e "$file" ] && kill -0 "$(cat "$file")" 2> /dev/null && echo "$(basename "$file").service loaded active running"
  done
  exit 0
fi
shift 2
for unit in "$@"; do
  file=$units/${unit%.service}
  [ -e "$file" ] || continue
  leader=$(cat "$file")
  pkill -TERM -s "$leader"
  pkill -CONT -s "$leader"
  while pgrep -s "$leader" > /dev/null; do sleep 0.01; done
  rm -f "$file"
done
exit 0
"""


# Nobody is served, whatever looks like a session on this machine.
WHO = "#!/bin/sh\n"
SYSTEMD_MOUNT = """#!/bin/sh
here=$(realpath "$(dirname "$0")/..")
echo "$*" >> "$here/systemd-mount.log"
if [ -e "$here/mount_broken" ]; then echo "Failed to start transient mount unit" >&2; exit 1; fi
while [ "$1" != -- ]; do
  case "$1" in --options=*) options=${1#--options=} ;; --umount) umount=1 ;; esac
  shift
done
shift
if [ "$umount" ]; then exec umount --lazy -- "$1"; fi
exec mount -o "$options" -- "$1" "$2"
"""

_CLONE_NEWNS = 0x20000


class FtpHost:
    """The folder, and what tests do with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "data"
        self.source = folder / "source"
        self.tree = Tree(self.root)
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.group = grp.getgrgid(os.getegid()).gr_name
        for path in (self.root, self.source, folder / "bin", folder / "units", folder / "run", folder / "fs"):
            path.mkdir(mode=0o755)
        for name, text in (
            ("ssh", SSH),
            ("systemd-run", SYSTEMD_RUN),
            ("systemctl", SYSTEMCTL),
            ("pure-ftpwho", WHO),
            ("systemd-mount", SYSTEMD_MOUNT),
        ):
            program = folder / "bin" / name
            program.write_text(text)
            program.chmod(0o755)
        self.record_root()

    def record_root(self) -> None:
        """Set the root up as the role does; again after a disk was mounted there."""
        record_root(self.root)

    def restrict(self) -> None:
        """From here on the source's key is one of ``rrsync -ro <source>``."""
        (self.folder / "restricted").write_text(str(self.source))

    def force(self, command: str) -> None:
        """From here on the source runs this command, whatever it is asked for."""
        (self.folder / "forced").write_text(command)

    def read_as(self, uid: int) -> None:
        """From here on the source's user has this uid and no rights of root."""
        (self.folder / "reader").write_text(str(uid))
        # pytest's own folders are closed to everybody else; with several workers there is one more of them.
        for folder in (path for path in self.folder.parents if path.name.startswith(("pytest-", "popen-"))):
            folder.chmod(0o755)

    def use_login_shell(self, bashrc: str) -> None:
        """From here on the login shell of the source's user is bash, with this ``.bashrc``."""
        (self.folder / "home").mkdir(exist_ok=True)
        (self.folder / "home" / ".bashrc").write_text(bashrc)

    def params(self, **changes: Any) -> dict[str, Any]:
        """Return the options of one execution."""
        values: dict[str, Any] = {
            "root": str(self.root),
            "owner": self.user,
            "group": self.group,
            "reserve_bytes": 0,
            "reserve_inodes": 0,
            "max_copies": 4,
            "bwlimit": None,
            "wait": True,
            "wait_timeout": 30,
        }
        return {**values, **changes}

    def share(self, share_id: str, path: str = "", **changes: Any) -> dict[str, Any]:
        """Return one item of ``shares``; *path* is below the source folder."""
        source = f"source1:{self.source}/{path}".rstrip("/")
        return {"id": share_id, "state": "present", "ftpuser": f"ftp_{share_id}", "source": source, **changes}

    def run(self, *items: Any, check_mode: bool = False, **changes: Any) -> list[dict[str, Any]]:
        """Execute, and return the results of the shares."""
        return list(self.execute(*items, check_mode=check_mode, **changes)["shares"])

    def execute(self, *items: Any, check_mode: bool = False, **changes: Any) -> dict[str, Any]:
        """Execute, and return everything."""
        return _share_run.run_shares(list(items), self.params(**changes), check_mode)

    def pid(self, unit: str) -> Optional[int]:
        """Return the leader of a unit's processes."""
        path = self.folder / "units" / unit
        return int(path.read_text()) if path.exists() else None

    def kill(self, unit: str) -> None:
        """Kill a unit with everything in it, as a crash does."""
        pid = self.pid(unit)
        assert pid is not None
        kill_session(pid)
        (self.folder / "units" / unit).unlink()

    def log(self, name: str) -> str:
        """Return what a stand-in wrote down."""
        path = self.folder / f"{name}.log"
        return path.read_text() if path.exists() else ""

    @staticmethod
    def wait_for(condition: Callable[[], Any], seconds: float = 20.0) -> None:
        """Wait until *condition* holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.01)

    def stop_all(self) -> None:
        """End what a test left running."""
        for path in (self.folder / "units").iterdir():
            with suppress(FileNotFoundError, ValueError):
                kill_session(int(path.read_text()))


def record_root(root: Path) -> Tree:
    """Set a root up as the role does: a marker below it, and its id in server.json."""
    root.mkdir(mode=0o755, exist_ok=True)
    identity = establish_root(root, new=True).id
    server = find_server_file()
    server.parent.mkdir(exist_ok=True)
    server.write_text(json.dumps({"root": {"path": str(root), "id": identity}}))
    return Tree(root)


@pytest.fixture(name="record_root")
def fixture_record_root() -> Callable[[Path], Tree]:
    """Return the function that sets a root up."""
    return record_root


@pytest.fixture(autouse=True)
def configuration(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees this machine's own /etc/tempoftp, and none its clock daemon."""
    monkeypatch.setenv("TEMPOFTP_CONFIGURATION_DIRECTORY", str(tmp_path_factory.mktemp("etc")))
    # Tests that move the clock say themselves whether it is synchronised.
    monkeypatch.setattr(_clock, "read_synchronised", lambda: None)


def kill_session(leader: int) -> None:
    """Kill what one stand-in of a unit started; every process of it, as systemd does."""
    subprocess.run(["pkill", "-KILL", "-s", str(leader)], check=False, timeout=10)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FtpHost]:
    """An empty FTP host."""
    tmp_path.chmod(0o755)
    monkeypatch.setenv("TEMPOFTP_CONFIGURATION_DIRECTORY", str(tmp_path / "etc"))
    made = FtpHost(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("TEMPOFTP_RUNTIME_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setattr(_sessions, "_SERVICE_PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(_ssh, "SOCKET_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setattr(_share_launcher, "SOCKET_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setattr(_share_launcher, "_UNITS_INTERVAL", 0.1)
    yield made
    made.stop_all()


@pytest.fixture
def private_mounts() -> Iterator[None]:
    """A mount namespace of this process' own: what a test mounts is seen by nobody else, and gone with the test."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    if libc.unshare(_CLONE_NEWNS) != 0:
        pytest.skip(f"no mount namespace of its own: {os.strerror(ctypes.get_errno())}")
    try:
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        yield
    finally:
        # It also sets the working directory to the root of that namespace.
        folder = Path.cwd()
        deadline = time.monotonic() + 20
        # EINVAL: a thread that Python has joined shares the working directory until the kernel has ended it, too.
        while libc.setns(before, _CLONE_NEWNS) != 0:
            assert ctypes.get_errno() == errno.EINVAL, os.strerror(ctypes.get_errno())
            assert time.monotonic() < deadline, "the test leaves a thread running"
            time.sleep(0.01)
        os.close(before)
        os.chdir(folder)


@pytest.fixture
def own_disk(host: FtpHost, private_mounts: None) -> FtpHost:
    """The FTP host with its root on a small disk, a part of it used, that nobody else fills or empties meanwhile."""
    options = "size=70m,nr_inodes=2000,mode=0755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(host.root)], check=True)
    record_root(host.root)
    other = host.root / "other"
    other.mkdir()
    (other / "file").write_bytes(bytes(10_000_000))
    for number in range(50):
        (other / str(number)).touch()
    return host


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What works on a real host's folder takes its time: ``make processes`` runs it, ``make unit`` does not."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and "host" in getattr(item, "fixturenames", ()):
            for mark in ("processes", "needs_rsync", "needs_procps"):
                item.add_marker(mark)
