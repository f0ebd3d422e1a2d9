# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A source that sends more than it had when it was measured takes no room that is not reserved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.passes import add_margin
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.space import read_disk
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import prepare_tree

MB = 1_000_000
RESERVE = 30 * MB
# Before each rsync that is no dry run, as long as the file "grow" says so.
GROW = """#!/bin/sh
case "$*" in
  *"--sender -n"*) ;;
  *--sender*) if [ -s {grow} ]; then head -c {more} /dev/urandom >> {file}; sed -i 1d {grow}; fi ;;
esac
"""


def share(host: Any, **changes: Any) -> Any:
    return host.share("p1", source_root=str(host.source), **changes)


def grow(host: Any, more: int, times: int) -> None:
    """Have the file of the source grow by so many bytes when it is copied, so many times."""
    # Behind rrsync the options stand in the command, so that a dry run can be told from a copy.
    host.restrict()
    (host.source / "a.nc").write_bytes(bytes(MB))
    (host.folder / "grow").write_text("again\n" * times)
    text = GROW.format(grow=host.folder / "grow", file=host.source / "a.nc", more=more)
    # Nothing is copied before it is measured where something is staged already.
    prepare_tree(host.tree)
    host.tree.data("p1").mkdir(parents=True)
    (host.tree.data("p1") / "a.nc").touch()
    ssh = host.folder / "bin" / "ssh"
    ssh.write_text(ssh.read_text().replace("#!/bin/sh\n", text, 1))


def test_what_grew_within_the_room_is_delivered(own_disk: Any) -> None:
    grow(own_disk, 20 * MB, times=1)
    (result,) = own_disk.run(share(own_disk), reserve_bytes=RESERVE, bwlimit="8m")
    assert result["state"] == "delivered", result["error"]
    assert (Path(result["path"]) / "a.nc").read_bytes() == (own_disk.source / "a.nc").read_bytes()
    assert result["bytes_total"] == 21 * MB


def test_the_reserve_stays_free(own_disk: Any) -> None:
    """It is measured with one megabyte, and sends 46."""
    grow(own_disk, 45 * MB, times=9)
    (result,) = own_disk.run(share(own_disk), reserve_bytes=RESERVE, bwlimit="8m")
    assert result["error"]["class"] in ("no_space", "too_large"), str(result)
    assert read_disk(own_disk.root).bytes_free > RESERVE


def test_a_source_that_never_ends_is_given_up(host: Any) -> None:
    grow(host, 40 * MB, times=99)
    (result,) = host.run(share(host), bwlimit="10m")
    assert result["error"]["class"] == "source_changing", str(result)
    assert "it sends more than it had when it was measured" in result["error"]["message"]


@pytest.mark.parametrize(("measured", "most"), [(0, 8), (100, 108), (1000, 1050), (10**6, 10**6 + 1024)])
def test_a_large_share_has_no_large_margin(measured: int, most: int) -> None:
    assert add_margin(measured, (8, 1024)) == most
