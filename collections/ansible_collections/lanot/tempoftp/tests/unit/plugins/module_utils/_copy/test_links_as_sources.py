# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A source that is a link: one to a folder is followed, any other is named with its target. A preview says the same."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy import ssh as _ssh
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.source_probe import measure_source
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.source_run import SourceQuestion
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError

LIMIT = 60


@pytest.fixture
def radar(host: Any) -> Path:
    """A folder with a file, and links of every kind beside it."""
    folder = host.source / "radar"
    folder.mkdir()
    (folder / "r1.nc").write_bytes(bytes(300))
    for name, target in LINKS.items():
        (host.source / name).symlink_to(target)
    return Path(folder)


LINKS = {
    "folder": "radar",
    "way": "folder",
    "file": "radar/r1.nc",
    "chain": "file",
    "nothing": "radar/r9.nc",
    "loop": "loop",
    "out": "/etc/hostname",
    "odd\xf1 name": "radar/r1.nc",
}


def preview(host: Any, name: str, root: Any = None) -> str:
    """Return the error of a measurement."""
    question = SourceQuestion(f"source1:{host.source}/{name}", source_root=root)
    with pytest.raises(TempoftpError) as found:
        measure_source(
            question, _ssh.read_access(question), time.monotonic() + LIMIT, host.folder / "run", host.tree
        )
    assert found.value.error_class == "source_not_found"
    return found.value.message


@pytest.mark.parametrize("name", ["folder", "way"])
@pytest.mark.parametrize("restricted", [False, True])
def test_a_link_to_a_folder_is_followed(host: Any, radar: Path, name: str, restricted: bool) -> None:
    if restricted:
        host.restrict()
    (share,) = host.run(host.share("p1", name, source_root=str(host.source) if restricted else None))
    assert (share["state"], share["files_total"]) == ("delivered", 1)
    assert (host.root / "ftp_p1" / "p1" / "r1.nc").stat().st_size == 300


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "file",
            "is a link to radar/r1.nc, and only links to folders are followed: ask for {source}/radar/r1.nc (",
        ),
        ("chain", "is a link to file, and only links to folders are followed: ask for {source}/file ("),
        ("nothing", "is a link to radar/r9.nc, which leads nowhere: check the path ("),
        ("loop", "is a link to loop, which leads back to it: check the path ("),
        (
            "odd\xf1 name",
            "is a link to radar/r1.nc, and only links to folders are followed: ask for {source}/radar/r1",
        ),
    ],
)
@pytest.mark.parametrize("restricted", [False, True])
def test_any_other_link_is_named_with_its_target(
    host: Any, radar: Path, name: str, words: str, restricted: bool
) -> None:
    if restricted:
        host.restrict()
    root = str(host.source) if restricted else None
    (share,) = host.run(host.share("p1", name, source_root=root))
    assert (share["state"], share["error"]["class"]) == ("failed", "source_not_found")
    told = f"source1:{host.source}/{name} " + words.format(source=host.source)
    assert share["error"]["message"].startswith(told)
    assert share["error"]["message"] == preview(host, name, root), "a preview says the same"
    assert not host.tree.data("p1").exists()


def test_a_link_out_of_the_source_is_named(host: Any, radar: Path) -> None:
    (share,) = host.run(host.share("p1", "out"))
    assert "out is a link to /etc/hostname, and only links" in share["error"]["message"]
    host.restrict()
    (share,) = host.run(host.share("p2", "out", source_root=str(host.source)))
    assert share["error"]["class"] == "source_denied"
    assert f'"{host.source}/out" leads to "/etc/hostname", outside of the folder' in share["error"]["message"]


def test_what_is_no_link_either_is_told_so(host: Any, radar: Path) -> None:
    (share,) = host.run(host.share("p1", "nowhere"))
    assert "nowhere does not exist on the source host: check the path (" in share["error"]["message"]
    os.mkfifo(host.source / "pipe")
    (share,) = host.run(host.share("p2", "pipe"))
    assert "pipe is neither a folder nor a plain file: check the path (" in share["error"]["message"]


def test_a_link_that_becomes_a_file_is_delivered_when_asked_again(host: Any, radar: Path) -> None:
    host.run(host.share("p1", "file"))
    (host.source / "file").unlink()
    (host.source / "file").write_bytes(b"now a file")
    (share,) = host.run(host.share("p1", "file"))
    assert (share["state"], share["files_total"]) == ("delivered", 1)
