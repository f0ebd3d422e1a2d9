# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shares that are a mount of their source, with real mounts in a mount namespace of the tests' own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.mysql_login import (
    LoginOptions,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.run import (
    AuditOptions,
    run_audit,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy import bind as _bind
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.bind import (
    bind_share,
    is_bound,
    sweep_binds,
    unbind_share,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.mounts import (
    list_mounts_below,
    parse_mounts,
    read_mounts,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    Manifest,
    read_manifest,
    write_manifest,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.run import (
    SweepResult,
    run_sweep,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.settings import (
    ExpireSettings,
)

pytestmark = pytest.mark.usefixtures("private_mounts")


def read_tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.fixture
def goes(host: Any) -> Path:
    folder: Path = host.source / "goes"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.nc").write_bytes(os.urandom(5000))
    (folder / "sub" / "b c").write_bytes(b"b")
    (folder / "fine").symlink_to("a.nc")
    return folder


@pytest.fixture
def seen(host: Any) -> Path:
    """Where the share p1 stands in its home."""
    return Path(host.root / "ftp_p1" / "p1")


def share(host: Any, share_id: str = "p1", path: str = "goes", **changes: Any) -> dict[str, Any]:
    item: dict[str, Any] = host.share(share_id, path, local=True, method="bind", ssh_user=host.user)
    return {**item, **changes}


def require_manifest(host: Any, share_id: str = "p1") -> Manifest:
    manifest = read_manifest(host.tree, share_id)
    assert manifest is not None
    return manifest


def unmount_all(host: Any) -> None:
    """What a reboot does."""
    for point in list_mounts_below(host.root):
        subprocess.run(["umount", "--lazy", point], check=True)


def test_the_source_is_seen_and_takes_no_room(host: Any, goes: Path, seen: Path) -> None:
    (result,) = host.run(share(host))
    assert (result["state"], result["error"], result["delivered_by"]) == ("delivered", None, "bind")
    assert (result["bytes_total"], result["files_total"], result["percent"]) == (5005, 2, 100)
    assert read_tree(seen) == read_tree(goes)
    assert (seen / "a.nc").stat().st_ino == (goes / "a.nc").stat().st_ino
    (goes / "new").write_text("new")
    assert (seen / "new").read_text() == "new"
    assert host.execute(share(host))["changed"] is False
    assert not host.tree.staging("p1").exists()


def test_nothing_can_be_written_through_it(host: Any, goes: Path, seen: Path) -> None:
    host.run(share(host))
    for path in (seen, host.tree.bind("p1")):
        with pytest.raises(OSError, match="Read-only file system"):
            (path / "a.nc").write_text("x")
        with pytest.raises(OSError, match="Read-only file system"):
            (path / "a.nc").unlink()
        with pytest.raises(OSError, match="Read-only file system"):
            (path / "a.nc").chmod(0o777)
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    flags = [line.split()[5] for line in lines if line.split()[4] in (str(seen), str(host.tree.bind("p1")))]
    assert len(flags) == 2
    assert all({"ro", "nosuid", "nodev", "noexec"} <= set(words.split(",")) for words in flags)


def test_it_is_read_only_before_it_is_seen(host: Any, goes: Path, seen: Path) -> None:
    """What is mounted in the home is the hidden mount, which is read-only already."""
    host.run(share(host))
    calls = [line.split(" -- ")[1] for line in host.log("systemd-mount").splitlines()]
    assert calls == [f"{goes} {host.tree.bind('p1')}", f"{host.tree.bind('p1')} {seen}"]
    unmount_all(host)
    subprocess.run(["mount", "-o", "bind,ro", str(goes), str(host.tree.bind("p1"))], check=True)
    # The first of mount's two steps, without the second: read-only from the first moment.
    subprocess.run(["mount", "--bind", str(host.tree.bind("p1")), str(seen)], check=True)
    (mount,) = [mount for mount in read_mounts() if mount.point == str(seen)]
    assert mount.read_only


def test_without_its_mount_nobody_enters_it(host: Any, goes: Path, seen: Path) -> None:
    host.run(share(host))
    unmount_all(host)
    assert (seen.stat().st_mode & 0o7777, seen.stat().st_uid, list(seen.iterdir())) == (
        0o700,
        os.geteuid(),
        [],
    )


def test_after_a_reboot_the_next_execution_mounts_it_again(host: Any, goes: Path, seen: Path) -> None:
    host.run(share(host))
    ready = require_manifest(host)
    unmount_all(host)
    executed = host.execute(share(host))
    assert (executed["changed"], executed["shares"][0]["state"], executed["shares"][0]["error"]) == (
        True,
        "delivered",
        None,
    )
    assert read_tree(seen) == read_tree(goes)
    assert require_manifest(host) == ready


def test_after_a_reboot_the_sweep_mounts_all_again(host: Any, goes: Path, seen: Path) -> None:
    host.run(share(host), share(host, "p2", "goes/sub"))
    host.run(share(host, "p2", "goes/sub", generation=2, state="blocked"))
    unmount_all(host)
    assert host.execute()["changed"] is True
    assert read_tree(seen) == read_tree(goes)
    assert [path.name for path in (host.root / "ftp_p2").iterdir()] == []
    assert sweep_binds(host.tree) == ((), ())
    assert host.execute()["changed"] is False


def test_the_sweep_tells_what_it_cannot_and_goes_on(host: Any, goes: Path, seen: Path) -> None:
    (host.source / "away").mkdir()
    host.run(share(host, "p0", "away"), share(host))
    unmount_all(host)
    (host.source / "away").rmdir()
    swept = sweep_binds(host.tree)
    assert swept.changed == ("p1",)
    (problem,) = swept.problems
    assert "p0" in problem and str(host.source / "away") in problem
    assert is_bound(host.tree, require_manifest(host)) and not is_bound(
        host.tree, require_manifest(host, "p0")
    )


def test_a_sweep_ends_in_time_and_the_next_one_goes_on(
    host: Any, goes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.run(share(host), share(host, "p2", "goes/sub"))
    unmount_all(host)
    with monkeypatch.context() as patch:
        patch.setattr(_bind, "_SWEEP_LIMIT", 0.0)
        swept = sweep_binds(host.tree)
    assert swept.changed == () and "next sweep" in swept.problems[0]
    assert sweep_binds(host.tree) == (("p1", "p2"), ())


def test_the_sweep_unmounts_what_no_manifest_wants(host: Any, goes: Path, seen: Path) -> None:
    host.run(share(host))
    unmount_all(host)
    host.tree.manifest("p1").unlink()
    subprocess.run(["mount", "--bind", str(goes), str(host.tree.bind("p1"))], check=True)
    assert sweep_binds(host.tree) == (("p1",), ())
    assert list_mounts_below(host.root) == [] and list(host.tree.binds.iterdir()) == []
    assert (goes / "a.nc").exists()


def test_absent_unmounts_and_touches_nothing_of_the_source(host: Any, goes: Path, seen: Path) -> None:
    before = read_tree(goes)
    host.run(share(host))
    (result,) = host.run({"id": "p1", "state": "absent"})
    assert (result["state"], result["error"]) == ("absent", None)
    assert list_mounts_below(host.root) == []
    assert not (host.root / "ftp_p1").exists()
    assert list(host.tree.binds.iterdir()) == [] and list(host.tree.trash.iterdir()) == []
    assert read_tree(goes) == before


def test_absent_does_not_wait_for_who_is_reading(host: Any, goes: Path, seen: Path) -> None:
    host.run(share(host))
    with (seen / "a.nc").open("rb") as stream:
        (result,) = host.run({"id": "p1", "state": "absent"})
        assert (result["state"], result["error"]) == ("absent", None)
        assert stream.read() == (goes / "a.nc").read_bytes()
    assert list_mounts_below(host.root) == []


def test_a_mount_that_stays_stops_the_deletion(host: Any, goes: Path, seen: Path) -> None:
    before = read_tree(goes)
    host.run(share(host))
    for name in ("umount", "systemd-mount"):
        program = host.folder / "bin" / name
        program.write_text("#!/bin/sh\necho 'target is busy' >&2\nexit 32\n")
        program.chmod(0o755)
    (result,) = host.run({"id": "p1", "state": "absent"})
    assert result["state"] == "purging" and "could not be unmounted" in result["error"]["message"]
    assert read_tree(goes) == before == read_tree(seen)
    assert list(host.tree.trash.iterdir()) == []


def test_deletion_never_reaches_through_a_mount_in_the_trash(host: Any, goes: Path, seen: Path) -> None:
    """Even if a share came into the trash with its mount: the purge looks again."""
    before = read_tree(goes)
    trash = host.tree.trash / "p1.1.1"
    host.run(share(host, "other"))
    (trash / "inner").mkdir(parents=True)
    subprocess.run(["mount", "--bind", str(goes), str(trash / "inner")], check=True)
    (result,) = host.run({"id": "p1", "state": "absent", "generation": 2})
    host.run({"id": "p1", "state": "absent", "generation": 2})
    assert read_tree(goes) == before
    assert (trash / "inner" / "a.nc").exists()
    assert result["changed"] is False


def test_blocking_hides_it_and_unblocking_shows_it(host: Any, goes: Path, seen: Path) -> None:
    host.run(share(host, generation=1))
    (result,) = host.run(share(host, generation=2, state="blocked"))
    assert (result["state"], result["error"]) == ("blocked", None)
    assert list_mounts_below(host.root) == [] and not seen.exists()
    assert host.execute(share(host, generation=2, state="blocked"))["changed"] is False
    (result,) = host.run(share(host, generation=3))
    assert (result["state"], result["error"]) == ("delivered", None)
    assert read_tree(seen) == read_tree(goes)


def test_a_blocked_one_that_begins_is_mounted_when_it_is_shown(host: Any, goes: Path, seen: Path) -> None:
    (result,) = host.run(share(host, generation=1, state="blocked"))
    assert (result["state"], list_mounts_below(host.root)) == ("blocked", [])
    host.run(share(host, generation=2))
    assert read_tree(seen) == read_tree(goes)


def test_a_newer_generation_may_be_a_copy_and_again_a_mount(host: Any, goes: Path, seen: Path) -> None:
    host.run(share(host, generation=1))
    (result,) = host.run(share(host, generation=2, method="copy"))
    assert (result["state"], result["error"], result["delivered_by"]) == ("delivered", None, "copy")
    assert list_mounts_below(host.root) == [] and read_tree(seen) == read_tree(goes)
    assert (seen / "a.nc").stat().st_ino != (goes / "a.nc").stat().st_ino
    (result,) = host.run(share(host, generation=3))
    assert (result["state"], result["error"], result["delivered_by"]) == ("delivered", None, "bind")
    assert (seen / "a.nc").stat().st_ino == (goes / "a.nc").stat().st_ino
    host.run({"id": "p1", "state": "absent"})
    assert len(read_tree(goes)) == 3


def test_killed_between_the_rename_and_the_mount_it_goes_on(host: Any, goes: Path, seen: Path) -> None:
    (host.folder / "mount_broken").touch()
    (result,) = host.run(share(host))
    assert result["error"]["class"] == "copy_failed" and "Failed to start" in result["error"]["message"]
    assert seen.exists() and result["state"] != "delivered"
    (host.folder / "mount_broken").unlink()
    (result,) = host.run(share(host))
    assert (result["state"], result["error"]) == ("delivered", None)
    assert read_tree(seen) == read_tree(goes)


def test_killed_between_the_mount_and_the_manifest_it_goes_on(host: Any, goes: Path, seen: Path) -> None:
    (host.folder / "mount_broken").touch()
    host.run(share(host))
    (host.folder / "mount_broken").unlink()
    bind_share(host.tree, require_manifest(host))
    assert require_manifest(host).state == "copying"
    (result,) = host.run(share(host))
    assert (result["state"], result["error"]) == ("delivered", None)


def sweep(host: Any) -> SweepResult:
    return run_sweep(host.tree, ExpireSettings(login=LoginOptions(login_config_file="/nowhere/mysql.cnf")))


def test_the_minute_timer_mounts_it_again(host: Any, goes: Path, seen: Path) -> None:
    host.run(share(host))
    assert sweep(host).changed is False
    unmount_all(host)
    swept = sweep(host)
    assert (swept.changed, read_tree(seen)) == (True, read_tree(goes))


def test_expiry_unmounts_and_touches_nothing_of_the_source(host: Any, goes: Path, seen: Path) -> None:
    before = read_tree(goes)
    host.run(share(host))
    ended = {"ready_at": "2026-01-01T00:00:00Z", "expires": "2026-01-02T00:00:00Z"}
    write_manifest(host.tree, require_manifest(host)._replace(**ended))
    sweep(host)
    assert list_mounts_below(host.root) == [] and not seen.exists()
    assert read_tree(goes) == before
    assert read_manifest(host.tree, "p1") is None


def test_what_is_over_is_not_mounted_again(host: Any, goes: Path, seen: Path) -> None:
    host.run(share(host))
    ended = {"ready_at": "2026-01-01T00:00:00Z", "expires": "2026-01-02T00:00:00Z"}
    write_manifest(host.tree, require_manifest(host)._replace(**ended))
    unmount_all(host)
    assert sweep_binds(host.tree) == ((), ())
    assert list_mounts_below(host.root) == []


def test_a_unit_that_systemd_has_not_let_go_of_is_no_obstacle(host: Any, goes: Path, seen: Path) -> None:
    """Seen with systemd 252 right after an umount by hand: the transient unit is still there, and in the way."""
    host.run(share(host))
    unmount_all(host)
    mount = host.folder / "bin" / "systemd-mount"
    mount.write_text(
        "#!/bin/sh\n"
        'while [ "$1" != -- ]; do shift; done\n'
        f'if [ ! -e "{host.folder}/stopped" ]; then echo "Unit x.mount was already loaded" >&2; exit 1; fi\n'
        'exec mount -o bind,ro "$2" "$3"\n'
    )
    systemctl = host.folder / "bin" / "systemctl"
    systemctl.write_text(f'#!/bin/sh\n[ "$1" = stop ] && echo "$3" >> "{host.folder}/stopped"\nexit 0\n')
    bind_share(host.tree, require_manifest(host))
    assert (host.folder / "stopped").read_text().splitlines() == [str(host.tree.bind("p1"))]
    assert read_tree(seen) == read_tree(goes)


def test_what_an_operator_mounted_in_the_source_stays_mounted(host: Any, goes: Path, seen: Path) -> None:
    """A bind of a shared mount is its peer: unmounting the one would take the other's inner mounts along."""
    subprocess.run(["mount", "--bind", str(host.source), str(host.source)], check=True)
    subprocess.run(["mount", "--make-shared", str(host.source)], check=True)
    host.run(share(host))
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(goes / "sub")], check=True)
    (goes / "sub" / "theirs").write_text("x")
    assert list((seen / "sub").iterdir()) == [seen / "sub" / "b c"]
    host.run({"id": "p1", "state": "absent"})
    assert (goes / "sub" / "theirs").read_text() == "x"


@pytest.mark.parametrize(
    ("what", "error_class", "word"),
    [
        ("file", "invalid", "no folder"),
        ("link", "invalid", "reached by a link"),
        ("missing", "source_not_found", "check the path"),
        ("unsafe link", "invalid", "a mount leaves nothing out"),
        ("pipe", "invalid", "a mount leaves nothing out"),
        ("unreadable", "source_denied", "may not read"),
        ("unreadable folder", "source_denied", "may not read"),
        ("inner mount", "invalid", "a filesystem of its own"),
    ],
)
def test_what_cannot_be_mounted_as_it_is_is_refused(
    host: Any, goes: Path, what: str, error_class: str, word: str
) -> None:
    path = {"file": "goes/a.nc", "link": "way", "missing": "nothing"}.get(what, "goes")
    if what == "link":
        (host.source / "way").symlink_to(goes)
    elif what == "unsafe link":
        (goes / "sub" / "up").symlink_to("../../../etc")
    elif what == "pipe":
        os.mkfifo(goes / "pipe")
    elif what == "unreadable":
        (goes / "sub" / "b c").chmod(0o600)
    elif what == "unreadable folder":
        (goes / "sub").chmod(0o700)
    elif what == "inner mount":
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(goes / "sub")], check=True)
    (result,) = host.run(share(host, path=path))
    assert (result["state"], result["error"]["class"]) == ("failed", error_class), result["error"]
    assert word in result["error"]["message"]
    assert not (host.root / "ftp_p1").exists()
    assert list_mounts_below(host.root) == []


def test_a_source_swapped_for_a_link_is_not_mounted(host: Any, goes: Path, seen: Path) -> None:
    """Between the probe and the mount; what is mounted is compared before anybody sees it."""
    secret = host.source / "secret"
    secret.mkdir()
    host.run(share(host))
    manifest = require_manifest(host)
    unbind_share(host.tree, manifest)
    goes.rename(host.source / "was")
    goes.symlink_to(secret)
    with pytest.raises(TempoftpError, match="no folder"):
        bind_share(host.tree, manifest)
    assert list_mounts_below(host.root) == []


def test_a_copy_is_never_linked_to_a_mount(host: Any, goes: Path) -> None:
    host.run(share(host))
    (result,) = host.run(host.share("p2", "goes", local=True, ssh_user=host.user, reuse=True))
    assert (result["error"], result["delivered_by"] == "links") == (None, False)


def test_the_audit_finds_a_mount_in_order_and_mounts_one_that_is_not(
    host: Any, goes: Path, seen: Path
) -> None:
    host.run(share(host))
    options = AuditOptions(host.tree, None, with_sessions=False)
    assert run_audit(options)["findings"] == []
    unmount_all(host)
    (finding,) = run_audit(options)["findings"]
    assert (finding["kind"], finding["subject"], finding["repair"]) == ("share_out_of_place", "p1", "safe")
    (finding,) = run_audit(options._replace(repair=True))["findings"]
    assert finding["repaired"] is True
    assert read_tree(seen) == read_tree(goes) and run_audit(options)["findings"] == []


def test_mountinfo_says_what_is_read_only() -> None:
    content = (
        b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda rw\n"
        b"23 22 8:1 /x /data/a\\040b ro,nosuid - ext4 /dev/sda rw\n"
    )
    assert parse_mounts(content) == [("/", False), ("/data/a b", True)]
