# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a hostile source makes of an honest answer: ``python3 hostile_filter.py COMMAND…``, as a forced command.

It runs ``COMMAND…`` (rrsync, which reads from the environment what was asked for) and changes what that writes. The
path that is asked for says how: ``flips_SEED`` flips random bits, ``names_MODE`` gives ``NAME`` the name in ``NAMES``.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Callable

Change = Callable[[bytes, int], bytes]

# The version of the protocol, which both sides send first.
GREETING = 4
# The name of a file or folder in the source, and what it is called in the stream. All have one length, since a list of
# files gives the length of each name.
NAME = b"nombre_1"
NAMES = {
    "upwards": b"../x_esc",
    "upwards_later": b"a/../../",
    "absolute": b"/tmp/esc",
    "elsewhere": b"otra/esc",
    "manifest": b"../x.jso",
    "keys": b".ssh/esc",
    # In the source "enlace_1" is a link that leads out: with its name, the folder's files would lie behind it.
    "behind_a_link": b"enlace_1",
    "other": b"nombre_2",
}


def build_flips(seed: str, command: str) -> Change:
    """Return what flips bits at random places after the greeting; how far apart they are differs from seed to seed.

    Each seed always does the same to the same command, and something else to another command.
    """
    chance = random.Random(f"{seed} {command}")
    distance = 10 ** random.Random(seed).uniform(1.5, 5)
    following = GREETING + int(chance.expovariate(1 / distance))

    def flip(data: bytes, offset: int) -> bytes:
        nonlocal following
        changed = bytearray(data)
        while following < offset + len(data):
            changed[following - offset] ^= 1 << chance.randrange(8)
            following += 1 + int(chance.expovariate(1 / distance))
        return bytes(changed)

    return flip


def build_change(command: str) -> Change:
    """Return what this command's answer is changed by; an honest answer for a path without a mode."""
    flips = re.search(r"flips_([0-9]+)", command)
    if flips:
        return build_flips(flips[1], command)
    names = re.search(rf"names_({'|'.join(sorted(NAMES, key=len, reverse=True))})\b", command)
    return lambda data, _offset: data.replace(NAME, NAMES[names[1]]) if names else data


def main() -> None:
    """Run the command, and pass on what it writes."""
    asked = os.environ["SSH_ORIGINAL_COMMAND"]
    change = build_change(asked)
    for descriptor in (0, 1):
        os.set_blocking(descriptor, True)
    offset = 0
    with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while data := os.read(process.stdout.fileno(), 65536):
            changed = change(data, offset)
            offset += len(data)
            try:
                while changed:
                    changed = changed[os.write(1, changed) :]
            except OSError:
                process.kill()
                break
    # rsync on the other side ends with its connection.
    sys.exit(process.returncode if process.returncode >= 0 else 1)


if __name__ == "__main__":
    main()
