# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A source whose answer is that of a real rsync, but for some bits or names: the copy ends, and harms nothing.

What a hostile source serves as its own data is its own matter: contents are not judged.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

FILTER = Path(__file__).parents[2] / "hostile_filter.py"
# What each name ends with; None: the share is delivered, with that name below its own folder.
NAMES = {
    "upwards": {"copy_failed"},
    "upwards_later": {"copy_failed"},
    "absolute": {"copy_failed"},
    "elsewhere": {"copy_failed", "source_changing", None},
    "manifest": {"copy_failed"},
    "keys": {"copy_failed", "source_changing", None},
    "behind_a_link": {"copy_failed", "source_changing", None},
}
ENDS = {
    "copy_failed",
    "source_shell",
    "source_changing",
    "source_unreachable",
    "source_not_found",
    "too_large",
}


def filter_answers(host: Any) -> None:
    (host.folder / "silence").write_text("2")
    command = [sys.executable, str(FILTER), "rrsync", "-ro", str(host.source)]
    host.force(f"exec {shlex.join(command)}")


def copy(host: Any, path: str, wait_timeout: int = 100) -> Any:
    """Run the copy of a share from a key that is restricted: its commands name the path."""
    (bad,) = host.run(host.share("bad", path, source_root=str(host.source)), wait_timeout=wait_timeout)
    return bad


def list_tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def fill(folder: Path) -> None:
    (folder / "nombre_1").mkdir(parents=True)
    (folder / "nombre_1" / "dentro").write_bytes(b"a" * 3000)
    (folder / "enlace_1").symlink_to("/tmp")
    for number in range(12):
        (folder / f"file_{number}").write_bytes(bytes([number]) * 20_000)


def check_unharmed(host: Any, before: list[str]) -> None:
    assert list_tree(host.root / "ftp_good") == before
    strange = [path for path in host.folder.rglob("*esc*") if "source" not in path.parts]
    assert all("/ftp_bad/bad/" in str(path) for path in strange), strange
    assert not list(Path("/tmp").glob("esc*")) and not Path("/tmp/dentro").exists()
    assert {path.name for path in host.root.iterdir()} <= {".tempoftp", "ftp_good", "ftp_bad"}
    assert "Traceback" not in "".join(path.read_text() for path in host.folder.glob("*.log"))


@pytest.fixture
def before(host: Any) -> list[str]:
    """What a good share of another account has."""
    (host.source / "good").mkdir()
    (host.source / "good" / "a").write_bytes(b"a" * 5000)
    (good,) = host.run(host.share("good", "good"))
    assert good["state"] == "delivered"
    filter_answers(host)
    return list_tree(host.root / "ftp_good")


@pytest.mark.parametrize(("mode", "ends"), NAMES.items(), ids=NAMES.keys())
def test_a_name_that_nobody_asked_for_stays_in_its_share(
    host: Any, before: list[str], mode: str, ends: set[str | None]
) -> None:
    fill(host.source / f"names_{mode}")
    bad = copy(host, f"names_{mode}")
    assert (bad["error"] and bad["error"]["class"]) in ends, bad
    assert (bad["state"] == "delivered") == (bad["error"] is None)
    check_unharmed(host, before)


def test_another_file_than_the_one_asked_for_is_refused(host: Any, before: list[str]) -> None:
    folder = host.source / "names_other"
    folder.mkdir()
    (folder / "nombre_1").write_bytes(b"asked")
    bad = copy(host, "names_other/nombre_1")
    assert bad["error"] is not None and bad["error"]["class"] == "copy_failed", bad
    assert "nombre_2" in bad["error"]["message"]
    assert not (host.root / "ftp_bad" / "bad").exists()
    check_unharmed(host, before)


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bits_end_with_a_share_or_a_class(host: Any, before: list[str], seed: int) -> None:
    fill(host.source / f"flips_{seed}")
    bad = copy(host, f"flips_{seed}", wait_timeout=40)
    if bad["error"] is not None:
        assert bad["error"]["class"] in ENDS and bad["error"]["message"].isprintable(), bad
    else:
        # Two rsyncs may wait for each other, and say that they are alive: until the share is ended, or the time of
        # the unit is up.
        assert bad["state"] in ("delivered", "copying", "verifying"), bad
    check_unharmed(host, before)
    (gone,) = host.run({"id": "bad", "generation": 2, "state": "absent"})
    assert gone["state"] == "absent" and host.pid("tempoftp-copy-bad") is None
    assert not host.tree.staging("bad").exists() and not (host.root / "ftp_bad" / "bad").exists()
