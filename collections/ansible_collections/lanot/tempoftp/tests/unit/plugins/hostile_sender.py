# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a hostile source answers instead of rsync: ``python3 hostile_sender.py MODE``, as a forced command of a key.

``MODES`` names them. Without one, the last part of the path that is asked for is the mode. It speaks just so much of
rsync's protocol 31 that a client believes it until the attack.
"""

from __future__ import annotations

import os
import random
import stat
import struct
import sys
import threading
import time
from collections.abc import Callable

GREETING = struct.pack("<i", 31)
# The compatibility flags (none) and the seed of the checksums. From here on everything stands in frames.
OPENING = GREETING + b"\0" + struct.pack("<i", 1)
DATA, INFO = 0, 2
SAME_MODE, SAME_UID, SAME_GID, SAME_TIME = 0x02, 0x08, 0x10, 0x80


def write(data: bytes) -> None:
    """Write everything to standard output."""
    while data:
        data = data[os.write(1, data) :]


def write_frame(kind: int, data: bytes) -> None:
    """Write one frame of the multiplexed stream."""
    write(struct.pack("<I", (7 + kind) << 24 | len(data)) + data)


def describe(name: bytes, mode: int) -> bytes:
    """Return one entry of a file list: an empty file or a folder."""
    return bytes([SAME_UID | SAME_GID, len(name)]) + name + b"\0\0\0" + struct.pack("<iI", 1_000_000, mode)


def send_list(*names: bytes) -> None:
    """Send a list of files with these names, in a folder as it was asked for; then wait for the client's end."""
    write(OPENING)
    entries = [describe(name, stat.S_IFREG | 0o6777) for name in names]
    write_frame(DATA, describe(b".", stat.S_IFDIR | 0o755) + b"".join(entries) + b"\0\0\0")
    wait()


def send_noise(length: int) -> None:
    """Send random bytes, always the same."""
    write(random.Random(7).randbytes(length))


def send_endless_noise() -> None:
    """Send random bytes for ever."""
    while True:
        send_noise(65536)


def send_endless_line() -> None:
    """Send text without the end of a line, for ever."""
    while True:
        write(b"spam" * 16384)


def send_endless_message() -> None:
    """Have the client print text without the end of a line, for ever."""
    write(OPENING)
    while True:
        write_frame(INFO, b"spam" * 4096)


def send_endless_list() -> None:
    """List files for ever."""
    write(OPENING)
    write_frame(DATA, describe(b".", stat.S_IFDIR | 0o755) + describe(b"first", stat.S_IFREG | 0o644))
    flags = bytes([SAME_MODE | SAME_UID | SAME_GID | SAME_TIME, 10])
    number = 0
    while True:
        names = (b"%010d" % value for value in range(number, number + 2000))
        write_frame(DATA, b"".join(flags + name + b"\0\0\0" for name in names))
        number += 2000


def wait() -> None:
    """Say nothing more."""
    time.sleep(600)


def drain() -> None:
    """Read what the client says, so that it never waits; end with it."""
    while os.read(0, 65536):
        pass
    os._exit(0)


MODES: dict[str, Callable[[], None]] = {
    "noise": lambda: send_noise(1_000_000),
    "noise after the greeting": lambda: (write(GREETING), send_noise(1_000_000))[0],
    "noise after the opening": lambda: (write(OPENING), send_noise(1_000_000))[0],
    "endless noise": send_endless_noise,
    "an endless line": send_endless_line,
    "an endless message": send_endless_message,
    "an endless list": send_endless_list,
    "a name that leads upwards": lambda: send_list(b"../../../escape"),
    "a name that leads upwards later": lambda: send_list(b"a", b"sub/../../escape"),
    "an absolute name": lambda: send_list(b"/tmp/escape"),
    "nothing": lambda: None,
    "silence": wait,
    "silence after the opening": lambda: (write(OPENING), wait())[0],
}


if __name__ == "__main__":
    # rsync gives its remote shell pipes that do not block: an attack without end would end when one is full.
    os.set_blocking(0, True)
    os.set_blocking(1, True)
    threading.Thread(target=drain, daemon=True).start()
    try:
        asked = (
            sys.argv[1]
            if len(sys.argv) > 1
            else os.environ["SSH_ORIGINAL_COMMAND"].rstrip("/").rpartition("/")[2]
        )
        MODES.get(asked.replace("_", " "), send_endless_line)()
    except OSError:
        sys.exit(1)
