# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the source's user may not read is named by its path there, also behind a restricted key."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.needs_root

READER = 65534


@pytest.mark.parametrize("restricted", [False, True])
@pytest.mark.parametrize(
    ("asked", "closed", "named"),
    [
        ("goes", "goes/x.nc", "goes/x.nc"),
        ("goes", "goes/sub/a\xf1o y.nc", "goes/sub/a\xf1o y.nc"),
        ("goes", "goes/sub", "goes/sub"),
        ("goes", "goes", "goes"),
        ("goes/x.nc", "goes/x.nc", "goes/x.nc"),
        ("goes/sub/a\xf1o y.nc", "goes/sub", "goes/sub/a\xf1o y.nc"),
    ],
)
def test_it_is_named_as_its_owner_knows_it(
    host: Any, asked: str, closed: str, named: str, restricted: bool
) -> None:
    (host.source / "goes" / "sub").mkdir(parents=True)
    for name in ("goes/x.nc", "goes/sub/a\xf1o y.nc", "goes/open.nc"):
        (host.source / name).write_bytes(bytes(10))
    (host.source / closed).chmod(0)
    host.read_as(READER)
    if restricted:
        host.restrict()
    (share,) = host.run(host.share("p1", asked, source_root=str(host.source) if restricted else None))
    assert share["error"]["class"] == "source_denied", share["error"]["message"]
    assert f'"{host.source}/{named}"' in share["error"]["message"]
    for word in ("/proc/", "race", "realpath"):
        assert word not in share["error"]["message"]
