# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SHA256SUMS in the share: computed where it can be, compared, and written as sha256sum writes it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.checksums import (
    Line,
    compare_sums,
    compute_here,
    parse_line,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.names import is_fetchable
from hypothesis import given, settings
from hypothesis import strategies as st

ODD_NAMES = [
    "plain",
    "two  blanks ",
    "new\nline",
    "back\\slash",
    "both\\\n",
    "-",
    "-rf",
    "cr\r",
    "é",
    "*",
    "\\n",
]
NAMES = st.binary(min_size=1, max_size=40).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)


@pytest.fixture
def goes(host: Any) -> Path:
    folder: Path = host.source / "goes"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.nc").write_bytes(os.urandom(5000))
    (folder / "sub" / "b c").write_bytes(b"b")
    return folder


def check(folder: Path, name: str = "SHA256SUMS") -> set[str]:
    """Let sha256sum check a delivered share; return the names it said are fine."""
    ended = subprocess.run(
        ["sha256sum", "--check", "--strict", name], cwd=folder, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    return {line.rpartition(": ")[0] for line in os.fsdecode(ended.stdout).split("\n") if line}


def test_a_source_with_a_shell_computes_them(host: Any, goes: Path) -> None:
    (result,) = host.run(host.share("p1", "goes", checksums=True))
    assert (result["state"], result["error"], result["checksums_by"]) == ("delivered", None, "source")
    assert (result["files_total"], result["bytes_total"]) == (2, 5001)
    assert check(host.root / "ftp_p1" / "p1") == {"./a.nc", "./sub/b c"}
    sums = host.root / "ftp_p1" / "p1" / "SHA256SUMS"
    assert sums.stat().st_mode & 0o7777 == 0o640
    assert "sha256sum" in host.log("ssh")
    assert "checksums" in result["durations"]
    assert not host.tree.staging("p1").exists()


def test_behind_a_restricted_key_they_are_computed_on_arrival(host: Any, goes: Path) -> None:
    host.restrict()
    (result,) = host.run(host.share("p1", "goes", checksums=True, source_root=str(host.source)))
    assert (result["state"], result["error"], result["checksums_by"]) == ("delivered", None, "arrival")
    assert check(host.root / "ftp_p1" / "p1") == {"./a.nc", "./sub/b c"}
    assert "sha256sum" not in host.log("ssh")


def test_a_source_that_runs_no_command_is_told_from_one_that_fails(host: Any, goes: Path) -> None:
    """An unrestricted key by our word, with a forced rrsync by the source's."""
    program = host.folder / "bin" / "ssh"
    program.write_text(
        program.read_text().replace(
            'exec $as sh -c "$command"',
            'case "$*" in *sha256sum*) exit 127 ;; esac\nexec $as sh -c "$command"',
        )
    )
    (result,) = host.run(host.share("p1", "goes", checksums=True))
    assert (result["state"], result["error"], result["checksums_by"]) == ("delivered", None, "arrival")
    assert check(host.root / "ftp_p1" / "p1") == {"./a.nc", "./sub/b c"}


def test_a_local_source_computes_them_itself(host: Any, goes: Path) -> None:
    (result,) = host.run(host.share("p1", "goes", checksums=True, local=True, ssh_user=host.user))
    assert (result["error"], result["checksums_by"]) == (None, "source")
    assert check(host.root / "ftp_p1" / "p1") == {"./a.nc", "./sub/b c"}


@pytest.mark.parametrize("name", ["a.nc", "-", 'it\'s "$(x)"'])
def test_of_a_file_there_is_one_line(host: Any, goes: Path, name: str) -> None:
    (goes / name).write_bytes(b"abc")
    (result,) = host.run(host.share("p1", f"goes/{name}", checksums=True))
    assert (result["error"], result["checksums_by"]) == (None, "source")
    assert check(host.root / "ftp_p1" / "p1") == {f"./{name}"}


def test_odd_names_are_written_as_sha256sum_does(host: Any, goes: Path) -> None:
    for name in ODD_NAMES:
        (goes / "sub" / name).write_bytes(name.encode())
    (goes / "sub" / os.fsdecode(b"\xff\xfe")).write_bytes(b"no UTF-8")
    (result,) = host.run(host.share("p1", "goes", checksums=True))
    assert (result["error"], result["checksums_by"]) == (None, "source")
    delivered = host.root / "ftp_p1" / "p1"
    # Names that no FTP client can fetch are not delivered.
    assert len(check(delivered)) == sum(is_fetchable(name.encode()) for name in ODD_NAMES) + 3
    assert not any(line.startswith("\\") for line in check(delivered))


def test_a_share_without_files_has_an_empty_one(host: Any) -> None:
    (host.source / "empty" / "folder").mkdir(parents=True)
    (result,) = host.run(host.share("p1", "empty", checksums=True))
    assert (result["error"], result["checksums_by"]) == (None, "source")
    assert (host.root / "ftp_p1" / "p1" / "SHA256SUMS").read_bytes() == b""


def test_a_second_execution_changes_nothing(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", checksums=True))
    before = host.tree.manifest("p1").read_bytes()
    assert host.execute(host.share("p1", "goes", checksums=True))["changed"] is False
    assert host.tree.manifest("p1").read_bytes() == before


def test_a_file_of_that_name_in_the_source_is_delivered_as_it_is(host: Any, goes: Path) -> None:
    (goes / "SHA256SUMS").write_text("theirs")
    host.run(host.share("p1", "goes", checksums=True))
    delivered = host.root / "ftp_p1" / "p1"
    assert (delivered / "SHA256SUMS").read_text() == "theirs"
    assert check(delivered, "SHA256SUMS.tempoftp") == {"./SHA256SUMS", "./a.nc", "./sub/b c"}


def test_files_of_both_names_are_refused(host: Any, goes: Path) -> None:
    for name in ("SHA256SUMS", "SHA256SUMS.tempoftp"):
        (goes / name).write_text("theirs")
    (result,) = host.run(host.share("p1", "goes", checksums=True))
    assert (result["state"], result["error"]["class"]) == ("failed", "invalid")
    assert "without checksums" in result["error"]["message"]


def test_a_newer_generation_has_new_ones_and_copies_only_what_changed(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", checksums=True, generation=1))
    delivered = host.root / "ftp_p1" / "p1"
    (goes / "new").write_text("new")
    # Something else is asked for, so that it is copied anew.
    host.run(host.share("p1", "goes/sub", checksums=True, generation=2))
    assert check(delivered) == {"./b c"}
    host.run(host.share("p1", "goes", checksums=True, generation=3))
    assert check(delivered) == {"./a.nc", "./new", "./sub/b c"}
    host.run(host.share("p1", "goes", generation=4))
    assert sorted(path.name for path in delivered.iterdir()) == ["a.nc", "new", "sub"]


def test_what_arrived_otherwise_is_brought_again(host: Any, goes: Path) -> None:
    """The same size and time, another content: only the checksums tell."""
    host.run(host.share("p1", "goes", generation=1))
    delivered = host.root / "ftp_p1" / "p1"
    facts = (goes / "a.nc").stat()
    (delivered / "a.nc").write_bytes(bytes(5000))
    os.utime(delivered / "a.nc", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    (result,) = host.run(host.share("p1", "goes", checksums=True, generation=2))
    assert (result["state"], result["error"], result["checksums_by"]) == ("delivered", None, "source")
    assert (delivered / "a.nc").read_bytes() == (goes / "a.nc").read_bytes()
    assert check(delivered) == {"./a.nc", "./sub/b c"}


@pytest.mark.parametrize(("spoil", "expected"), [("content", "copy_failed"), ("time", "source_changing")])
def test_what_never_agrees_is_an_error(host: Any, goes: Path, spoil: str, expected: str) -> None:
    """The source's file is another one each time it is hashed; with its time untouched, or not."""
    program = host.folder / "bin" / "ssh"
    # rsync compares whole seconds: each call of ssh makes it another one, or always the same.
    second = "1000" if spoil == "content" else f'$(wc -l < "{host.folder}/ssh.log")'
    change = f'touch -d "@{second}" "{goes}/a.nc"'
    os.utime(goes / "a.nc", (1000, 1000))
    meddle = f'case "$*" in *sha256sum*) head -c 5000 /dev/urandom > "{goes}/a.nc"; {change} ;; esac\n'
    program.write_text(
        program.read_text().replace('exec $as sh -c "$command"', f'{meddle}exec $as sh -c "$command"')
    )
    (result,) = host.run(host.share("p1", "goes", checksums=True))
    assert (result["state"], result["error"]["class"]) == ("failed", expected), result["error"]
    assert not (host.root / "ftp_p1" / "p1").exists()


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=20), max_size=8))
def test_every_line_is_read_as_it_was_meant(tmp_path_factory: Any, files: dict[bytes, bytes]) -> None:
    folder = tmp_path_factory.mktemp("sums")
    data, sums = folder / "data", folder / "sums"
    data.mkdir()
    for name, content in files.items():
        (data / os.fsdecode(name)).write_bytes(content)
    compute_here(data, sums)
    lines = [parse_line(line) for line in sums.read_bytes().splitlines(keepends=True)]
    names = sorted(line.name for line in lines if line is not None)
    assert names == sorted(b"./" + name for name in files if is_fetchable(name))
    assert compare_sums(sums, sums) is None


@pytest.mark.parametrize("line", [b"", b"x", b"g" * 64 + b"  a", b"0" * 63 + b"  a", b"0" * 64 + b"a"])
def test_what_is_no_line_is_none(line: bytes) -> None:
    assert parse_line(line) is None


def test_the_first_difference_is_named(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    zeros, ones = b"0" * 64, b"1" * 64
    one.write_bytes(zeros + b"  ./a\n" + zeros + b"  ./b\n")
    for content, name in (
        (zeros + b"  ./a\n" + ones + b"  ./b\n", "./b"),
        (zeros + b"  ./a\n", "./b"),
        (zeros + b"  ./a\n" + zeros + b"  ./b\n" + zeros + b"  ./c\n", "./c"),
        (zeros + b"  ./x\n", "./x"),
    ):
        other.write_bytes(content)
        assert compare_sums(one, other) == name
    other.write_bytes(zeros + b" *./a\n" + zeros + b"  ./b\n")
    assert compare_sums(one, other) is None
    assert parse_line(b"\\" + zeros + b"  a\\\\n\\n\n") == Line(zeros, b"a\\n\n")
