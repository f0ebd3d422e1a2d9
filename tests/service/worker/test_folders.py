"""Nobody but root and the worker can write or replace what the worker executes, imports or reads as configuration."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tempoftp.settings import Settings, SettingsError
from tempoftp.shares.log import ShareLog, find_log, read_log
from tempoftp.worker.ansible import AnsibleProvisioner, build_environment
from tempoftp.worker.folders import check_places, prepare_worker_folder

API_USER, API_GROUP = 64_001, 64_002


@pytest.fixture
def layout(settings: Settings, tmp_path: Path) -> Settings:
    """The places of a service host, all of them the worker's or root's, but the state folder."""
    settings.state_dir.mkdir(mode=0o750)
    project = tmp_path / "project"
    (project / "collections").mkdir(parents=True)
    (project / "ansible.cfg").touch()
    inventory = tmp_path / "etc" / "inventory.yml"
    inventory.parent.mkdir()
    inventory.touch()
    sources = tmp_path / "etc" / "sources.yml"
    sources.write_text("sources: {}\n")
    made = settings.model_copy(
        update={
            "simulacro": False,
            "ftp_hosts": ("ftp1",),
            "project_dir": project,
            "inventory": inventory,
            "sources_file": sources,
            "worker_dir": tmp_path / "own",
            "log_dir": tmp_path / "log",
        }
    )
    ShareLog(made.log_folder)
    prepare_worker_folder(made)
    return made


def test_a_group_may_write_the_state_folder_and_nothing_that_the_worker_trusts(layout: Settings) -> None:
    layout.state_dir.chmod(0o2770)
    check_places(layout)


def test_what_a_run_uses_is_in_the_folder_of_the_worker(layout: Settings) -> None:
    environment = build_environment(layout)
    provisioner = AnsibleProvisioner(layout)
    provisioner.sweep()
    assert provisioner._folder.parent == layout.worker_folder
    for name in ("ANSIBLE_HOME", "ANSIBLE_SSH_CONTROL_PATH_DIR"):
        assert Path(environment[name]).parent == layout.worker_folder
    for folder in (layout.worker_folder, *layout.worker_folder.iterdir()):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    assert not [name for name, value in environment.items() if str(layout.state_dir) in value]


def test_folders_of_an_earlier_start_are_closed_again(layout: Settings) -> None:
    (layout.worker_folder / "runs").chmod(0o2775)
    prepare_worker_folder(layout)
    assert stat.S_IMODE((layout.worker_folder / "runs").stat().st_mode) == 0o700


def _open_group(path: Path) -> None:
    os.chown(path, -1, API_GROUP)
    path.chmod(path.stat().st_mode | 0o070)


def _open_all(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o002)


def _give_away(path: Path) -> None:
    os.chown(path, API_USER, -1)


@pytest.mark.needs_root
@pytest.mark.parametrize("weaken", [_open_group, _open_all, _give_away])
@pytest.mark.parametrize(
    ("place", "variable"),
    [
        ("own", "TEMPOFTP_WORKER_DIR"),
        ("log", "TEMPOFTP_LOG_DIR"),
        ("project/ansible.cfg", "TEMPOFTP_PROJECT_DIR"),
        ("project/collections", "TEMPOFTP_PROJECT_DIR"),
        ("etc/inventory.yml", "TEMPOFTP_INVENTORY"),
        ("etc/sources.yml", "TEMPOFTP_SOURCES_FILE"),
        ("etc", "TEMPOFTP_SOURCES_FILE"),
    ],
)
def test_a_place_that_the_api_could_write_is_refused(
    place: str, variable: str, weaken: Callable[[Path], None], layout: Settings, tmp_path: Path
) -> None:
    weaken(tmp_path / place)
    with pytest.raises(SettingsError, match=f"{variable}: .*{tmp_path / place}"):
        check_places(layout)


@pytest.mark.needs_root
@pytest.mark.parametrize("weaken", [_open_group, _open_all, _give_away])
def test_the_default_folder_is_refused_in_a_state_folder_of_two_users(
    weaken: Callable[[Path], None], layout: Settings
) -> None:
    """Then the API's user could rename it and put its own in its place."""
    weaken(layout.state_dir)
    with pytest.raises(SettingsError, match=f"TEMPOFTP_WORKER_DIR: .*{layout.state_dir}"):
        check_places(layout.model_copy(update={"worker_dir": None}))


@pytest.mark.needs_root
def test_a_link_leads_to_no_place_that_the_api_could_write(layout: Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "shared" / "inventory.yml"
    elsewhere.parent.mkdir()
    elsewhere.touch()
    assert layout.inventory is not None
    layout.inventory.unlink()
    layout.inventory.symlink_to(elsewhere)
    check_places(layout)
    _open_group(elsewhere.parent)
    with pytest.raises(SettingsError, match="TEMPOFTP_INVENTORY"):
        check_places(layout)


def test_a_folder_in_a_sticky_one_cannot_be_replaced(layout: Settings, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    below = layout.model_copy(update={"worker_dir": shared / "own"})
    prepare_worker_folder(below)
    check_places(below)


@pytest.mark.needs_root
def test_a_checkout_of_an_ordinary_user_is_trusted_as_its_code_is(layout: Settings, tmp_path: Path) -> None:
    """`make demo` runs as root in a folder of the person who types it."""
    for path in (layout.project_dir, tmp_path / "etc"):
        os.chown(path, API_USER, API_GROUP)
        path.chmod(0o775)
    check_places(layout)


def test_the_log_of_a_share_is_no_link_that_somebody_left(layout: Settings, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    find_log(layout.log_folder, "p1").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        ShareLog(layout.log_folder).write_late("p1", "run-1")
    assert not victim.exists()


@pytest.mark.parametrize("share_id", ["../p1", "/etc/cron.d/p1", "p1\n", "", ".", "a/b", "p" * 65])
def test_a_row_whose_id_is_no_name_is_not_logged(share_id: str, layout: Settings) -> None:
    ShareLog(layout.log_folder).write_late(share_id, "run-1")
    assert list(layout.log_folder.iterdir()) == []
    with pytest.raises(ValueError, match="is no id"):
        read_log(layout.log_folder, share_id)


def test_the_api_reads_a_log_whatever_the_umask_of_the_worker_is(layout: Settings) -> None:
    before = os.umask(0o077)
    try:
        ShareLog(layout.log_folder).write_late("p1", "run-1")
    finally:
        os.umask(before)
    assert stat.S_IMODE(find_log(layout.log_folder, "p1").stat().st_mode) == 0o640
    assert "came late" in read_log(layout.log_folder, "p1").text
