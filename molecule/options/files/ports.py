"""`ports.py open HOST PORT…` prints the open ports of a host; `ports.py listen PORT…` listens on ports.

All ports are tried at the same time. A port that refuses and a port that does not answer are both closed.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

SECONDS = 2.0


def is_open(host: str, port: int) -> bool:
    """Return whether a connection to the port is made."""
    try:
        with socket.create_connection((host, port), timeout=SECONDS):
            return True
    except OSError:
        return False


def listen(ports: list[int]) -> None:
    """Accept connections on the ports until a signal ends the program."""
    held = [socket.create_server(("", port)) for port in ports]
    signal.pause()
    del held


def main() -> None:
    action, *words = sys.argv[1:]
    if action == "listen":
        listen([int(word) for word in words])
        return
    host, ports = words[0], [int(word) for word in words[1:]]
    with ThreadPoolExecutor(len(ports)) as pool:
        answers = list(pool.map(is_open, [host] * len(ports), ports))
    json.dump([port for port, answer in zip(ports, answers, strict=True) if answer], sys.stdout)


if __name__ == "__main__":
    main()
