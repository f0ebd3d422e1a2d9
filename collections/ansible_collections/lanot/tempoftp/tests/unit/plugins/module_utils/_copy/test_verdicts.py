# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ends of rsync, rrsync and ssh, as the real programs printed them, and what is made of them."""

from __future__ import annotations

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.verdicts import classify_end, name_paths
from hypothesis import given
from hypothesis import strategies as st

TAIL = "rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1956)"
CLOSED = "rsync: connection unexpectedly closed (0 bytes received so far) [Receiver]"
MEMORY = "[Receiver] out of memory: my_alloc caller (file=lib/pool_alloc.c, line=169)"
# As rsync 3.5.0, rrsync and OpenSSH 9.2 printed them.
ENDS = [
    (0, "", "done", ""),
    (
        23,
        f'rsync: [sender] change_dir "/x/big" failed: Not a directory (20)\n{TAIL}',
        "file",
        "source_not_found",
    ),
    (
        23,
        'rsync: [sender] change_dir "/proc/self/fd/3" failed: Not a directory (20)',
        "file",
        "source_not_found",
    ),
    (
        23,
        f'rsync: [sender] change_dir "/x/no" failed: No such file or directory (2)\n{TAIL}',
        "file",
        "source_not_found",
    ),
    (
        23,
        'rsync: [sender] link_stat "/x/no" failed: No such file or directory (2)',
        "failed",
        "source_not_found",
    ),
    (
        12,
        f"/usr/bin/rrsync error: post-realpath open failed (race detected): ./no/ No such file or directory\n{CLOSED}",
        "file",
        "source_not_found",
    ),
    (
        12,
        f"/usr/bin/rrsync error: post-realpath open failed (race detected): ./sub/ Permission denied\n{CLOSED}",
        "failed",
        "source_denied",
    ),
    (23, 'rsync: [sender] opendir "/x/sub" failed: Permission denied (13)', "failed", "source_denied"),
    (
        23,
        'rsync: [sender] send_files failed to open "/x/a": Permission denied (13)',
        "failed",
        "source_denied",
    ),
    # The source's rsync 3.1.3 does not sign its messages.
    (
        23,
        f'rsync: change_dir "/x/no" failed: No such file or directory (2)\n{TAIL}',
        "file",
        "source_not_found",
    ),
    (23, f'rsync: change_dir "/x/a" failed: Not a directory (20)\n{TAIL}', "file", "source_not_found"),
    (23, f'rsync: change_dir "/x" failed: Permission denied (13)\n{TAIL}', "failed", "source_denied"),
    (23, 'rsync: link_stat "/x/no" failed: No such file or directory (2)', "failed", "source_not_found"),
    (23, 'rsync: opendir "/x/sub" failed: Permission denied (13)', "failed", "source_denied"),
    (23, 'rsync: send_files failed to open "/x/a": Permission denied (13)', "failed", "source_denied"),
    (
        23,
        'rsync: send_files failed to open "/x/a": No such file or directory (2)',
        "again",
        "source_changing",
    ),
    (24, 'file has vanished: "/x/a"', "again", "source_changing"),
    (23, 'ERROR: "a" failed verification -- update retained (will try again).', "again", "source_changing"),
    (
        23,
        'rsync: [sender] send_files failed to open "/x/a": No such file or directory (2)',
        "again",
        "source_changing",
    ),
    (11, 'rsync: [receiver] write failed on "/d/big": No space left on device (28)', "failed", "no_space"),
    (23, 'rsync: [receiver] open "/d/7" failed: No space left on device (28)', "failed", "no_space"),
    (11, 'rsync: [receiver] write failed on "/d/big": Disk quota exceeded (122)', "failed", "no_space"),
    (11, "rsync: [receiver] write failed on ", "failed", "no_space"),
    (23, 'rsync: [receiver] open "/d/7" failed: Disk quota exceeded (122)', "failed", "no_space"),
    (12, f"/usr/bin/rrsync error: unsafe arg: ./a;b\n{CLOSED}", "failed", "source_denied"),
    (12, f"/usr/bin/rrsync error: do not use .. in ./a/../b\n{CLOSED}", "failed", "source_denied"),
    # The name of a file is no message of ssh.
    (
        23,
        'rsync: [sender] opendir "/x/ssh: No route to host" failed: Permission denied (13)',
        "failed",
        "source_denied",
    ),
    (5, "@ERROR: access denied", "failed", "source_unreachable"),
    (35, "rsync error: timeout waiting for daemon connection", "failed", "source_unreachable"),
    (
        255,
        f"ssh: connect to host 192.0.2.1 port 22: Connection refused\n{CLOSED}",
        "failed",
        "source_unreachable",
    ),
    (
        255,
        "ssh: Could not resolve hostname nohost.invalid: Name or service not known",
        "failed",
        "source_unreachable",
    ),
    (255, "Host key verification failed.", "failed", "source_unreachable"),
    (255, "u@h: Permission denied (publickey).", "failed", "source_unreachable"),
    (12, f"Connection to h closed by remote host.\n{CLOSED}", "failed", "source_unreachable"),
    (255, "Timeout, server 10.0.0.1 not responding.", "failed", "source_unreachable"),
    (10, "rsync: [sender] write error: Broken pipe (32)", "failed", "source_unreachable"),
    (30, "rsync error: timeout in data send/receive", "failed", "source_unreachable"),
    (12, CLOSED, "again", "copy_failed"),
    (
        2,
        f"protocol version mismatch -- is your shell clean?\n(see the rsync manpage for an explanation)\n{TAIL}",
        "again",
        "source_shell",
    ),
    (12, "unexpected tag 25 [Receiver/inc]", "again", "source_shell"),
    (
        12,
        f"/usr/bin/rrsync error: unsafe arg: ./out/ ['/srv/out', '/etc']\n{CLOSED}",
        "failed",
        "source_denied",
    ),
    (
        12,
        "/usr/bin/rrsync error: post-realpath open failed (race detected): ./l/ Too many levels of symbolic links",
        "file",
        "source_not_found",
    ),
    (22, f"{MEMORY}\nrsync error: error allocating core memory buffers (code 22)", "failed", "too_large"),
    # This host's memory, not the source's.
    (22, MEMORY.replace("Receiver", "sender"), "failed", "copy_failed"),
    # A name or a text that somebody else printed is no message of a full disk.
    (23, 'rsync: [sender] opendir "/x/a (28)" failed: Permission denied (13)', "failed", "source_denied"),
    (12, f"Help desk: extension (122)\n{CLOSED}", "again", "copy_failed"),
    (20, "rsync error: received SIGINT, SIGTERM, or SIGHUP (code 20)", "again", "copy_failed"),
    (-9, "", "again", "copy_failed"),
    (127, "sh: 1: rsync: not found", "failed", "copy_failed"),
    (23, 'rsync: [generator] chown "/d/a" failed: Operation not permitted (1)', "failed", "copy_failed"),
]


@pytest.mark.parametrize(("rc", "stderr", "kind", "error_class"), ENDS)
def test_ends_are_classified(rc: int, stderr: str, kind: str, error_class: str) -> None:
    verdict = classify_end(rc, name_paths(stderr, "/x", is_file=False))
    assert (verdict.kind, verdict.error_class) == (kind, error_class)
    assert bool(verdict.reason) == (rc != 0)


def test_the_reason_is_the_telling_line() -> None:
    stderr = "\n".join(
        f'rsync: [sender] opendir "/x/{number}" failed: Permission denied (13)' for number in range(3)
    )
    reason = classify_end(23, f"IO error encountered -- skipping file deletion\n{stderr}\n{TAIL}").reason
    assert reason == 'rsync: [sender] opendir "/x/0" failed: Permission denied (13) (and 2 more)'


@given(st.integers(-64, 255), st.text())
def test_any_end_is_classified(rc: int, stderr: str) -> None:
    verdict = classify_end(rc, stderr)
    assert verdict.kind in ("done", "again", "file", "failed")
    assert (verdict.kind == "done") == (rc == 0)
