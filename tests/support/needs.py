"""The programs that tests need on this machine, and what happens to a test when one is missing.

A test has a mark for what it needs (`needs_mariadb`); some marks and fixtures imply others. When something is missing,
the test is skipped, and the reason names the missing program and its Debian package. In CI (the environment has CI) a
test that would be skipped fails with the same reason. The project's conftest.py loads this module as a plugin.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
# `make processes` unpacks it here, because the installed package would start a server on this machine.
PURE_FTPD = PROJECT / "var" / "pure-ftpd"
OLDER_RSYNC = PROJECT / "var" / "older-rsync"
SEARCH_PATH = os.pathsep.join(
    (
        os.environ.get("PATH", os.defpath),
        "/usr/sbin",
        "/sbin",
        f"{PURE_FTPD}/usr/sbin",
        f"{PURE_FTPD}/usr/bin",
        f"{OLDER_RSYNC}/bin",
    )
)

# The programs of each mark, and the Debian package of each program.
PROGRAMS: dict[str, dict[str, str]] = {
    "needs_btrfs": {"mkfs.btrfs": "btrfs-progs"},
    "needs_chromium": {"chromium": "chromium"},
    "needs_ext4": {"mkfs.ext4": "e2fsprogs"},
    "needs_lab": {
        "mmdebstrap": "mmdebstrap",
        "systemd-nspawn": "systemd-container",
        "iptables": "iptables",
        "ip": "iproute2",
        "ssh": "openssh-client",
        "lftp": "lftp",
        "curl": "curl",
        "wget": "wget",
        "openssl": "openssl",
    },
    "needs_man": {"man": "man-db", "groff": "groff-base"},
    "needs_mariadb": {
        "mariadbd": "mariadb-server-core",
        "mariadb-install-db": "mariadb-server-core",
        "my_print_defaults": "mariadb-client-core",
    },
    "needs_nft": {"nft": "nftables", "ip": "iproute2"},
    "needs_older_rsync": {"rsync-3.2.3": "rsync"},
    "needs_procps": {"pkill": "procps", "pgrep": "procps"},
    "needs_pureftpd": {
        "pure-ftpd-mysql": "pure-ftpd-mysql",
        "pure-ftpwho": "pure-ftpd-mysql",
        "pure-pw": "pure-ftpd-common",
    },
    # In Debian one program is all of Redis; under the name redis-server it is the server.
    "needs_redis": {"redis-check-rdb": "redis-tools"},
    "needs_rsync": {"rsync": "rsync", "rrsync": "rsync"},
    "needs_ssh": {"ssh": "openssh-client", "ssh-keygen": "openssh-client"},
    "needs_systemd": {"systemd-analyze": "systemd"},
}
IMPLIED = {
    "browser": ("needs_chromium",),
    "faults": ("needs_root", "needs_lab"),
    "lab": ("needs_root", "needs_lab"),
    "needs_mounts": ("needs_root",),
    "needs_nft": ("needs_mounts",),
}
# Tests that use these fixtures need what the fixtures start.
FIXTURES = {
    "mariadb": ("needs_mariadb",),
    "private_mounts": ("needs_mounts",),
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test the marks that its fixtures and marks imply, so that `-m` selects it by them."""
    for item in items:
        for fixture in FIXTURES.keys() & set(getattr(item, "fixturenames", ())):
            add_marks(item, FIXTURES[fixture])
    for item in items:
        for mark in [mark.name for mark in item.iter_markers()]:
            add_marks(item, IMPLIED.get(mark, ()))


def add_marks(item: pytest.Item, names: tuple[str, ...]) -> None:
    """Add marks to a test, and the marks that these imply."""
    for name in names:
        if item.get_closest_marker(name) is None:
            item.add_marker(name)
            add_marks(item, IMPLIED.get(name, ()))


def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = [
        text for mark in sorted({mark.name for mark in item.iter_markers()}) for text in find_missing(mark)
    ]
    if missing:
        pytest.skip("; ".join(missing))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test that is skipped in CI fail, because CI has to have everything that tests need."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and is_ci():
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: {reason} (CI skips no test)"
    return report


def is_ci() -> bool:
    """Return whether this runs in CI: the environment has CI."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def find_missing(mark: str) -> list[str]:
    """Return in words what this machine lacks of what a mark needs."""
    if mark == "needs_root" and os.geteuid() != 0:
        return ["this test needs root: run it as root"]
    if mark == "needs_mounts" and not can_mount():
        return ["this test mounts: run it as root where `unshare --mount` is allowed"]
    return [
        f"the program {program} is missing: install the Debian package {package}"
        for program, package in PROGRAMS.get(mark, {}).items()
        if shutil.which(program, path=SEARCH_PATH) is None
    ]


@cache
def can_mount() -> bool:
    """Return whether this process may make a mount namespace."""
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, timeout=20).returncode == 0


def find_program(name: str, mark: str) -> str:
    """Return the path of a program that a mark needs; skip the test when something for that mark is missing."""
    missing = find_missing(mark)
    if missing:
        pytest.skip("; ".join(missing))
    found = shutil.which(name, path=SEARCH_PATH)
    assert found is not None, f"{name} is no program of {mark}"
    return found
