# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files with holes take as much room on the FTP host as at the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SIZE = 1_500_000_123
DATA = b"measured " * 116_509


@pytest.fixture
def model(host: Any) -> Path:
    """A folder with a file of 1.5 GB that has 1 MB of data in its middle, and another one behind a hole."""
    folder = host.source / "model"
    folder.mkdir()
    with (folder / "grid.nc").open("wb") as file:
        file.truncate(SIZE)
        file.seek(SIZE // 2)
        file.write(DATA)
    with (folder / "tail.nc").open("wb") as file:
        file.seek(300_000_000)
        file.write(DATA)
    return Path(folder)


@pytest.mark.parametrize("local", [False, True])
def test_holes_stay_holes(host: Any, model: Path, local: bool) -> None:
    (share,) = host.run(host.share("p1", "model", local=local, **({"ssh_user": host.user} if local else {})))
    assert share["state"] == "delivered", share["error"]
    assert share["bytes_total"] == SIZE + 300_000_000 + len(DATA)
    for name in ("grid.nc", "tail.nc"):
        copy = host.root / "ftp_p1" / "p1" / name
        assert copy.stat().st_size == (model / name).stat().st_size
        assert copy.stat().st_blocks * 512 < 4 * len(DATA)
        with copy.open("rb") as file:
            file.seek(SIZE // 2 if name == "grid.nc" else 300_000_000)
            assert file.read(len(DATA)) == DATA
