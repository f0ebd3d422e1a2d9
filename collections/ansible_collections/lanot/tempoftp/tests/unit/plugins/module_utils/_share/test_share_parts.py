# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ssh command lines, space, mounts, host facts and the copier's package."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.ssh import (
    Access,
    build_du_argv,
    build_master_argv,
    build_remote_shell,
    classify_du_end,
    parse_du,
    resolve_source,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.commands import run_command
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import (
    InvalidValueError,
    TempoftpError,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.facts import (
    read_fingerprint,
    read_greeting,
    read_server,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.mounts import (
    list_mounts_below,
    parse_mountinfo,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.names import Source
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.root import find_server_file
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.space import (
    Disk,
    Need,
    check_space,
    estimate_need,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.stream import (
    Stream,
    stream_command,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree, prepare_tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._share.library import (
    COPY,
    PURGE,
    build_program_argv,
    install_library,
)
from hypothesis import given
from hypothesis import strategies as st

ACCESS = Access(Source("u", "h", "/srv/a b"), "/k", "/c", "/kh")


def test_ssh_never_asks_and_never_learns_a_key() -> None:
    shell = build_remote_shell(ACCESS, None)
    assert shell.startswith("ssh -F /c ")
    for option in (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "UserKnownHostsFile=/kh",
        "IdentitiesOnly=yes",
        "IdentityFile=/k",
        "ControlPath=none",
        "ConnectTimeout=10",
    ):
        assert f"-o {option}" in shell
    assert "ControlPath=/run/x" in build_remote_shell(ACCESS, "/run/x")


def test_a_shared_connection_belongs_to_one_host_user_and_key() -> None:
    others = [
        ACCESS._replace(key_file="/k2"),
        ACCESS._replace(source=Source("v", "h", "/srv/a b")),
        ACCESS._replace(source=Source("u", "i", "/srv/a b")),
    ]
    assert len({ACCESS.digest, *(other.digest for other in others)}) == 4
    assert ACCESS._replace(source=Source("u", "h", "/other")).digest == ACCESS.digest
    argv = build_master_argv(ACCESS)
    assert argv.index("ControlMaster=yes") < argv.index("ControlMaster=no")
    assert argv[-2:] == ["--", "h"] and f"ControlPath={ACCESS.socket}" in argv


def test_du_quotes_the_path_for_the_sources_shell() -> None:
    assert build_du_argv(ACCESS, None)[-3:] == ["--", "h", "du -sb -- '/srv/a b'"]
    assert parse_du("1234\t/srv/a b\n") == 1234
    with pytest.raises(ValueError, match="no size"):
        parse_du("du: cannot read\n")


@pytest.mark.parametrize(
    ("rc", "stderr", "error_class"),
    [
        (255, "ssh: connect to host h port 22: Connection refused", "source_unreachable"),
        (1, "du: cannot read directory '/x/secret': Permission denied", "source_denied"),
        (1, "du: cannot access '/x': No such file or directory", "source_not_found"),
        (127, "sh: du: not found", "copy_failed"),
        (1, "", "copy_failed"),
    ],
)
def test_a_failed_du_is_classified(rc: int, stderr: str, error_class: str) -> None:
    assert classify_du_end(rc, stderr)[0] == error_class


def test_the_sources_user_is_the_ssh_user() -> None:
    assert resolve_source("h:/x", "u") == resolve_source("u@h:/x", "u") == Source("u", "h", "/x")
    with pytest.raises(InvalidValueError):
        resolve_source("root@h:/x", "u")


DISK = Disk(1000_000, 500_000, 100, 50)
NONE = Need(0, 0)


@pytest.mark.parametrize(
    ("need", "held", "reserve", "error_class"),
    [
        (Need(500_000, 50), NONE, NONE, None),
        (Need(500_001, 1), NONE, NONE, "no_space"),
        (Need(400_000, 1), Need(100_001, 0), NONE, "no_space"),
        (Need(400_000, 1), NONE, Need(100_001, 0), "no_space"),
        (Need(1, 51), NONE, NONE, "no_inodes"),
        (Need(1, 40), Need(0, 11), NONE, "no_inodes"),
        (Need(1_000_001, 1), NONE, NONE, "too_large"),
        (Need(900_001, 1), NONE, Need(100_000, 0), "too_large"),
        (Need(1, 101), NONE, NONE, "too_large"),
    ],
)
def test_space(need: Need, held: Need, reserve: Need, error_class: str) -> None:
    error = check_space(need, held, reserve, DISK)
    assert (error.error_class if error else None) == error_class


def test_a_filesystem_that_counts_no_inodes_has_enough() -> None:
    assert check_space(Need(1, 10**9), NONE, NONE, DISK._replace(inodes_total=0, inodes_free=0)) is None


@given(*[st.integers(0, 2_000_000)] * 3)
def test_what_fits_leaves_the_reserve_and_the_others_room(need: int, held: int, reserve: int) -> None:
    error = check_space(Need(need, 0), Need(held, 0), Need(reserve, 0), DISK)
    assert (error is None) == (need + held + reserve <= DISK.bytes_free)
    assert error is None or error.transient == (need + reserve <= DISK.bytes_total)


def test_what_is_staged_is_not_needed_again() -> None:
    assert estimate_need(10_000, 2, 4_000, DISK) == Need(6_000 + 2 * 4096, 2)
    assert estimate_need(10, 1, 4_000, DISK) == Need(4096, 1)


def test_mount_points_are_read_as_the_kernel_writes_them() -> None:
    content = (
        b"21 1 8:1 / / rw - ext4 /dev/x rw\n36 21 0:30 / /data/a\\040b\\134c rw - tmpfs t rw\nshort line\n"
    )
    assert parse_mountinfo(content) == ["/", "/data/a b\\c"]


def test_mounts_below_are_found_deepest_first() -> None:
    below = list_mounts_below(Path("/"))
    assert below[-1] == "/" and "/proc" in below
    assert list_mounts_below(Path("/proc"))[-1] == "/proc"
    assert list_mounts_below(Path("/pro")) == []


CERTIFICATE = """-----BEGIN PRIVATE KEY-----
bm90IGEga2V5
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
aGVsbG8=
-----END CERTIFICATE-----
"""


def test_the_fingerprint_is_that_of_the_certificate(tmp_path: Path) -> None:
    path = tmp_path / "pure-ftpd.pem"
    path.write_text(CERTIFICATE)
    fingerprint = read_fingerprint(path)
    assert fingerprint is not None
    assert fingerprint.startswith("sha256:2C:F2:4D:BA:5F:B0:A3:0E") and fingerprint.count(":") == 32
    assert read_server() == {}
    server = find_server_file()
    server.write_text(json.dumps({"host": "ftp1", "port": 21, "certificate": str(path)}))
    assert read_server()["fingerprint"] == fingerprint
    path.write_text("-----BEGIN CERTIFICATE-----")
    assert read_fingerprint(path) is None
    server.write_text("{")
    assert read_server() == {}


def test_the_ftpd_is_asked_for_its_greeting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _address = server.accept()
            with connection:
                connection.sendall(b"220---------- Welcome ----------\r\n220 ready\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        port = server.getsockname()[1]
        assert read_greeting(port) == {"ok": True, "banner": "220---------- Welcome ----------"}
        thread.join()
    refused = read_greeting(port)
    assert refused["ok"] is False and "refused" in refused["error"]


@pytest.mark.parametrize(
    ("bound", "address"),
    [("127.0.0.7", "127.0.0.7"), ("127.0.0.1", "0.0.0.0"), ("::1", "::"), ("::1", "::1")],
)
def test_the_ftpd_is_asked_at_the_address_on_which_it_listens(bound: str, address: str) -> None:
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    with socket.create_server((bound, 0), family=family) as server:

        def greet() -> None:
            connection, _address = server.accept()
            with connection:
                connection.sendall(b"220 ready\r\n")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        assert read_greeting(server.getsockname()[1], address)["ok"] is True
        thread.join(10)


def test_the_copier_is_written_once_and_runs_alone(
    tmp_path: Path, record_root: Callable[[Path], Tree]
) -> None:
    tree = record_root(tmp_path)
    prepare_tree(tree)
    library = install_library(tree)
    before = library.stat().st_ino
    assert install_library(tree) == library and library.stat().st_ino == before
    assert [path.name for path in tree.lib.iterdir()] == [library.name]
    for entry in (COPY, PURGE):
        argv = build_program_argv(library, entry, "p1")
        assert argv[1:] == ["-ISB", str(library / entry), "p1"]
        ended = subprocess.run([sys.executable, *argv[1:]], capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    ended = subprocess.run(
        [sys.executable, "-ISB", str(library / COPY), "../x"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1 and "is refused" in ended.stderr


def test_a_program_has_a_time_limit_and_must_exist() -> None:
    assert run_command(["sh", "-c", "echo out; echo err >&2; exit 3"], 10) == (3, "out\n", "err\n")
    with pytest.raises(TempoftpError, match="did not end") as raised:
        run_command(["sleep", "60"], 0.05)
    assert raised.value.error_class == "run_timeout"
    with pytest.raises(TempoftpError, match="is it installed"):
        run_command(["no-such-program"], 1)
    with pytest.raises(TempoftpError, match="is it installed"):
        stream_command(["no-such-program"], print)


def test_lines_come_as_they_are_written() -> None:
    lines: list[str] = []
    ended = stream_command(["sh", "-c", r"printf 'a\rb\nc'; echo e >&2; exit 4"], lines.append)
    assert (lines, ended) == (["a", "b", "c"], (4, "", "e\n"))
    stream_command(["printf", r"\r 1\r 2"], lines.clear and lines.append, partial=True)
    assert lines[-1] == " 2" and lines.count("") == 1
    many = stream_command(["sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x >&2"], lines.append)
    assert len(many.stderr) == 32768


def test_a_program_is_held_goes_on_and_is_killed_with_its_children() -> None:
    lines: list[str] = []
    script = "sleep 60 & echo $!; echo held; n=0; while :; do n=$((n + 1)); echo $n; done"

    def take_line(line: str) -> bool:
        lines.append(line)
        return line == "held" or len(lines) > 1000

    with Stream(["sh", "-c", script], take_line) as stream:
        assert stream.read() is None
        stream.pause()
        await_process_state(lines[0], "T")
        stream.resume()
        assert stream.read() is None
    assert len(lines) > 1000
    # a zombie stays where nobody waits for orphans: a container without an init
    await_process_state(lines[0], "Zgone")


def await_process_state(pid: str, wanted: str) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            state = "gone"
        if state in wanted:
            return
        assert time.monotonic() < deadline, state
        time.sleep(0.01)
