# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same source for a second requester: links to the first copy, and neither share ever feels the other."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.held_copy import SMALL_BYTES
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.reuse import may_give
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.staging import (
    drop_linked_files,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    Manifest,
    read_manifest,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def read_tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def read_facts(path: Path) -> dict[str, tuple[int, ...]]:
    facts = {}
    for entry in [path, *path.rglob("*")]:
        seen = entry.lstat()
        facts[str(entry.relative_to(path))] = (seen.st_mode, seen.st_uid, seen.st_gid, int(seen.st_mtime))
    return facts


def list_inodes(path: Path) -> dict[str, int]:
    return {str(file.relative_to(path)): file.stat().st_ino for file in path.rglob("*") if file.is_file()}


@pytest.fixture
def goes(host: Any) -> Path:
    folder: Path = host.source / "goes"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.nc").write_bytes(os.urandom(5000))
    (folder / "sub" / "b c").write_bytes(b"b")
    (folder / "fine").symlink_to("a.nc")
    return folder


@pytest.fixture
def first(host: Any, goes: Path) -> Path:
    """The first share of a source, delivered."""
    assert host.run(host.share("first", "goes"))[0]["state"] == "delivered"
    return Path(host.root / "ftp_first" / "first")


def test_the_second_share_has_the_firsts_files(host: Any, goes: Path, first: Path) -> None:
    (result,) = host.run(host.share("second", "goes", reuse=True))
    assert (result["state"], result["error"], result["delivered_by"]) == ("delivered", None, "links")
    assert (result["bytes_total"], result["files_total"], result["percent"]) == (5005, 2, 100)
    second = host.root / "ftp_second" / "second"
    assert list_inodes(second) == list_inodes(first)
    assert read_facts(second) == read_facts(first)
    assert read_tree(second) == read_tree(goes)
    assert host.execute(host.share("second", "goes", reuse=True))["changed"] is False


def test_without_being_asked_nothing_is_linked(host: Any, goes: Path, first: Path) -> None:
    (result,) = host.run(host.share("second", "goes"))
    assert result["delivered_by"] == "rsync"
    assert not set(list_inodes(host.root / "ftp_second" / "second").values()) & set(
        list_inodes(first).values()
    )


def test_the_first_one_has_nothing_to_take(host: Any, goes: Path) -> None:
    (result,) = host.run(host.share("first", "goes", reuse=True))
    assert (result["state"], result["delivered_by"]) == ("delivered", "rsync")


@pytest.mark.parametrize("path", ["goes/a.nc", "goes/sub"])
def test_a_file_and_a_folder_alike(host: Any, goes: Path, path: str) -> None:
    host.run(host.share("first", path))
    (result,) = host.run(host.share("second", path, reuse=True))
    assert (result["error"], result["delivered_by"]) == (None, "links")
    homes = host.root / "ftp_second" / "second", host.root / "ftp_first" / "first"
    assert list_inodes(homes[0]) == list_inodes(homes[1])


def test_the_end_of_one_leaves_the_other_whole(host: Any, goes: Path, first: Path) -> None:
    host.run(host.share("second", "goes", reuse=True))
    second = host.root / "ftp_second" / "second"
    before, facts = read_tree(second), read_facts(second)
    assert host.run({"id": "first", "state": "absent"})[0]["state"] == "absent"
    assert not first.exists() and list(host.tree.trash.iterdir()) == []
    assert (read_tree(second), read_facts(second)) == (before, facts)
    host.run(host.share("third", "goes", reuse=True))
    assert host.run({"id": "second", "state": "absent"})[0]["state"] == "absent"
    assert read_tree(host.root / "ftp_third" / "third") == before


def test_blocking_one_leaves_the_other_in_sight(host: Any, goes: Path, first: Path) -> None:
    host.run(host.share("second", "goes", reuse=True))
    (result,) = host.run(host.share("first", "goes", generation=2, state="blocked"))
    assert (result["state"], result["error"]) == ("blocked", None)
    assert not first.exists()
    assert read_tree(host.root / "ftp_second" / "second") == read_tree(goes)


def test_what_changed_since_is_copied_and_changes_only_here(host: Any, goes: Path, first: Path) -> None:
    before = read_tree(first)
    (goes / "a.nc").write_bytes(os.urandom(5000))
    os.utime(goes / "a.nc", (1, 1))
    (goes / "new").write_text("new")
    (result,) = host.run(host.share("second", "goes", reuse=True))
    second = host.root / "ftp_second" / "second"
    assert (result["delivered_by"], read_tree(second)) == ("links", read_tree(goes))
    assert list_inodes(second)["sub/b c"] == list_inodes(first)["sub/b c"]
    assert list_inodes(second)["a.nc"] != list_inodes(first)["a.nc"]
    assert read_tree(first) == before


@pytest.mark.parametrize("asked", ["first", "second"])
def test_a_newer_generation_of_one_does_not_write_into_the_other(
    host: Any, goes: Path, first: Path, asked: str
) -> None:
    """rsync writes in place: through a link that would be the other share's file as well."""
    host.run(host.share("second", "goes", reuse=True, generation=1))
    other = host.root / "ftp_second" / "second" if asked == "first" else first
    before, facts = read_tree(other), read_facts(other)
    (goes / "a.nc").write_bytes(os.urandom(5000))
    os.utime(goes / "a.nc", (1, 1))
    os.utime(goes / "sub" / "b c", (1, 1))
    item = host.share(asked, "goes", reuse=True, checksums=True, generation=2)
    (result,) = host.run(item)
    assert (result["state"], result["error"]) == ("delivered", None)
    delivered = read_tree(host.root / f"ftp_{asked}" / asked)
    delivered.pop("SHA256SUMS")
    assert delivered == read_tree(goes)
    assert (read_tree(other), read_facts(other)) == (before, facts)


def test_checksums_are_each_shares_own(host: Any, goes: Path) -> None:
    host.run(host.share("first", "goes", checksums=True))
    (result,) = host.run(host.share("second", "goes", checksums=True, reuse=True))
    assert (result["delivered_by"], result["checksums_by"]) == ("links", "source")
    sums = [host.root / f"ftp_{name}" / name / "SHA256SUMS" for name in ("first", "second")]
    assert sums[0].read_bytes() == sums[1].read_bytes()
    assert sums[0].stat().st_nlink == 1


def test_a_spoilt_first_copy_is_found_by_checksums(host: Any, goes: Path, first: Path) -> None:
    facts = (first / "a.nc").stat()
    (first / "a.nc").write_bytes(bytes(5000))
    os.utime(first / "a.nc", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    (result,) = host.run(host.share("second", "goes", checksums=True, reuse=True))
    assert (result["state"], result["error"]) == ("delivered", None)
    assert (host.root / "ftp_second" / "second" / "a.nc").read_bytes() == (goes / "a.nc").read_bytes()
    assert (first / "a.nc").read_bytes() == bytes(5000)


def test_it_needs_no_room_for_what_is_linked(host: Any, own_disk: Any) -> None:
    """On a disk that holds the share once."""
    (host.source / "big").write_bytes(os.urandom(SMALL_BYTES + 1_000_000))
    host.run(host.share("first", "big"))
    (result,) = host.run(host.share("second", "big", reuse=True))
    assert (result["state"], result["error"], result["delivered_by"]) == ("delivered", None, "links")
    (result,) = host.run(host.share("third", "big"))
    assert result["error"]["class"] == "no_space"


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_first_copy_that_goes_away_in_the_middle_is_copied_instead(host: Any, kind: str) -> None:
    """Just before rsync starts to link, the share that it should link from is deleted."""
    folder = host.source / "many"
    folder.mkdir()
    if kind == "folder":
        for number in range(20):
            (folder / f"f{number}").write_bytes(os.urandom(2_500_000))
    else:
        # Ended in the middle of a file, rsync leaves what it had of it under another name.
        (folder / "big").write_bytes(os.urandom(2 * SMALL_BYTES))
    asked = "many" if kind == "folder" else "many/big"
    host.run(host.share("first", asked))
    first = host.root / "ftp_first" / "first"
    program = host.folder / "bin" / "rsync"
    program.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *--dry-run*) ;; *--link-dest=*) rm -rf "{first}" ;; esac\n'
        f'exec {shutil.which("rsync")} "$@"\n'
    )
    program.chmod(0o755)
    # Slow enough for rsync to tell how far it is before it is through.
    (result,) = host.run(host.share("second", asked, reuse=True), bwlimit="10M")
    assert not first.exists()
    assert (result["state"], result["error"]) == ("delivered", None)
    assert read_tree(host.root / "ftp_second" / "second") == read_tree(folder)
    # It was ended after what room there was for, and went on with room for all.
    assert "space" in result["durations"]


