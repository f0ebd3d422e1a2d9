# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``tempoftp_transfers_info`` through its real ``main``, on a host in a folder: options and a log in, JSON out."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any, Callable
from urllib.parse import quote

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.lock import hold_lock
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.root import find_server_file
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import format_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree, prepare_tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    Manifest,
    delete_manifest,
    write_manifest,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share.apply import apply_write_tombstone
from ansible_collections.lanot.tempoftp.plugins.module_utils._transfers import (
    run as _transfers_run,
)
from ansible_collections.lanot.tempoftp.plugins.modules import tempoftp_transfers_info

BORN = 1_795_435_200  # 2026-11-23 12:00:00 UTC


class Host:
    """Delivered shares and a transfer log in a folder."""

    def __init__(
        self, folder: Path, run: Callable[..., dict[str, Any]], record_root: Callable[[Path], Tree]
    ) -> None:
        self.root = folder / "data"
        self.log = folder / "transfer.log"
        self.log.write_bytes(b"#Software: Pure-FTPd 1.0.50\n")
        self.tree = record_root(self.root)
        prepare_tree(self.tree)
        self._run = run

    def deliver(self, share_id: str, files: dict[str, int], born: int = BORN, **changes: Any) -> Path:
        """Put a delivered share with files of these sizes there."""
        folder = self.tree.destination(f"ftp_{share_id}", share_id)
        for name, size in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * size)
        folder.mkdir(parents=True, exist_ok=True)
        self.note(share_id, born, **changes)
        return folder

    def note(self, share_id: str, born: int = BORN, **changes: Any) -> None:
        """Write a share's manifest."""
        values = {"state": "delivered", "created_at": format_time(born), **changes}
        write_manifest(
            self.tree, Manifest(share_id, changes.pop("generation", 1), f"ftp_{share_id}", "s:/x", **values)
        )

    def log_transfer(self, path: str, size: int, at: int = BORN + 60, verb: str = "sent") -> None:
        """Write a line as pure-ftpd does; *path* is below the root."""
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
        name = quote(f"{self.root}/{path}", safe="/_.-")
        with self.log.open("a") as stream:
            stream.write(f"{moment} 192.0.2.7 []{verb} {name} 226 ftp_x {size}\n")

    def rotate(self) -> None:
        """As logrotate does with copytruncate."""
        older = self.log.with_name("transfer.log.1")
        if older.exists():
            self.log.with_name("transfer.log.2.gz").write_bytes(gzip.compress(older.read_bytes()))
        shutil.copy(self.log, older)
        os.truncate(self.log, 0)

    def run(self, **options: Any) -> dict[str, Any]:
        """Run the module."""
        return self._run(**{"root": str(self.root), "log": str(self.log), **options})

    def read(self, share_id: str, **options: Any) -> dict[str, Any]:
        """Run the module, and return one share of its answer."""
        answer = self.run(**options)
        assert answer["log"]["problem"] is None
        (share,) = [share for share in answer["shares"] if share["id"] == share_id]
        found: dict[str, Any] = share
        return found


@pytest.fixture
def host(tmp_path: Path, capsys: pytest.CaptureFixture[str], record_root: Callable[[Path], Tree]) -> Host:
    def run(**options: Any) -> dict[str, Any]:
        with patch_module_args(options), pytest.raises(SystemExit) as ended:
            tempoftp_transfers_info.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert bool(result.get("failed")) == (ended.value.code != 0)
        assert result.get("changed") is not True
        return result

    return Host(tmp_path, run, record_root)


