"""Many clients that hold connections and do next to nothing: a program, so that it has file descriptors of its own.

`python slow_clients.py PORT COUNT KIND…`: a line on standard input opens the connections (and `opened` is printed), the
next one closes them (`closed`), and so on. A connection that the server ends is opened again. Each address of loopback
has at most `PER_ADDRESS` of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import socket
import ssl
import sys
from typing import Any

PER_ADDRESS = 100
BYTE_SECONDS = 1.0
CONNECT_SECONDS = 30.0
_CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_CONTEXT.check_hostname, _CONTEXT.verify_mode = False, ssl.CERT_NONE
TLS: dict[str, Any] = {"ssl": _CONTEXT, "server_hostname": "x"}
HEAD = b"GET /tmpftp HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 4000
# What a client says first, and what it says byte by byte; the answer is read byte by byte too.
KINDS: dict[str, tuple[bytes, bytes]] = {
    "silent": (b"", b""),
    "from the first byte": (b"", HEAD),
    "half a header": (HEAD[:40], HEAD[40:]),
    "body": (
        b"POST /enlace/x/password HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 4001\r\n\r\n{",
        b" " * 4000,
    ),
    "chunks": (
        b"POST /enlace/x/password HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"1\r\n \r\n" * 1000,
    ),
    "reads slowly": (b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n", b""),
    # The first bytes of a TLS hello of 512 bytes.
    "half a hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 500),
}


async def hold(port: int, number: int, kind: str, opened: asyncio.Semaphore) -> None:
    """Keep one connection of a kind open for ever."""
    is_first = True
    while True:
        try:
            reader, writer = await connect(port, f"127.1.{number // PER_ADDRESS}.1", kind)
        except OSError:  # time limits and errors of TLS are among them
            await asyncio.sleep(BYTE_SECONDS)
            continue
        if is_first:
            opened.release()
            is_first = False
        with contextlib.suppress(OSError):
            await dribble(reader, writer, kind)
        writer.transport.abort()
        await asyncio.sleep(BYTE_SECONDS)


async def connect(port: int, source: str, kind: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection that takes little at once, and say the first bytes."""
    sock = socket.socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.setblocking(False)
        sock.bind((source, 0))
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                sock=sock, limit=1, **(TLS if kind.startswith("tls ") else {})
            )
    except BaseException:
        sock.close()
        raise
    writer.write(KINDS[kind.removeprefix("tls ")][0])
    return reader, writer


async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: str) -> None:
    """Write, or read, one byte a second until the server ends the connection."""
    rest = KINDS[kind.removeprefix("tls ")][1]
    await asyncio.sleep(random.random() * BYTE_SECONDS)  # else all of them write at the same moment
    for at in range(100_000):
        await asyncio.sleep(BYTE_SECONDS)
        if kind == "reads slowly":
            if not await reader.read(1):
                return
        elif reader.at_eof() or writer.transport.is_closing():
            return
        else:
            writer.write(rest[at : at + 1])


async def main(port: int, count: int, kinds: list[str]) -> None:
    """Open and close them as standard input says."""
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        opened = asyncio.Semaphore(0)
        tasks = [
            asyncio.create_task(hold(port, number, kinds[number % len(kinds)], opened))
            for number in range(count)
        ]
        for _ in tasks:
            await opened.acquire()
        print("opened", flush=True)
        if not await loop.run_in_executor(None, sys.stdin.readline):
            return
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        print("closed", flush=True)


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