def test_a_killed_one_is_taken_up(host: Any, goes: Path, first: Path) -> None:
    for number in range(3000):
        (goes / "sub" / f"f{number}").write_text(str(number))
    host.run(host.share("first", "goes", generation=2, checksums=True))
    host.run(host.share("second", "goes", reuse=True), wait=False)
    host.wait_for((host.tree.data("second") / "sub").exists)
    host.kill("tempoftp-copy-second")
    (result,) = host.run(host.share("second", "goes", reuse=True))
    assert (result["state"], result["error"]) == ("delivered", None)
    assert read_tree(host.root / "ftp_second" / "second") == read_tree(goes)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 2)),
        st.tuples(st.just("anew"), st.integers(0, 2)),
        st.tuples(st.just("end"), st.integers(0, 2)),
        st.tuples(st.sampled_from(["write", "age", "remove"]), st.integers(0, 2)),
    ),
    min_size=4,
    max_size=8,
)


@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(steps=STEPS)
def test_a_share_changes_by_its_own_wishes_only(host: Any, steps: list[tuple[str, int]]) -> None:
    """Whatever is asked, asked anew, ended and changed: each share is what its source was at its own last wish."""
    folder = Path(tempfile.mkdtemp(dir=host.source))
    expected: dict[str, tuple[dict[str, bytes], dict[str, tuple[int, ...]]]] = {}
    generations: dict[str, int] = {}
    for name in ("f0", "f1", "f2"):
        (folder / name).write_bytes(name.encode())
    for moment, (kind, number) in enumerate([("ask", 0), ("ask", 1), *steps], start=1):
        share_id, file = f"{folder.name.replace('_', '-')}-{number}", folder / f"f{number}"
        if kind in ("ask", "anew", "end"):
            generation = generations.get(share_id, 0) + (kind != "ask" or share_id not in expected)
            generations[share_id] = generation
            # Something else about the data makes it a copy anew rather than a longer life.
            item = host.share(share_id, folder.name, reuse=True, generation=generation)
            item["checksums"] = generation % 2 == 0
            (result,) = host.run({**item, "state": "absent"} if kind == "end" else item)
            assert result["error"] is None
            place = host.root / f"ftp_{share_id}" / share_id
            if kind == "end":
                expected.pop(share_id, None)
            elif kind == "anew" or share_id not in expected:
                delivered = read_tree(place)
                delivered.pop("SHA256SUMS", None)
                assert delivered == read_tree(folder)
                expected[share_id] = read_tree(place), read_facts(place)
        elif kind == "write":
            file.write_bytes(os.urandom(50))
            os.utime(file, (moment, moment))
        elif kind == "age":
            file.touch()
            os.utime(file, (moment, moment))
        else:
            file.unlink(missing_ok=True)
        for known, seen in expected.items():
            place = host.root / f"ftp_{known}" / known
            assert (read_tree(place), read_facts(place)) == seen


