# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each kind of unit may change and see on the host."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.sandboxes import (
    sandbox_connection,
    sandbox_copy,
    sandbox_measure,
    sandbox_purge,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.ssh import read_access
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import Manifest

TREE = Tree(Path("/data"))
KEY = "/etc/tempoftp/ssh/source1-ftp1"
REMOTE = Manifest("a1", 1, "ana", "source1:/srv/goes16", ssh_key_file=KEY)
LOCAL = Manifest("a1", 1, "ana", "aqui:/srv/goes16", local=True, ssh_user="root")
REUSING = REMOTE._replace(reuse=True)


@pytest.fixture(autouse=True)
def usual_settings_folder(monkeypatch):
    """The folder of a host, and not the one that the tests use."""
    monkeypatch.delenv("TEMPOFTP_CONFIGURATION_DIRECTORY", raising=False)


def sandbox(manifest):
    return sandbox_copy(252, TREE, manifest, read_access(manifest))


def values(properties, name):
    return [text.partition("=")[2] for text in properties if text.startswith(f"{name}=")]


@pytest.mark.parametrize("manifest", [REMOTE, LOCAL])
def test_a_copy_may_change_its_own_staging_only(manifest):
    properties = sandbox(manifest)
    assert values(properties, "ReadWritePaths") == ["-/run/tempoftp"]
    assert values(properties, "BindPaths") == ["-/data/.tempoftp/staging/a1", "-/data/.tempoftp/lock"]


@pytest.mark.parametrize("manifest", [REMOTE, LOCAL])
def test_a_copy_does_not_see_what_was_delivered_to_others(manifest):
    properties = sandbox(manifest)
    assert "/data:ro" in values(properties, "TemporaryFileSystem")
    hidden = {f"-/data/.tempoftp/{name}" for name in ("held", "binds", "trash")}
    assert hidden <= set(values(properties, "InaccessiblePaths"))


def test_a_copy_that_links_may_change_homes_but_nothing_that_the_host_believes_or_runs():
    properties = sandbox(REUSING)
    assert "-/data" in values(properties, "ReadWritePaths")
    protected = set(values(properties, "ReadOnlyPaths"))
    assert {f"-/data/.tempoftp/{name}" for name in ("lib", "shares", "accounts", "tombstones")} <= protected


def test_a_copy_sees_the_key_of_its_source_and_no_other():
    properties = sandbox(REMOTE)
    assert "/etc/tempoftp:ro" in values(properties, "TemporaryFileSystem")
    assert f"-{KEY}" in values(properties, "BindReadOnlyPaths")


def test_without_a_key_of_its_own_a_copy_sees_no_login_of_the_database():
    assert "-/etc/tempoftp/mysql.cnf" in values(
        sandbox(REMOTE._replace(ssh_key_file=None)), "InaccessiblePaths"
    )


def test_a_local_copy_reaches_no_network():
    assert values(sandbox(LOCAL), "PrivateNetwork") == ["yes"]
    assert values(sandbox(REMOTE), "PrivateNetwork") == []


def test_a_local_source_below_tmp_can_be_read():
    assert values(sandbox(LOCAL), "PrivateTmp") == []
    assert values(sandbox(REMOTE), "PrivateTmp") == ["yes"]


def test_the_connection_may_change_its_socket_only_and_has_no_capability():
    properties = sandbox_connection(252, TREE, read_access(REMOTE))
    assert values(properties, "ReadWritePaths") == ["-/run/tempoftp"]
    assert values(properties, "CapabilityBoundingSet") == [""]


@pytest.mark.parametrize(
    ("manifest", "capabilities"), [(REMOTE, ""), (LOCAL, "CAP_SETUID CAP_SETGID")], ids=["ssh", "local"]
)
def test_a_measurement_may_change_nothing_and_sees_no_delivery(manifest, capabilities):
    properties = sandbox_measure(252, TREE, read_access(manifest))
    assert values(properties, "ReadWritePaths") == values(properties, "BindPaths") == []
    assert "/data:ro" in values(properties, "TemporaryFileSystem")
    assert values(properties, "CapabilityBoundingSet") == [capabilities]


def test_a_measurement_sees_the_key_of_its_source_and_no_other():
    properties = sandbox_measure(252, TREE, read_access(REMOTE))
    assert "/etc/tempoftp:ro" in values(properties, "TemporaryFileSystem")
    assert f"-{KEY}" in values(properties, "BindReadOnlyPaths")


def test_a_measurement_of_a_local_source_reaches_no_network():
    assert values(sandbox_measure(252, TREE, read_access(LOCAL)), "PrivateNetwork") == ["yes"]
    assert values(sandbox_measure(252, TREE, read_access(REMOTE)), "PrivateNetwork") == []


def test_a_removal_may_change_the_trash_only_and_reaches_no_network():
    properties = sandbox_purge(252, TREE)
    assert values(properties, "ReadWritePaths") == ["-/data/.tempoftp/trash"]
    assert values(properties, "PrivateNetwork") == ["yes"]
    # Whether the disk is there, and for how many hours the trash is kept.
    needed = {"-/etc/tempoftp/server.json", "-/etc/tempoftp/expire.json"}
    assert needed <= set(values(properties, "BindReadOnlyPaths"))


def test_a_delivery_root_below_a_hidden_folder_stays_visible():
    tree = Tree(Path("/home/ftp"))
    properties = sandbox_purge(252, tree)
    assert "/home:ro" not in values(properties, "TemporaryFileSystem")
    assert "/root:ro" in values(properties, "TemporaryFileSystem")