def test_downloads_are_counted_by_file(host: Host) -> None:
    host.deliver("p1", {"a.txt": 5, "dir/ñ b.txt": 7, "never": 9})
    host.log_transfer("ftp_p1/p1/a.txt", 5)
    host.log_transfer("ftp_p1/p1/dir/ñ b.txt", 7, at=BORN + 120)
    host.log_transfer("ftp_p1/p1/dir/ñ b.txt", 7, at=BORN + 90)
    assert host.read("p1") == {
        "id": "p1",
        "generation": 1,
        "complete": 3,
        "partial": 0,
        "files_total": 3,
        "files_complete": 2,
        "never_fetched": ["never"],
        "never_fetched_total": 1,
        "last_download": format_time(BORN + 120),
        "files": [
            {"name": "dir/ñ b.txt", "complete": 2, "partial": 0, "last": format_time(BORN + 120)},
            {"name": "a.txt", "complete": 1, "partial": 0, "last": format_time(BORN + 60)},
        ],
        "files_fetched": 2,
    }


def test_a_share_that_nobody_fetched_has_zeros(host: Host) -> None:
    host.deliver("p1", {"a": 5, "empty": 0})
    found = host.read("p1")
    assert (found["complete"], found["partial"], found["last_download"]) == (0, 0, None)
    # lftp makes an empty file without asking for it.
    assert (found["files_total"], found["files_complete"], found["never_fetched"]) == (2, 1, ["a"])


def test_what_is_resumed_after_a_rotation_is_one_download(host: Host) -> None:
    host.deliver("p1", {"big": 3_000_001})
    host.log_transfer("ftp_p1/p1/big", 1_572_864)
    found = host.read("p1")
    assert (found["complete"], found["partial"], found["never_fetched"]) == (0, 1, [])
    host.rotate()
    host.rotate()
    host.log_transfer("ftp_p1/p1/big", 3_000_001 - 1_500_000, at=BORN + 86_400)
    found = host.read("p1")
    assert (found["complete"], found["partial"], found["files_complete"]) == (1, 0, 1)


def test_counts_survive_the_log(host: Host) -> None:
    host.deliver("p1", {"a": 5})
    host.log_transfer("ftp_p1/p1/a", 5)
    assert host.read("p1")["complete"] == 1
    os.truncate(host.log, 0)
    answer = host.run()
    assert (answer["shares"][0]["complete"], answer["log"]["gap"]) == (1, True)
    host.log_transfer("ftp_p1/p1/a", 5, at=BORN + 600)
    assert host.read("p1")["complete"] == 2


def test_check_mode_keeps_nothing(host: Host) -> None:
    host.deliver("p1", {"a": 5})
    host.log_transfer("ftp_p1/p1/a", 5)
    before = sorted(host.root.rglob("*"))
    for _time in range(2):
        answer = host.run(_ansible_check_mode=True)
        assert (answer["shares"][0]["complete"], answer["log"]["lines"]) == (1, 1)
    assert sorted(host.root.rglob("*")) == before


def test_only_what_is_new_is_read(host: Host) -> None:
    host.deliver("p1", {"a": 5})
    host.log_transfer("ftp_p1/p1/a", 5)
    assert [host.run()["log"]["lines"] for _time in range(2)] == [1, 0]


