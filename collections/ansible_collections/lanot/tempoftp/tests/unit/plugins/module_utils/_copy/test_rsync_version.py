# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``rsync --version`` says of its version."""

from __future__ import annotations

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.rsync import ESCAPES_SINCE
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.rsync_version import parse_rsync_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("rsync  version 3.5.0  protocol version 32", (3, 5, 0)),
        ("rsync  version v3.2.4pre1  protocol version 31", (3, 2, 4)),
        ("openrsync: protocol version 29", ESCAPES_SINCE),
        ("", ESCAPES_SINCE),
    ],
)
def test_an_unknown_rsync_counts_as_new(text: str, version: tuple[int, ...]) -> None:
    assert parse_rsync_version(text) == version
