# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Properties of a sandbox: only what the host's systemd knows, and paths as systemd reads them."""

from __future__ import annotations

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.sandbox import View, build_sandbox


def build(version=252, **changes):
    options = {
        "writable": ["/data/x"],
        "capabilities": ["CAP_CHOWN"],
        "network": True,
        "view": View(),
        **changes,
    }
    return build_sandbox(version, **options)


def test_a_unit_may_write_only_what_is_named():
    properties = build()
    assert "ProtectSystem=strict" in properties
    assert [text for text in properties if text.startswith("ReadWritePaths=")] == ["ReadWritePaths=-/data/x"]
    assert "CapabilityBoundingSet=CAP_CHOWN" in properties


def test_without_network_no_address_can_be_reached():
    properties = build(network=False)
    assert "PrivateNetwork=yes" in properties
    assert "RestrictAddressFamilies=AF_UNIX" in properties


def test_each_process_has_bounded_memory_also_without_a_memory_controller():
    assert {"LimitAS=2147483648", "MemoryMax=50%"} <= set(build(version=0))


@pytest.mark.parametrize(
    ("version", "name", "known"),
    [
        (239, "PrivateIPC", False),
        (239, "ProtectKernelLogs", False),
        (247, "ProtectProc", True),
        (247, "PrivateIPC", False),
        (252, "PrivateIPC", True),
        (0, "NoNewPrivileges", False),
    ],
)
def test_an_older_systemd_is_not_given_what_it_does_not_know(version, name, known):
    assert any(text.startswith(f"{name}=") for text in build(version)) is known


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/data/año nuevo", '-"/data/año nuevo"'),
        ('/data/a"b', '-"/data/a\\"b"'),
        ("/data/a\\b", '-"/data/a\\\\b"'),
        ("/data/plain-1_2.x", "-/data/plain-1_2.x"),
    ],
)
def test_a_path_stays_one_path(path, written):
    assert f"ReadWritePaths={written}" in build(writable=[path])
