# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access lists (setfacl) on the delivery root: what is delivered can be read as the account, and by nobody else."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.run import AuditOptions, run_audit
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.access import (
    ACCESS_LIST,
    DEFAULT_LIST,
    has_access_list,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share import apply as _apply

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can look with the rights of another user"
)

GROUP, GID, SOMEBODY = "games", 60, 7777
_NO_ID = 0xFFFFFFFF


def pack_list(group: int, mask: int = 5) -> bytes:
    """Return a list as the kernel keeps it: a user of its own may read, the group has these rights, within a mask."""
    entries = ((1, 7, _NO_ID), (2, 5, SOMEBODY), (4, group, _NO_ID), (16, mask, _NO_ID), (32, 0, _NO_ID))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def set_default_list(folder: Path, group: int = 0) -> None:
    """Do what ``setfacl -R -d -m u:7777:rX`` does to a folder and all folders in it."""
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())):
        os.setxattr(path, DEFAULT_LIST, pack_list(group))


@pytest.fixture
def listed_host(host: Any) -> Any:
    """An FTP host on whose delivery root somebody has set a default access list."""
    (host.source / "sub").mkdir()
    (host.source / "a.nc").write_bytes(b"data")
    (host.source / "sub" / "b.nc").write_bytes(b"more")
    try:
        set_default_list(host.root)
    except OSError as error:
        assert error.errno == errno.ENOTSUP
        pytest.skip("the filesystem of the tests' folder has no access lists")
    return host


def deliver(host: Any, share_id: str = "p1", **changes: Any) -> Path:
    results = host.run(host.share(share_id, **changes), group=GROUP)
    assert [result["state"] for result in results] == ["delivered"], results
    return Path(host.root / f"ftp_{share_id}" / share_id)


def read_as(uid: int, gid: int, home: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Read a file as a session does, which begins in its home."""
    drop = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--"]
    return subprocess.run([*drop, "cat", name], cwd=home, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("group", [0, 5])
def test_the_account_reads_and_the_user_of_the_list_does_not(listed_host: Any, group: int) -> None:
    host = listed_host
    set_default_list(host.root, group)
    share = deliver(host)
    for name in ("p1/a.nc", "p1/sub/b.nc"):
        assert read_as(SOMEBODY + 1, GID, share.parent, name).returncode == 0
        assert read_as(SOMEBODY, SOMEBODY, share.parent, name).returncode != 0
    assert not any(has_access_list(path) for path in (share.parent, share, *share.rglob("*")))


def test_a_list_that_is_set_during_the_copy_is_removed(
    listed_host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = listed_host
    enter, closed = _apply._require_readable, []

    def close_first(data: Path, manifest: Any) -> None:
        for path in (data / "sub", data / "sub" / "b.nc"):
            os.setxattr(path, ACCESS_LIST, pack_list(0))
            closed.append(path)
        enter(data, manifest)

    monkeypatch.setattr(_apply, "_require_readable", close_first)
    share = deliver(host)
    assert len(closed) == 2
    assert read_as(SOMEBODY + 1, GID, share.parent, "p1/sub/b.nc").stdout == "more"


def test_what_the_account_cannot_read_is_not_delivered(
    listed_host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = listed_host
    enter = _apply._require_readable

    def close_first(data: Path, manifest: Any) -> None:
        (data / "a.nc").chmod(0o600)
        enter(data, manifest)

    with monkeypatch.context() as patched:
        patched.setattr(_apply, "_require_readable", close_first)
        (result,) = host.run(host.share("p1"), group=GROUP)
    assert result["error"]["class"] == "copy_failed" and result["error"]["transient"]
    assert "may not read ./a.nc of share p1" in result["error"]["message"]
    assert not (host.root / "ftp_p1").exists()


def test_a_home_that_the_account_cannot_enter_is_put_right(listed_host: Any) -> None:
    host = listed_host
    home = deliver(host).parent
    os.setxattr(home, ACCESS_LIST, pack_list(0))
    host.run({**host.share("p2"), "ftpuser": "ftp_p1"}, group=GROUP)
    assert read_as(SOMEBODY + 1, GID, home, "p2/a.nc").stdout == "data"


def test_data_of_before_loses_its_lists_in_the_next_copy(listed_host: Any) -> None:
    host = listed_host
    share = deliver(host)
    inode = (share / "a.nc").stat().st_ino
    for path in (share, share / "sub", share / "a.nc"):
        os.setxattr(path, ACCESS_LIST, pack_list(0))
    shutil.copytree(host.source, host.source.with_name("moved"))
    item = {**host.share("p1", generation=2), "source": f"source1:{host.source.with_name('moved')}"}
    assert [result["state"] for result in host.run(item, group=GROUP)] == ["delivered"]
    assert (share / "a.nc").stat().st_ino == inode
    assert read_as(SOMEBODY + 1, GID, share.parent, "p1/a.nc").stdout == "data"
    assert not any(has_access_list(path) for path in (share, *share.rglob("*")))


class TestAudit:
    """The audit tells of access lists, and its repair removes them."""

    @pytest.fixture(params=["", "p1", "p1/sub", "p1/sub/b.nc"])
    def spoilt(self, request: pytest.FixtureRequest, listed_host: Any) -> Path:
        home = deliver(listed_host).parent
        path = home / request.param if request.param else home
        # The mode, whose bits for the group are the mask, stays as it is.
        os.setxattr(path, ACCESS_LIST, pack_list(0, 4 if path.is_file() else 5))
        if path.is_file():
            path.chmod(0o640)
        return path

    @pytest.fixture
    def audit(self, listed_host: Any) -> Callable[[bool], Any]:
        def run(repair: bool) -> Any:
            options = AuditOptions(listed_host.tree, None, repair=repair, deep_limit=100, with_sessions=False)
            return run_audit(options)

        return run

    def test_it_tells_and_repairs(self, spoilt: Path, audit: Callable[[bool], Any]) -> None:
        told = {found["subject"]: found for found in audit(False)["findings"]}
        assert told[str(spoilt)]["kind"] == "wrong_owner_or_mode"
        assert "access list" in told[str(spoilt)]["detail"]
        assert audit(True)["failures"] == []
        assert not has_access_list(spoilt)
        assert audit(False)["findings"] == []