def test_a_killed_run_counts_nothing_twice(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deliver("p1", {"a": 5})
    host.deliver("p2", {"a": 5})
    host.log_transfer("ftp_p1/p1/a", 5)
    host.log_transfer("ftp_p2/p2/a", 5)
    kept = _transfers_run.write_count
    calls: list[str] = []

    def die_at_the_second(tree: Tree, count: Any) -> None:
        calls.append(count.id)
        if len(calls) == 2:
            raise KeyboardInterrupt
        kept(tree, count)

    desired = _transfers_run.TransfersOptions(str(host.root), str(host.log))
    with monkeypatch.context() as patch:
        patch.setattr(_transfers_run, "write_count", die_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            _transfers_run.run_transfers(desired)
    host.log_transfer("ftp_p1/p1/a", 5)
    shares = {share["id"]: share["complete"] for share in host.run()["shares"]}
    assert shares == {"p1": 2, "p2": 1}


def test_an_earlier_share_of_the_same_name_is_another_one(host: Host) -> None:
    host.deliver("p1", {"a": 5})
    host.log_transfer("ftp_p1/p1/a", 5)
    assert host.read("p1")["complete"] == 1
    host.note("p1", BORN + 3600)
    host.log_transfer("ftp_p1/p1/a", 5, at=BORN + 3599)
    assert host.read("p1")["complete"] == 0
    host.log_transfer("ftp_p1/p1/a", 5, at=BORN + 3600)
    assert host.read("p1")["complete"] == 1


def test_counts_go_with_their_share(host: Host) -> None:
    host.deliver("p1", {"a": 5})
    host.deliver("p2", {"a": 5})
    host.run()
    assert {path.name for path in host.tree.transfers.glob("p*")} == {"p1.json", "p2.json"}
    delete_manifest(host.tree, "p1")
    host.run()
    assert {path.name for path in host.tree.transfers.glob("p*")} == {"p2.json"}
    delete_manifest(host.tree, "p2")
    assert host.run()["shares"] == []
    assert list(host.tree.transfers.glob("p*")) == []


def test_counts_are_gone_when_the_share_is(host: Host) -> None:
    host.deliver("p1", {"a": 5})
    host.run()
    assert host.tree.counted("p1").exists()
    apply_write_tombstone(host.tree, "p1", 2)
    assert not host.tree.counted("p1").exists()


def test_a_share_on_its_way_is_not_told_of(host: Host) -> None:
    host.note("p1", state="copying")
    assert host.run()["shares"] == []
    host.deliver("p1", {"a": 5})
    assert host.read("p1")["complete"] == 0


def test_other_lines_count_for_nobody(host: Host) -> None:
    host.deliver("p1", {"a": 5})
    host.log_transfer("ftp_p1/p1/a", 5, verb="created")
    for path in ("ftp_p1/p1/gone", "ftp_p1/p2/a", "ftp_x/p1/a", "ftp_p1/a", "ftp_p1/p1/../p1/a", "ftp_p1/p1"):
        host.log_transfer(path, 5)
    with host.log.open("a") as stream:
        stream.write("garbage\n")
    answer = host.run()
    assert (answer["shares"][0]["complete"], answer["shares"][0]["partial"]) == (0, 0)
    assert (answer["log"]["lines"], answer["log"]["unknown_lines"]) == (8, 1)


def test_links_in_a_share_lead_nowhere(host: Host, tmp_path: Path) -> None:
    folder = host.deliver("p1", {"a": 5})
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "b").write_bytes(b"12345")
    (folder / "dir").symlink_to(tmp_path / "outside")
    (folder / "c").symlink_to("a")
    host.log_transfer("ftp_p1/p1/dir/b", 5)
    host.log_transfer("ftp_p1/p1/c", 5)
    found = host.read("p1")
    assert (found["complete"], found["files_total"], found["never_fetched"]) == (0, 1, ["a"])


def test_lists_are_cut_and_numbers_are_exact(host: Host) -> None:
    host.deliver("p1", {f"f{number:03}": 5 for number in range(30)})
    for number in range(20):
        host.log_transfer(f"ftp_p1/p1/f{number:03}", 5, at=BORN + number)
    found = host.read("p1", files_limit=3)
    assert [file["name"] for file in found["files"]] == ["f019", "f018", "f017"]
    assert found["never_fetched"] == ["f020", "f021", "f022"]
    assert (found["complete"], found["files_fetched"], found["never_fetched_total"]) == (20, 20, 10)


def test_since_leaves_out_what_has_not_changed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deliver("p1", {"a": 5})
    host.deliver("p2", {"a": 5})
    monkeypatch.setattr(_transfers_run, "format_now", lambda: format_time(BORN + 60))
    assert len(host.run()["shares"]) == 2
    monkeypatch.setattr(_transfers_run, "format_now", lambda: format_time(BORN + 120))
    host.log_transfer("ftp_p1/p1/a", 5)
    answer = host.run(since=format_time(BORN + 120))
    assert [share["id"] for share in answer["shares"]] == ["p1"]
    assert answer["time"] == format_time(BORN + 120)
    assert [share["id"] for share in host.run(since=answer["time"])["shares"]] == ["p1"]
    assert host.run(since=format_time(BORN + 121))["shares"] == []


def test_a_long_log_is_caught_up_with(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deliver("p1", {"a": 5})
    for _time in range(10):
        host.log_transfer("ftp_p1/p1/a", 5)
    monkeypatch.setattr(_transfers_run, "READ_LIMIT", 300)
    answers = [host.run() for _time in range(8)]
    # While it is behind it says nothing of shares: too few would be taken for all.
    assert answers[0]["log"]["behind"] is True and answers[0]["shares"] == []
    assert answers[-1]["log"]["behind"] is False and answers[-1]["shares"][0]["complete"] == 10


@pytest.mark.parametrize("line", ["Mon Nov 23 18:14:15 2026 0 192.0.2.7 5 /data/a b _ o r alice ftp 1 * c"])
def test_a_log_of_another_format_is_a_problem_and_no_zero(host: Host, line: str) -> None:
    host.deliver("p1", {"a": 5})
    host.log.write_text(f"{line}\n")
    answer = host.run()
    assert answer["shares"] == [] and "AltLog" in answer["log"]["problem"]
    host.log_transfer("ftp_p1/p1/a", 5)
    assert host.read("p1")["complete"] == 1


def test_no_log_is_a_problem_and_no_zero(host: Host) -> None:
    host.deliver("p1", {"a": 5})
    host.log.unlink()
    answer = host.run()
    assert answer["shares"] == [] and "AltLog" in answer["log"]["problem"]


def test_a_second_run_at_the_same_time_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deliver("p1", {"a": 5})
    host.run()
    monkeypatch.setattr(_transfers_run, "_LOCK_SECONDS", 0.05)
    with hold_lock(host.tree.transfers / "lock"):
        answer = host.run()
    assert answer["shares"] == [] and "another run" in answer["log"]["problem"]


def test_damaged_state_is_begun_anew(host: Host) -> None:
    host.deliver("p1", {"a": 5})
    host.log_transfer("ftp_p1/p1/a", 5)
    host.run()
    for path in host.tree.transfers.glob("*.json"):
        path.write_text("{")
    assert host.read("p1")["complete"] == 1


def test_the_log_is_the_one_that_the_role_wrote_down() -> None:
    assert str(_transfers_run.choose_log(None)) in _transfers_run.KNOWN_LOGS
    find_server_file().write_text(json.dumps({"transfer_log": "/var/log/elsewhere.log"}))
    assert _transfers_run.choose_log(None) == Path("/var/log/elsewhere.log")
    assert _transfers_run.choose_log("/x") == Path("/x")


@pytest.mark.parametrize(
    "options",
    [{"since": "yesterday"}, {"log": "transfer.log"}, {"files_limit": -1}, {"root": "/"}, {"colour": "red"}],
)
def test_other_options_are_refused(host: Host, options: dict[str, Any]) -> None:
    assert host.run(**options)["failed"] is True


def test_every_result_is_documented(host: Host) -> None:
    documented = yaml.safe_load(tempoftp_transfers_info.RETURN)
    host.deliver("p1", {"a": 5})
    host.log_transfer("ftp_p1/p1/a", 5)
    answer = host.run()
    assert set(documented) == set(answer) - {"changed", "invocation"}
    assert set(documented["log"]["contains"]) == set(answer["log"])
    (share,) = answer["shares"]
    assert set(documented["shares"]["contains"]) == set(share)
    assert set(documented["shares"]["contains"]["files"]["contains"]) == set(share["files"][0])


def test_examples_use_options_that_exist() -> None:
    for task in yaml.safe_load(tempoftp_transfers_info.EXAMPLES):
        used = task["lanot.tempoftp.tempoftp_transfers_info"] or {}
        assert set(used) <= set(tempoftp_transfers_info.build_argument_spec())
