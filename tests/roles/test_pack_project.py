"""The release that the role service installs: it is complete, and the same files give the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from pack_project import pack

from tests.roles.rendering import PROJECT, ROLES, evaluate


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in (
        "service/tempoftp/a.py",
        "service/tempoftp/__pycache__/a.pyc",
        "service/x.egg-info/PKG",
        "README.md",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_a_release_has_everything_that_an_install_needs(tmp_path: Path) -> None:
    pack(PROJECT, tmp_path / "release.tar")
    with tarfile.open(tmp_path / "release.tar") as tar:
        names = set(tar.getnames())
    assert {
        "pyproject.toml",
        "requirements.lock",
        "requirements-build.lock",
        "README.md",
        "playbooks/expire.yml",
        "docs/man_pages.py",
        "service/tempoftp/settings/core.py",
        "collections/ansible_collections/lanot/tempoftp/playbooks/run_request.yml",
        "collections/ansible_collections/lanot/tempoftp/plugins/modules/tempoftp_share.py",
    } <= names
    assert not [name for name in names if name.endswith(".pyc") or ".egg-info" in name]


def test_the_role_packs_the_checkout_that_its_collection_lies_in() -> None:
    role = ROLES / "service"
    assert evaluate("service", "Debian", "service_project_dir", role_path=str(role)) == str(PROJECT)


def test_a_folder_without_a_checkout_is_refused(project: Path, tmp_path: Path) -> None:
    """A collection from Galaxy has no checkout around it, and half a release must not be installed."""
    argv = [
        sys.executable,
        str(ROLES / "service/files/pack_project.py"),
        str(project),
        str(tmp_path / "1.tar"),
    ]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "pyproject.toml" in ended.stderr
    assert "service_project_dir" in ended.stderr
    assert not (tmp_path / "1.tar").exists()


def test_times_and_modes_do_not_make_another_release(project: Path, tmp_path: Path) -> None:
    first = pack(project, tmp_path / "1.tar")
    os.utime(project / "README.md", (1, 1))
    (project / "README.md").chmod(0o600)
    assert pack(project, tmp_path / "2.tar") == first


def test_other_contents_make_another_release(project: Path, tmp_path: Path) -> None:
    first = pack(project, tmp_path / "1.tar")
    (project / "README.md").write_text("other")
    assert pack(project, tmp_path / "2.tar") != first


def test_files_that_running_leaves_are_not_packed(project: Path, tmp_path: Path) -> None:
    pack(project, tmp_path / "1.tar")
    with tarfile.open(tmp_path / "1.tar") as tar:
        assert tar.getnames() == ["README.md", "service/tempoftp/a.py"]
