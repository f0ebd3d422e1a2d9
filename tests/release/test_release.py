"""`make release`: what is published is whole, and its list of contents says what the service runs with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from tests.support.documents import PROJECT

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "built"
    done = subprocess.run(
        ["make", "--no-print-directory", "release", f"RELEASE={folder}"],
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def contents(release: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((release / "tempoftp.cdx.json").read_text(encoding="utf-8"))
    return found


def read_locked(name: str) -> set[tuple[str, str]]:
    """Return the names and versions of a lock file; a name may be there once for each range of Python versions."""
    text = (PROJECT / name).read_text(encoding="utf-8")
    found = re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)
    return {(canonicalize_name(name), version) for name, version in found}


def test_the_checksums_fit_every_file(release: Path) -> None:
    subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=release, check=True, timeout=60
    )
    listed = {line.split("  ", 1)[1] for line in (release / "SHA256SUMS").read_text().splitlines()}
    assert listed == {path.name for path in release.iterdir()} - {"SHA256SUMS"}
    assert len(listed) == 4


def test_wheel_collection_and_sources_are_there(release: Path) -> None:
    (wheel,) = release.glob("tempoftp-*.whl")
    assert "tempoftp/portal/templates/portal/layout.html" in zipfile.ZipFile(wheel).namelist()
    with tarfile.open(*release.glob("lanot-tempoftp-*.tar.gz")) as tar:
        assert "plugins/modules/tempoftp_share.py" in tar.getnames()
    with tarfile.open(release / "tempoftp-sources.tar.gz") as tar:
        assert {"tempoftp/SECURITY.md", "tempoftp/requirements-build.lock"} <= set(tar.getnames())


def test_the_list_of_contents_names_what_is_installed_and_nothing_else(contents: dict[str, Any]) -> None:
    assert (contents["bomFormat"], contents["metadata"]["component"]["name"]) == ("CycloneDX", "tempoftp")
    found = {(canonicalize_name(part["name"]), part["version"]) for part in contents["components"]}
    assert found <= read_locked("requirements.lock")
    # What the lock has besides is for other systems and other Python versions.
    assert {"flask", "ansible-core", "cryptography", "pymysql", "sqlalchemy"} <= dict(found).keys()
    assert not {"pytest", "molecule", "setuptools", "pip"} & dict(found).keys()


def test_the_list_of_contents_has_licences_and_who_needs_whom(contents: dict[str, Any]) -> None:
    without = [part["name"] for part in contents["components"] if not part.get("licenses")]
    assert without == []
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in contents["dependencies"]}
    assert any(ref.startswith("Flask==") for ref in needs["root-component"])


def test_what_builds_the_project_is_locked_too() -> None:
    build = read_locked("requirements-build.lock")
    assert "setuptools" in dict(build)
    assert build <= read_locked("requirements-dev.lock")


@pytest.mark.parametrize("name", ["docs/install.md", "docs/install.es.md", "deploy/README.md"])
def test_an_install_by_hand_takes_nothing_without_its_hash(name: str) -> None:
    commands = re.findall(r"pip install (.*)", (PROJECT / name).read_text(encoding="utf-8"))
    assert len(commands) == 2
    for command in commands:
        assert "--require-hashes" in command or {"--no-index", "--no-build-isolation"} <= set(command.split())
