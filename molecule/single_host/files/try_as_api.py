"""What somebody with a shell as the API's user tries, on the service host. Prints one line for each try that succeeded.

`verify_privileges.yml` gives this program to Python's standard input, as the real user. What it can write in the state
folder it leaves there; the playbook then lets the worker run, looks for the witness and removes what is left.

What this user may do is not tried: the service's keys and its database are its own, so it reads the passwords that the
service made, asks for allowed sources in anybody's name, and ends shares (docs/security.md says so).
"""

from __future__ import annotations

import os
import pickle
import socket
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

STATE = Path("/var/lib/tempoftp")
WITNESS = STATE / "pwned"
ESCAPE = Path("/etc/tempoftp_escape")
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


def forge() -> None:
    """Ask, by rows in the database, for files of the FTP host itself: copied as root, and as the source's user."""
    forged = {
        "forjada_1": {"source": "root@localhost:/etc", "ssh_user": "root", "local": 1},
        "forjada_2": {"source": "lanotadm@localhost:/data", "local": 1},
        "forjada_3": {"ssh_key_file": "/var/lib/tempoftp-worker/id_ed25519", "source_root": ""},
    }
    fresh = {
        "state": "recibido",
        "generation": 1,
        "confirmed_generation": 0,
        "ready_at": None,
        "expires": None,
    }
    with sqlite3.connect(STATE / "tempoftp.sqlite3", timeout=20) as database:
        database.row_factory = sqlite3.Row
        share = dict(database.execute("SELECT * FROM shares WHERE id = 'proyecto_real_1'").fetchone())
        for share_id, changes in forged.items():
            row = {**share, **fresh, "due_at": share["created_at"], "id": share_id, **changes}
            marks = ", ".join("?" * len(row))
            statement = f"INSERT OR REPLACE INTO shares ({', '.join(row)}) VALUES ({marks})"
            database.execute(statement, tuple(row.values()))


def leave_links() -> None:
    """Leave links through which the worker would write: in place of its sockets, and of the logs of shares."""
    for path in STATE.glob("worker-*.socket"):
        path.unlink()
        path.symlink_to(ESCAPE)
    for name in ("forjada_1.log", "../../etc/x.log"):
        with suppress(OSError):
            (LOGS / name).symlink_to(ESCAPE)
            found.append(f"has left a link in {LOGS}")


def become() -> None:
    """Ask for more rights."""
    for words in ("sudo -n true", "sudo -n -u tempoftp true", "su tempoftp -c true < /dev/null"):
        if os.system(f"{words} > /dev/null 2>&1") == 0:
            found.append(f"was allowed: {words}")
    keys = [*Path("/etc/tempoftp").glob("ssh/*"), *Path("/etc/ssh").glob("ssh_host_*_key")]
    for path in (WORKER / "id_ed25519", Path("/etc/tempoftp/mysql.cnf"), Path("/etc/shadow"), *keys):
        with suppress(OSError):
            path.read_bytes()
            found.append(f"has read {path}")


if __name__ == "__main__":
    try_to_write()
    look_at_state()
    become()
    plant()
    queue()
    forge()
    leave_links()
    sys.stdout.write("".join(f"{line}\n" for line in sorted(set(found))))
