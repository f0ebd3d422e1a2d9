"""Connect as a stranger from several addresses of this machine: FROM COUNT, one pair after the other.

For each pair, print how many of COUNT connections from FROM the server greeted. All of them stay open until the end.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys


def count_greetings(address: str, port: int, number: int, kept: list[socket.socket]) -> int:
    """Return how many of `number` connections from the address get a greeting of pure-ftpd."""
    greeted = 0
    target = "::1" if ":" in address else "127.0.0.1"
    for _ in range(number):
        with contextlib.suppress(OSError):
            session = socket.create_connection((target, port), timeout=5, source_address=(address, 0))
            kept.append(session)
            greeted += session.recv(4) in {b"220-", b"220 "}
    return greeted


def main() -> int:
    """Print the numbers as JSON."""
    port, kept = int(sys.argv[1]), []
    pairs = zip(sys.argv[2::2], sys.argv[3::2], strict=True)
    sys.stdout.write(
        json.dumps([count_greetings(address, port, int(number), kept) for address, number in pairs])
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
