# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``tempoftp_source_info`` through its real ``main`` and the real rsync: sources on a machine in, sizes and errors out."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy import (
    source_run as _source_run,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.lock import (
    hold_lock,
    take_lock,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.space import read_disk
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import prepare_tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.status import (
    Status,
    write_status,
)
from ansible_collections.lanot.tempoftp.plugins.modules import tempoftp_source_info

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(host: Any, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the module on the FTP host in a folder, whose one configured source is ``source1``."""
    config = host.folder / "ssh_config"
    config.write_text("Host source1 silent\n  HostName 192.0.2.1\nHost *\n  BatchMode yes\n")

    def execute(check_mode: bool = False, **options: Any) -> dict[str, Any]:
        given = {"root": str(host.root), "_ansible_check_mode": check_mode, **options}
        if "sources" not in options:
            given.setdefault("ssh_config_file", str(config))
        else:
            given["sources"] = [{"ssh_config_file": str(config), **item} for item in options["sources"]]
        with patch_module_args(given), pytest.raises(SystemExit) as ended:
            tempoftp_source_info.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert bool(result.get("failed")) == (ended.value.code != 0)
        assert result.get("changed") is not True
        return result

    return execute


@pytest.fixture
def goes(host: Any) -> str:
    """A folder at the source, with what is left out of a share too."""
    folder = host.source / "goes"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.nc").write_bytes(bytes(5000))
    (folder / "sub" / "b c").write_bytes(b"bb")
    (folder / "out").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    return f"source1:{folder}"


def read_one(answer: dict[str, Any]) -> dict[str, Any]:
    (found,) = answer["sources"]
    assert isinstance(found, dict)
    return found


def list_tree(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def test_size_and_files_are_those_of_a_share(host: Any, run: Run, goes: str) -> None:
    before = list_tree(host.root)
    found = read_one(run(source=goes))
    assert list_tree(host.root) == before, "nothing is written"
    assert [path.name for path in (host.folder / "run").iterdir()] == ["probe-0"], "nothing is left"
    (share,) = host.run(host.share("p1", "goes"))
    assert (found["bytes"], found["files"]) == (share["bytes_total"], share["files_total"])
    assert sorted(found["skipped"]) == sorted(share["skipped"])
    assert found["skipped_total"] == share["skipped_total"] == 2
    assert (found["fits"], found["shortage"], found["error"]) == (True, None, None)
    assert found["timed_out"] is False
    assert found["need_bytes"] > found["bytes"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_host_says_what_is_free(host: Any, run: Run, check_mode: bool) -> None:
    answer = run(sources=[], reserve_bytes=1000, check_mode=check_mode)
    assert answer["sources"] == []
    told = answer["host"]
    assert told["space_available"] == told["space_free"] - 1000
    assert told["space_held"] == 0


@pytest.mark.parametrize("options", [{}, {"size_probe": "du"}])
def test_every_program_that_talks_to_the_source_runs_in_a_unit_of_its_own(
    host: Any, run: Run, goes: str, options: dict[str, Any]
) -> None:
    assert read_one(run(source=goes, **options))["error"] is None
    units = host.log("measure").splitlines()
    assert len(units) == len(host.log("ssh").splitlines()) > 0
    for line in units:
        assert "--unit=tempoftp-measure-" in line and "ReadWritePaths" not in line
        assert "ProtectSystem=strict" in line and "CapabilityBoundingSet= " in line
        assert "RuntimeMaxSec=" in line and "LimitAS=" in line


@pytest.mark.parametrize("bashrc", ["", "echo hola"])
@pytest.mark.parametrize(("fault", "said"), [("no_namespaces", "226"), ("systemd_broken", "connect to bus")])
def test_no_program_runs_where_its_unit_cannot_start(
    host: Any, run: Run, goes: str, bashrc: str, fault: str, said: str
) -> None:
    """Also not the one that asks what the login shell prints."""
    host.use_login_shell(bashrc)
    (host.folder / fault).touch()
    error = read_one(run(source=goes))["error"]
    assert (error["class"], error["transient"]) == ("run_failed", True)
    assert said in error["message"] and "preflight.yml" in error["message"]
    assert host.log("ssh") == ""


def test_a_restricted_key_is_enough(host: Any, run: Run, goes: str) -> None:
    host.restrict()
    found = read_one(run(source=goes, source_root=str(host.source)))
    assert (found["files"], found["error"]) == (2, None)


def test_one_file_is_measured_as_that_file(run: Run, goes: str) -> None:
    found = read_one(run(source=f"{goes}/a.nc"))
    assert (found["bytes"], found["files"], found["entries"]) == (5000, 1, 1)


def test_du_counts_when_it_says_more(host: Any, run: Run, goes: str) -> None:
    found = read_one(run(source=goes, size_probe="du"))
    said = subprocess.run(
        ["du", "-sb", "--", f"{host.source}/goes"], capture_output=True, text=True, check=True
    )
    assert found["bytes"] == int(said.stdout.split()[0]) > 5002


@pytest.mark.needs_root
def test_a_local_source_is_read_without_ssh_and_as_its_user(host: Any, run: Run, goes: str) -> None:
    found = read_one(run(source=goes, local=True, ssh_user=host.user))
    assert (found["files"], found["error"]) == (2, None)
    assert host.log("ssh") == ""
    closed = host.source / "closed"
    closed.mkdir(mode=0o700)
    answer = run(source=f"source1:{closed}", local=True, ssh_user="nobody")
    assert answer["sources"][0]["error"]["class"] == "source_denied"


def test_a_local_source_in_the_folder_of_the_shares_is_refused(host: Any, run: Run) -> None:
    answer = run(source=f"source1:{host.root}/ftp_x", local=True, ssh_user=host.user)
    assert answer["sources"][0]["error"]["class"] == "invalid"


@pytest.mark.parametrize(
    ("method", "need"), [("bind", (0, 0)), ("reflink", None), ("copy", None), ("auto", None)]
)
def test_what_is_not_copied_takes_no_room(
    host: Any, run: Run, goes: str, method: str, need: tuple[int, int] | None
) -> None:
    for name in ("out", "pipe"):
        (host.source / "goes" / name).unlink()
    found = read_one(run(source=goes, local=True, ssh_user=host.user, method=method))
    if need is not None:
        assert (found["need_bytes"], found["need_inodes"]) == need
    else:
        data = found["need_bytes"] - found["entries"] * read_disk(host.root).block
        assert data == (0 if method == "reflink" else found["bytes"])


def test_a_mount_fits_on_a_full_disk_but_leaves_nothing_out(host: Any, run: Run, goes: str) -> None:
    options = {"local": True, "ssh_user": host.user, "method": "bind"}
    answer = run(source=goes, **options)
    assert answer["sources"][0]["error"]["class"] == "invalid"
    assert "must not be shared" in answer["msg"]
    for name in ("out", "pipe"):
        (host.source / "goes" / name).unlink()
    found = read_one(run(source=goes, reserve_bytes=read_disk(host.root).bytes_total, **options))
    assert (found["files"], found["fits"], found["shortage"]) == (2, True, None)


def test_a_missing_path_is_said(host: Any, run: Run) -> None:
    answer = run(source=f"source1:{host.source}/nothing")
    assert answer["failed"] is True
    assert "does not exist" in answer["msg"]
    found = read_one(answer)
    assert found["error"]["class"] == "source_not_found"
    assert (found["bytes"], found["fits"], found["timed_out"]) == (None, None, False)


def test_an_unreachable_source_is_said(host: Any, run: Run, goes: str) -> None:
    (host.folder / "unreachable").touch()
    error = read_one(run(source=goes))["error"]
    assert (error["class"], error["transient"]) == ("source_unreachable", True)


@pytest.mark.needs_root
def test_a_closed_folder_is_said(host: Any, run: Run, goes: str) -> None:
    host.read_as(65534)
    (host.source / "goes" / "sub").chmod(0o700)
    assert read_one(run(source=goes))["error"]["class"] == "source_denied"


def test_a_host_that_nobody_configured_is_not_reached(host: Any, run: Run, goes: str) -> None:
    for source in (goes.replace("source1", "10.1.2.3"), goes.replace("source1", "other.example")):
        error = read_one(run(source=source))["error"]
        assert error["class"] == "invalid"
        assert "no source host of this FTP host" in error["message"]
    assert host.log("ssh") == ""


@pytest.mark.parametrize(
    "source",
    [
        "-oProxyCommand=touch P:/x",
        "source1 -oProxyCommand=x:/x",
        "source1:/x*",
        "source1:/a/../b",
        "source1:/a\nb",
        "source1:relative",
        "source1::module",
        "localhost:/etc",
        "127.0.0.1:/etc",
        "root@source1:/srv",
        "*:/srv",
        "",
    ],
)
def test_a_hostile_source_starts_nothing(host: Any, run: Run, source: str) -> None:
    found = read_one(run(source=source))
    assert (found["error"]["class"], found["bytes"]) == ("invalid", None)
    assert host.log("ssh") == "" and not Path("P").exists()


def test_a_source_outside_of_its_root_starts_nothing(host: Any, run: Run, goes: str) -> None:
    found = read_one(run(source=goes, source_root="/srv/datos"))
    assert found["error"]["class"] == "invalid"
    assert host.log("ssh") == ""


def test_a_path_is_taken_literally(host: Any, run: Run) -> None:
    name = "$(touch P);`id`'\"{a,b}~&é$HOME${HOME}$$"
    (host.source / name).mkdir()
    (host.source / name / "f").write_text("x")
    found = read_one(run(source=f"source1:{host.source}/{name}"))
    assert (found["files"], found["bytes"], found["error"]) == (1, 1, None)
    assert not Path("P").exists() and not (host.source / "P").exists()


@pytest.mark.needs_ssh
def test_a_host_with_a_known_key_is_configured(host: Any, run: Run, goes: str) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host.folder / "key")], check=True
    )
    key = " ".join((host.folder / "key.pub").read_text().split()[:2])
    known = host.folder / "known_hosts"
    known.write_text(f"other.example {key}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)
    source = goes.replace("source1", "other.example")
    found = read_one(run(source=source, ssh_known_hosts_file=str(known)))
    assert (found["files"], found["error"]) == (2, None)


def test_it_does_not_fit(own_disk: Any, run: Run, goes: str) -> None:
    disk = read_disk(own_disk.root)
    found = read_one(run(source=goes, reserve_bytes=disk.bytes_free))
    assert (found["fits"], found["shortage"]["class"], found["error"]) == (False, "no_space", None)
    found = read_one(run(source=goes, reserve_bytes=disk.bytes_total))
    assert (found["fits"], found["shortage"]["class"]) == (False, "too_large")


def test_what_running_copies_will_take_is_not_free(host: Any, run: Run, goes: str) -> None:
    prepare_tree(host.tree)
    host.tree.staging("p9").mkdir()
    write_status(
        host.tree.status("p9"),
        Status(generation=1, boot_id="b", phase="copying", need_bytes=2**60, need_inodes=1),
    )
    assert read_one(run(source=goes))["fits"] is True, "its copier is dead"
    alive = take_lock(host.tree.alive("p9"), 1.0)
    assert alive is not None
    try:
        answer = run(source=goes)
    finally:
        os.close(alive)
    assert (read_one(answer)["fits"], answer["host"]["space_held"]) == (False, 2**60)
    assert answer["host"]["space_available"] == 0


def test_the_lock_of_the_host_is_not_needed(host: Any, run: Run, goes: str) -> None:
    prepare_tree(host.tree)
    with hold_lock(host.tree.lock):
        begun = time.monotonic()
        assert read_one(run(source=goes))["error"] is None
    assert time.monotonic() - begun < 30


def test_time_is_up_before_anything_was_counted(run: Run, goes: str) -> None:
    begun = time.monotonic()
    found = read_one(run(source=goes.replace("source1", "silent"), time_limit=1))
    assert time.monotonic() - begun < 30
    assert (found["timed_out"], found["bytes"], found["fits"], found["error"]) == (True, None, None, None)


def test_time_is_up_in_the_middle(host: Any, run: Run, goes: str) -> None:
    program = host.folder / "bin" / "rsync"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exit\necho ">f+++++++++ 5000 2026/11/29-16:00:00 a.nc"\n'
        'echo "cd+++++++++ 4096 2026/11/29-16:00:00 sub/"\n'
        'echo ">f+++++++++ 2 2026/11/29-16:00:00 sub/b c"\nexec sleep 60\n'
    )
    program.chmod(0o755)
    found = read_one(run(source=goes, time_limit=3))
    assert (found["timed_out"], found["bytes"], found["files"], found["entries"]) == (True, 5002, 2, 3)
    assert found["fits"] is None, "there may be more"
    found = read_one(run(source=goes, time_limit=3, reserve_bytes=read_disk(host.root).bytes_total))
    assert found["fits"] is False, "so much is certain"


def test_a_real_rsync_is_counted_as_it_goes(host: Any, goes: str) -> None:
    from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.rsync import SURVEY_FORMAT
    from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.source_probe import CountingReader

    reader = CountingReader()
    argv = ["rsync", "-rltpn", "-i", "--safe-links", SURVEY_FORMAT, f"{host.source}/goes/"]
    said = subprocess.run([*argv, f"{host.folder}/none/"], capture_output=True, text=True, check=True)
    for line in said.stdout.splitlines():
        reader.feed(line)
    stopped = reader.stop()
    assert (stopped.complete, stopped.files, stopped.bytes) == (False, 2, 5002)


def test_one_poisoned_source_stops_nobody(run: Run, goes: str) -> None:
    items: list[dict[str, Any]] = [
        {"source": "source1:relative"},
        {"source": goes, "size_probe": "guess"},
        {"source": goes, "nonsense": True},
        {},
        {"source": goes.replace("source1", "silent")},
        {"source": goes},
    ]
    found = run(sources=items, time_limit=3)["sources"]
    assert [(item["error"] or {}).get("class") for item in found] == [*["invalid"] * 4, None, None]
    assert [item["timed_out"] for item in found] == [*[False] * 4, True, False]
    assert found[5]["files"] == 2


def test_only_so_many_are_measured_at_once_on_the_host(host: Any, run: Run, goes: str) -> None:
    run_folder = Path(_source_run._ssh.SOCKET_DIRECTORY)
    with _source_run.hold_slot(run_folder, 1, 0.0) as held:
        assert held
        found = read_one(run(source=goes, max_probes=1, time_limit=1))
        assert (found["timed_out"], found["bytes"]) == (True, None)
        assert host.log("ssh") == ""
        assert read_one(run(source=goes, max_probes=2))["files"] == 2
    assert read_one(run(source=goes, max_probes=1))["files"] == 2


@pytest.mark.parametrize(
    "options", [{"time_limit": 0}, {"max_probes": 0}, {"reserve_bytes": -1}, {"root": "relative"}]
)
def test_options_that_cannot_be(run: Run, goes: str, options: dict[str, Any]) -> None:
    answer = run(source=goes, **options)
    assert answer["failed"] is True
    assert answer["error"]["class"] == "invalid"
