# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sessions end when a share leaves its home, whoever was killed in between: real processes, a scripted pure-ftpwho."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.boot import read_boot_id
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree, prepare_tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    read_manifest,
    write_manifest,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share import (
    apply as _share_apply,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share import (
    evictions as _evictions,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share import (
    run as _share_run,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share.evictions import (
    Evicted,
    Eviction,
    evict,
    list_evictions,
    read_eviction,
    read_uptime,
    write_eviction,
)

NOTE = Eviction("p1", "ftp_a")
DOWNLOAD = "pure-ftpd (DOWNLOAD)"


@pytest.fixture
def tree(tmp_path: Path, record_root: Callable[[Path], Tree]) -> Tree:
    made = record_root(tmp_path / "data")
    prepare_tree(made)
    return made


def leave_note(tree: Tree, note: Eviction = NOTE, **changes: Any) -> Eviction:
    note = note._replace(**changes)
    write_eviction(tree, note)
    return note


def test_every_session_of_the_account_ends_and_then_the_note(
    tree: Tree, start_session: Any, script_who: Any, print_living: Any
) -> None:
    mine, busy, other = start_session(), start_session(DOWNLOAD), start_session()
    script_who(body=print_living(mine, "ftp_a") + print_living(busy, "ftp_a") + print_living(other, "ftp_b"))
    assert evict(tree, leave_note(tree)) == Evicted(2, 0)
    assert (mine.wait(10), busy.wait(10)) == (-signal.SIGTERM, -signal.SIGTERM)
    assert other.poll() is None
    assert read_eviction(tree, "p1") is None


def test_without_sessions_the_note_goes_and_nobody_is_asked(tree: Tree, tmp_path: Path) -> None:
    empty = tmp_path / "proc"
    empty.mkdir()
    (empty / "uptime").write_text("100.0 1.0\n")
    assert evict(tree, leave_note(tree), empty) == Evicted(0, 0)
    assert list_evictions(tree) == ([], [])


def test_a_session_that_began_afterwards_goes_on(
    tree: Tree, start_session: Any, script_who: Any, print_living: Any
) -> None:
    later = start_session()
    script_who(body=print_living(later, "ftp_a"))
    note = leave_note(tree, since=read_uptime() - 3600, boot_id=read_boot_id())
    assert evict(tree, note) == Evicted(0, 0)
    assert later.poll() is None
    assert read_eviction(tree, "p1") is None


@pytest.mark.parametrize(("ago", "ends"), [(0.0, False), (120.0, True)])
def test_a_running_transfer_gets_its_grace_and_no_more(
    tree: Tree,
    start_session: Any,
    script_who: Any,
    print_living: Any,
    monkeypatch: pytest.MonkeyPatch,
    ago: float,
    ends: bool,
) -> None:
    idle, busy = start_session(), start_session(DOWNLOAD)
    script_who(body=print_living(idle, "ftp_a") + print_living(busy, "ftp_a"))
    note = leave_note(tree, grace=60.0, since=read_uptime(), boot_id=read_boot_id())
    if ago:
        real = _evictions.read_uptime
        monkeypatch.setattr(_evictions, "read_uptime", lambda proc=Path("/proc"): real(proc) + ago)
    assert evict(tree, note) == (Evicted(2, 0) if ends else Evicted(1, 1))
    assert idle.wait(10) == -signal.SIGTERM
    assert (busy.poll() is None) == (not ends)
    assert (read_eviction(tree, "p1") is None) == ends


def test_of_somebody_elses_account_only_those_inside_the_share_end(
    tree: Tree, start_session: Any, script_who: Any, print_living: Any
) -> None:
    for folder in (tree.held("p1") / "sub", tree.held("p10"), tree.trash / "p1.1.1", tree.home("ftp_a")):
        folder.mkdir(parents=True)
    held = start_session(cwd=tree.held("p1") / "sub")
    trashed = start_session(cwd=tree.trash / "p1.1.1")
    neighbour, home = start_session(cwd=tree.held("p10")), start_session(cwd=tree.home("ftp_a"))
    everybody = (held, trashed, neighbour, home)
    script_who(body="".join(print_living(process, "ftp_a") for process in everybody))
    assert evict(tree, leave_note(tree, adopted=True)) == Evicted(2, 0)
    assert [process.poll() is None for process in everybody] == [False, False, True, True]


def test_after_a_boot_there_is_nothing_left_to_end(
    tree: Tree, start_session: Any, script_who: Any, print_living: Any
) -> None:
    session = start_session()
    script_who(body=print_living(session, "ftp_a"))
    assert evict(tree, leave_note(tree, boot_id="an-earlier-boot", since=1e9)) == Evicted(0, 0)
    assert session.poll() is None
    assert read_eviction(tree, "p1") is None


def test_a_note_that_somebody_wrote_anew_is_not_removed(
    tree: Tree, start_session: Any, script_who: Any, print_living: Any
) -> None:
    session = start_session()
    script_who(body=print_living(session, "ftp_a"))
    old = leave_note(tree, since=read_uptime(), boot_id=read_boot_id())
    leave_note(tree)
    evict(tree, old)
    assert read_eviction(tree, "p1") == NOTE


def test_what_cannot_be_asked_is_said_and_the_note_stays(
    tree: Tree, start_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_session()
    monkeypatch.setattr(
        "ansible_collections.lanot.tempoftp.plugins.module_utils._host.sessions._SERVICE_PATH", str(tmp_path)
    )
    with pytest.raises(TempoftpError, match="pure-ftpwho is missing"):
        evict(tree, leave_note(tree))
    assert read_eviction(tree, "p1") is not None


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"id": "p1"}', '{"id": "p2", "ftpuser": "x"}', '{"id": "p1", "ftpuser": 3}']
)
def test_a_damaged_note_is_named(tree: Tree, content: str) -> None:
    tree.eviction("p1").write_text(content)
    leave_note(tree, id="p2")
    with pytest.raises(TempoftpError, match="damaged"):
        read_eviction(tree, "p1")
    assert list_evictions(tree) == ([NOTE._replace(id="p2")], ["p1.json"])


# ---- with the shares


@pytest.fixture
def goes(host: Any) -> Path:
    folder: Path = host.source / "goes"
    folder.mkdir()
    (folder / "a.nc").write_bytes(os.urandom(500))
    return folder


@pytest.mark.parametrize("state", ["blocked", "absent"])
@pytest.mark.parametrize("killed", [None, "_leave_home", "write_tombstone"])
def test_a_share_that_leaves_its_home_takes_the_sessions_along(
    host: Any,
    goes: Path,
    start_session: Any,
    print_living: Any,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    killed: Optional[str],
) -> None:
    host.run(host.share("p1", "goes"), host.share("p2", "goes"))
    mine, other = start_session(), start_session()
    who = host.folder / "bin" / "pure-ftpwho"
    shebang = f"#!{sys.executable}\n"
    who.write_text(shebang + print_living(mine, "ftp_p1") + print_living(other, "ftp_p2"))
    desired = host.share("p1", "goes", state=state)
    if killed is not None:
        real = getattr(_share_apply, killed)

        def die(*arguments: Any) -> None:
            real(*arguments)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(_share_apply, killed, die)
            if killed == "write_tombstone" and state == "blocked":
                host.run(desired)
            else:
                with pytest.raises(KeyboardInterrupt):
                    host.run(desired)
                assert mine.poll() is None
    (result,) = host.run(desired)
    assert (result["state"], result["error"]) == (state, None)
    assert mine.wait(10) == -signal.SIGTERM
    assert other.poll() is None
    assert not host.tree.eviction("p1").exists()


def test_a_share_is_not_gone_before_its_sessions_are(
    host: Any, goes: Path, start_session: Any, print_living: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_share_run, "read_grace", lambda: 600.0)
    host.run(host.share("p1", "goes", lifetime_days=1))
    manifest = read_manifest(host.tree, "p1")
    assert manifest is not None
    times = {"ready_at": "2026-01-01T00:00:00Z", "expires": "2026-01-02T00:00:00Z"}
    write_manifest(host.tree, manifest._replace(**times))
    busy = start_session(DOWNLOAD)
    shebang = f"#!{sys.executable}\n"
    (host.folder / "bin" / "pure-ftpwho").write_text(shebang + print_living(busy, "ftp_p1"))
    gone = {"id": "p1", "state": "absent"}
    host.run(gone, wait=False)
    host.wait_for(lambda: list(host.tree.trash.iterdir()) == [])
    (result,) = host.run(gone, wait=False)
    assert (result["state"], result["error"], result["reason"]) == ("purging", None, "expired")
    assert busy.poll() is None and not (host.root / "ftp_p1").exists()
    busy.kill()
    busy.wait(10)
    assert host.run(gone)[0]["state"] == "absent"


def refuse(*_arguments: Any) -> None:
    raise OSError(5, "no")


def test_unblocking_leaves_no_note_behind(host: Any, goes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host.run(host.share("p1", "goes"))
    with monkeypatch.context() as patch:
        patch.setattr(_share_apply, "_leave_home", refuse)
        (result,) = host.run(host.share("p1", "goes", state="blocked"))
        assert (result["error"]["class"], result["state"]) == ("run_failed", "delivered")
    assert host.run(host.share("p1", "goes", state="blocked"))[0]["state"] == "blocked"
    assert host.run(host.share("p1", "goes"))[0]["state"] == "delivered"
    assert not host.tree.eviction("p1").exists()
