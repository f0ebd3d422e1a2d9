"""What somebody with a shell as the API's user tries, on the service host. Prints one line for each try that succeeded.

`verify_privileges.yml` gives this program to Python's standard input, as the real user. What it can write in the state
folder it leaves there; the playbook then lets the worker run, looks for the witness and removes what is left.
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
from contextlib import suppress
from pathlib import Path

STATE = Path("/var/lib/tempoftp")
WITNESS = STATE / "pwned"
WORKER = Path("/var/lib/tempoftp-worker")
LOGS = Path("/var/log/tempoftp")
# Everything that the worker executes, imports or reads as configuration, and what starts it.
TRUSTED = [
    WORKER,
    LOGS,
    Path("/opt/tempoftp"),
    Path("/etc/tempoftp"),
    Path("/etc/default/tempoftp"),
    Path("/etc/ansible"),
    Path("/etc/ssh"),
    Path("/etc/sudoers.d"),
    Path("/etc/systemd/system"),
    Path("/usr/local/bin/tempoftp"),
    Path("/usr/share/ansible"),
    Path("/data/.tempoftp"),
]
# The only things that both users write: the database, and sockets that take a host's name as text.
SHARED = ("tempoftp.sqlite3", "tempoftp.sqlite3-wal", "tempoftp.sqlite3-shm")
PLUGIN = f"open({str(WITNESS)!r}, 'a').write('plugin')\n"
found: list[str] = []


def walk(top: Path) -> list[Path]:
    """Return a path and all below it that this user can see."""
    seen = [top]
    for folder, folders, files in os.walk(top):
        seen += [Path(folder, name) for name in (*folders, *files)]
    return seen


def try_to_write() -> None:
    """Write or replace something that the worker trusts, or one of the folders that it is in."""
    for top in TRUSTED:
        places = {place for path in walk(top) for place in (path, path.resolve())}
        for place in places | {parent for path in places for parent in path.parents}:
            if (place.is_file() or place.is_dir()) and not place.is_symlink() and os.access(place, os.W_OK):
                sticky = place.is_dir() and place.stat().st_mode & 0o1000
                found.extend([] if sticky else [f"can write {place}"])
        with suppress(OSError):
            top.rename(top.with_name(top.name + ".away"))
            found.append(f"has renamed {top}")
    for folder in (WORKER, LOGS, WORKER / "ansible" / "plugins", STATE.parent):
        with suppress(OSError):
            (folder / "planted").mkdir(parents=True)
            found.append(f"has made a folder in {folder}")
    with suppress(OSError):
        STATE.rename(STATE.with_name("away"))
        found.append("has renamed the state folder")


def look_at_state() -> None:
    """Find what is in the state folder beside the database and the sockets."""
    for path in walk(STATE)[1:]:
        if path.name not in SHARED and not path.is_socket():
            found.append(f"the worker keeps {path} where the API's user can rename it")


def plant() -> None:
    """Leave plugins and configuration in the state folder under every name that Ansible knows."""
    for name in ("ansible", "worker/ansible", ".ansible", "plugins", "collections", "runs"):
        for kind in ("callback", "connection", "strategy", "modules", "action", "cache", "vars"):
            file = STATE / name / "plugins" / kind / "planted.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(PLUGIN)
    (STATE / "sitecustomize.py").write_text(PLUGIN)
    (STATE / "ansible.cfg").write_text(f"[defaults]\ncallback_plugins = {STATE}/ansible/plugins/callback\n")
    (STATE / "cp").mkdir(exist_ok=True)
    (STATE / "logs").symlink_to(WORKER)


class Code:
    """Runs a command when somebody unpickles it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {WITNESS}",)


def queue() -> None:
    """Send the worker everything but the name of a host."""
    messages = [pickle.dumps(Code(), protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    messages += [
        b"{{ lookup('pipe', 'touch " + str(WITNESS).encode() + b"') }}",
        b"all",
        b"@/etc/passwd",
        b"\0" * 200,
    ]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        for path in STATE.glob("worker-*.socket"):
            for message in messages:
                with suppress(OSError):
                    sender.sendto(message, str(path))
    for name in ("wakeups.sqlite3", "periodic.sqlite3"):
        (STATE / name).write_bytes(messages[2])


def become() -> None:
    """Ask for more rights."""
    for words in ("sudo -n true", "sudo -n -u tempoftp true", "su tempoftp -c true < /dev/null"):
        if os.system(f"{words} > /dev/null 2>&1") == 0:
            found.append(f"was allowed: {words}")
    for path in (WORKER / "id_ed25519", Path("/etc/tempoftp/mysql.cnf")):
        with suppress(OSError):
            path.read_bytes()
            found.append(f"has read {path}")


if __name__ == "__main__":
    try_to_write()
    look_at_state()
    become()
    plant()
    queue()
    sys.stdout.write("".join(f"{line}\n" for line in sorted(set(found))))
