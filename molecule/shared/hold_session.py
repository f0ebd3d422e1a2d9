"""One FTP session that stays open over several playbooks: `hold_session.py PATH open|ask|close`.

`open` logs in with the JSON on stdin (as for ftps_client.py) and leaves a process behind that keeps the session. `ask`
sends the commands on stdin (a JSON list) in this session and prints the server's replies. `close` ends it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path

import ftps_client

LONGEST = 1800  # seconds; a scenario that was killed does not close its session


def keep(path: Path) -> None:
    """Log in, then start a process that answers on a socket until it gets `close`."""
    wanted = json.load(sys.stdin)
    session = ftps_client.connect(wanted)
    print(session.login(wanted["user"], ftps_client.read_password(wanted)), flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    if os.fork():
        os._exit(0)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    signal.alarm(LONGEST)
    while True:
        asker, _ = listener.accept()
        with asker, asker.makefile("rw", encoding="utf-8") as stream:
            commands = json.loads(stream.readline())
            if commands is None:
                return
            try:
                replies = [ftps_client.send(session, command) for command in commands]
            except (OSError, EOFError) as error:
                replies = [f"lost: {error!r}"]
            stream.write(json.dumps(replies) + "\n")


def ask(path: Path, commands: list[str] | None) -> str:
    """Send commands to the process that keeps the session; return its answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        with connection.makefile("rw", encoding="utf-8") as stream:
            stream.write(json.dumps(commands) + "\n")
            stream.flush()
            return stream.readline().strip()


def main() -> int:
    path, verb = Path(sys.argv[1]), sys.argv[2]
    if verb == "open":
        keep(path)
    elif verb == "ask":
        print(ask(path, json.load(sys.stdin)))
    else:
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):  # the process has ended already
            ask(path, None)
        path.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
