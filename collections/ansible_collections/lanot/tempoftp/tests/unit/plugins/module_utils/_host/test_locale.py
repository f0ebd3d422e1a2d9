# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs and units get C.UTF-8, whatever locale the host or the caller has."""

from __future__ import annotations

import os

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.commands import run_command
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.units import Unit, Units

FOREIGN = [
    {"LANG": "es_MX.UTF-8"},
    {"LC_ALL": "eo_XX.ISO-8859-3", "LANGUAGE": "eo"},
    {"LC_CTYPE": "C", "LC_MESSAGES": "fr_CA"},
]


@pytest.fixture(params=FOREIGN, ids="-".join)
def foreign(request, monkeypatch):
    for name, value in request.param.items():
        monkeypatch.setenv(name, value)


def test_a_program_gets_no_locale_of_the_caller(foreign):
    lines = run_command(["env"], 10).stdout.splitlines()
    assert sorted(line for line in lines if line.startswith(("LANG", "LC_"))) == [
        "LANG=C.UTF-8",
        "LC_ALL=C.UTF-8",
    ]


def test_a_program_may_print_every_character(foreign, tmp_path):
    (tmp_path / "año 日本").touch()
    assert run_command(["ls", "-1"], 10, tmp_path).stdout == "año 日本\n"


@pytest.mark.parametrize("name", ["tempoftp-copy-p1", "tempoftp-purge-p1", "tempoftp-ssh-source1"])
def test_a_unit_gets_no_locale_of_the_host(name, foreign, tmp_path, monkeypatch):
    """The manager gives units the LANG of /etc/locale.conf, unless they are told another one."""
    program = tmp_path / "systemd-run"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/argv\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert Units().start({name: Unit(["/bin/true", "LANG=x"])}) == {}
    argv = (tmp_path / "argv").read_text().splitlines()
    options = argv[: argv.index("--")]
    assert [word for word in options if "LANG" in word or "LC_" in word] == [
        "--setenv=LANG=C.UTF-8",
        "--setenv=LC_ALL=C.UTF-8",
    ]