def make(share_id: str, **changes: Any) -> Manifest:
    values = {"source": "source1:/srv/x", "state": "delivered", "ssh_user": "lanotadm", "reuse": True}
    return Manifest(share_id, 1, f"ftp_{share_id}", **{**values, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "source1:/srv/y"},
        {"source": "source2:/srv/x"},
        {"state": "copying"},
        {"state": "absent"},
        {"state": "blocked"},
        {"writable": True},
        {"uid": 2001},
        {"gid": 2001},
        {"local": True},
        {"method": "bind", "local": True},
    ],
)
def test_what_is_another_source_or_not_ours_alone_gives_nothing(changes: dict[str, Any]) -> None:
    assert may_give(make("first"), make("second"))
    assert not may_give(make("first", **changes), make("second"))
    assert not may_give(make("second"), make("second"))


def test_a_writable_share_takes_nothing(host: Any, goes: Path, first: Path) -> None:
    (result,) = host.run(host.share("second", "goes", reuse=True, writable=True))
    assert (result["state"], result["delivered_by"]) == ("delivered", "rsync")
    assert not set(list_inodes(host.root / "ftp_second" / "second").values()) & set(
        list_inodes(first).values()
    )
    manifest = read_manifest(host.tree, "second")
    assert manifest is not None and manifest.writable
    assert host.run(host.share("third", "goes", reuse=True))[0]["delivered_by"] == "links"
    assert list_inodes(host.root / "ftp_third" / "third") == list_inodes(first)


def test_only_names_that_are_not_the_last_one_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "own").write_text("own")
    (tmp_path / "elsewhere").write_text("both")
    os.link(tmp_path / "elsewhere", tmp_path / "data" / "sub" / "linked")
    drop_linked_files(tmp_path / "data")
    assert read_tree(tmp_path / "data") == {"own": b"own"}
    assert (tmp_path / "elsewhere").read_text() == "both"
