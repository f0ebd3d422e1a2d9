# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What preflight says of a source host: real users and folders of this machine, and what a real sshd -T printed."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.source_checks import (
    PathFacts,
    Reader,
    check_keys_file,
    check_reader,
    check_rrsync,
    check_source_root,
    check_sshd,
    parse_sshd,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.source_host import (
    SourceHostOptions,
    look_at_programs,
    look_at_root,
    look_at_sshd,
    read_reader_facts,
    run_source_host,
)

ADDRESS = "10.1.1.1"
HOME = "/home/lanotadm"
READER = Reader("lanotadm", HOME, "/bin/bash", ("lanotadm", "datos"))
# Of OpenSSH 9.2 as Debian configures it.
SSHD = """usepam yes
pubkeyauthentication yes
strictmodes yes
forcecommand none
authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2
authenticationmethods any
"""
PATHS = [PathFacts(HOME, 1001, 0o755), PathFacts(f"{HOME}/.ssh", 1001, 0o700)]


def judge_sshd(*lines, reader=READER, address=ADDRESS):
    return check_sshd(reader, parse_sshd(SSHD + "\n".join(lines)), address)


def test_an_sshd_as_it_is_installed_lets_the_user_in():
    check = judge_sshd()
    assert (check.status, check.todo) == ("ok", "")
    assert ADDRESS in check.what


@pytest.mark.parametrize(
    "lines",
    [
        ["allowusers ana", "allowusers lanot*@10.0.0.0/8"],
        ["allowusers lanotadm@10.1.1.?"],
        ["allowusers lanotadm", "denyusers bob"],
        ["allowgroups ssh", "allowgroups datos"],
        ["denygroups guests"],
    ],
    ids=" ".join,
)
def test_lists_that_name_the_user_let_it_in(lines):
    assert judge_sshd(*lines).status == "ok"


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (["allowusers ana"], "AllowUsers ana"),
        (["allowusers lanotadm@192.0.2.0/24"], "AllowUsers"),
        (["allowusers lanotadm@10.1.1.2"], "AllowUsers"),
        (["denyusers lanot*"], "DenyUsers"),
        (["allowgroups ssh"], "AllowGroups"),
        (["denygroups datos"], "DenyGroups"),
    ],
    ids=str,
)
def test_a_list_that_keeps_the_user_out_is_a_failure_that_names_it(lines, named):
    check = judge_sshd(*lines)
    assert check.status == "fail"
    assert named in check.what
    assert "Match User lanotadm" in check.todo


@pytest.mark.parametrize(
    ("was", "now", "named"),
    [
        ("pubkeyauthentication yes", "pubkeyauthentication no", "PubkeyAuthentication no"),
        ("forcecommand none", "forcecommand /bin/x", "ForceCommand /bin/x"),
        ("authenticationmethods any", "authenticationmethods publickey,password", "AuthenticationMethods"),
    ],
)
def test_an_option_that_makes_keys_useless_is_a_failure(was, now, named):
    check = check_sshd(READER, parse_sshd(SSHD.replace(was, now)), ADDRESS)
    assert check.status == "fail"
    assert named in check.what


def test_a_locked_password_only_matters_without_pam():
    locked = READER._replace(locked=True)
    assert judge_sshd(reader=locked).status == "ok"
    without = check_sshd(locked, parse_sshd(SSHD.replace("usepam yes", "usepam no")), ADDRESS)
    assert (without.status, "is locked" in without.what) == ("fail", True)


@pytest.mark.parametrize(
    "file", ["%h/.ssh/authorized_keys", "/home/%u/.ssh/authorized_keys", ".ssh/authorized_keys"]
)
def test_the_file_of_the_role_is_recognised_in_every_spelling(file):
    check = check_keys_file(READER, {"authorizedkeysfile": ("/etc/ssh/keys/%u", file)}, PATHS, 1001)
    assert check.status == "ok"


def test_keys_that_sshd_reads_elsewhere_are_a_failure():
    check = check_keys_file(READER, {"authorizedkeysfile": ("/etc/ssh/keys/%u",)}, PATHS, 1001)
    assert check.status == "fail"
    assert "/etc/ssh/keys/%u" in check.what


@pytest.mark.parametrize("facts", [PathFacts(HOME, 1001, 0o775), PathFacts(HOME, 1002, 0o755)], ids=str)
def test_a_home_that_others_may_change_is_a_failure_where_sshd_is_strict(facts):
    assert check_keys_file(READER, {"strictmodes": ("yes",)}, [facts], 1001).status == "fail"
    assert check_keys_file(READER, {"strictmodes": ("no",)}, [facts], 1001).status == "ok"


def test_a_home_that_is_not_there_is_a_failure():
    assert check_keys_file(READER, {}, [], 1001).status == "fail"


def test_what_site_yml_makes_is_a_warning():
    checks = [
        check_reader("lanotadm", None, 0.0),
        check_rrsync("/usr/bin/rrsync", False, has_rsync=False),
        check_source_root("datos", "/srv/datos", READER, kind=None, error=None, created=True),
        check_source_root("datos", "/srv/datos", None, kind="directory", error=None, created=False),
    ]
    assert [(check.status, "playbooks/site.yml" in check.todo) for check in checks] == [("warn", True)] * 4


def test_what_site_yml_does_not_mend_is_a_failure():
    day = 86400
    checks = [
        check_reader("lanotadm", READER._replace(shell="/usr/sbin/nologin"), 0.0),
        check_reader("lanotadm", READER._replace(expires=10), 11.0 * day),
        check_source_root("datos", "/srv/datos", READER, kind=None, error=None, created=False),
        check_source_root("datos", "/srv/datos", READER, kind="other", error=None, created=True),
        check_source_root("datos", "/srv/datos", READER, kind="directory", error="denied", created=False),
    ]
    assert [check.status for check in checks] == ["fail"] * 5
    assert all(check.todo for check in checks)


def test_an_account_that_has_not_expired_is_fine():
    assert check_reader("lanotadm", READER._replace(expires=20), 11.0 * 86400).status == "ok"


def test_a_user_of_this_machine_is_read_with_its_groups():
    name = getpass.getuser()
    reader = read_reader_facts(name)
    assert (reader.name, reader.home) == (name, str(Path(f"~{name}").expanduser()))
    assert reader.groups
    assert read_reader_facts("nobody-of-this-name") is None


def test_a_root_is_listed_as_its_user(tmp_path: Path):
    reader = read_reader_facts(getpass.getuser())
    root = {"name": "datos", "path": str(tmp_path)}
    assert look_at_root(root, reader, False).status == "ok"
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert look_at_root({**root, "path": str(link)}, reader, False).what == f"{link} is no folder"
    assert look_at_root({**root, "path": str(tmp_path / "none")}, reader, False).status == "fail"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can read as another user")
def test_a_root_that_its_user_cannot_list_is_a_failure(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    check = look_at_root({"name": "datos", "path": str(closed)}, read_reader_facts("nobody"), False)
    assert check.status == "fail"
    assert "nobody cannot list" in check.what
    assert os.geteuid() == 0, "the process is root again"


def test_rrsync_is_only_needed_for_a_restricted_root(tmp_path: Path):
    missing = str(tmp_path / "rrsync")
    names = [
        {check.name: check.status for check in look_at_programs({"roots": [root]}, missing)}
        for root in ({"restricted": False}, {})
    ]
    assert "rrsync" not in names[0]
    assert names[1]["rrsync"] == "warn"


def write_sshd(folder: Path, text: str) -> str:
    program = folder / "sshd"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return str(program)


def test_sshd_is_asked_for_the_user_and_each_address(tmp_path: Path):
    asked = tmp_path / "asked"
    sshd = write_sshd(tmp_path, f'echo "$*" >> {asked}\ncat <<END\n{SSHD}END')
    checks = look_at_sshd("lanotadm", read_reader_facts(getpass.getuser()), ["10.1.1.1", "10.1.1.2"], sshd)
    assert [check.name for check in checks] == ["sshd", "authorized_keys", "sshd"]
    user = "user=lanotadm,host"
    assert asked.read_text().splitlines() == [
        f"-T -C {user}=10.1.1.1,addr=10.1.1.1",
        f"-T -C {user}=10.1.1.2,addr=10.1.1.2",
    ]


def test_an_sshd_that_does_not_answer_is_a_warning_that_says_so(tmp_path: Path):
    sshd = write_sshd(tmp_path, "echo 'Missing privilege separation directory: /run/sshd' >&2; exit 255")
    (check,) = look_at_sshd("lanotadm", READER, [ADDRESS], sshd)
    assert check.status == "warn"
    assert "Missing privilege separation directory" in check.what
    (check,) = look_at_sshd("lanotadm", READER, [], str(tmp_path / "none"))
    assert check.status == "fail"


def test_a_host_that_no_source_names_is_a_failure():
    (check,) = run_source_host(SourceHostOptions("source9", [{"name": "source1"}]))
    assert (check.name, check.status) == ("source_entry", "fail")
    assert "source1" in check.what


def test_every_part_of_a_source_host_is_looked_at(tmp_path: Path):
    roots = [{"name": "datos", "path": str(tmp_path)}]
    source = {"name": "source1", "ssh_user": getpass.getuser(), "roots": roots}
    names = {check.name for check in run_source_host(SourceHostOptions("source1", [source]))}
    assert {"distribution", "rsync", "rrsync", "ssh_user", "root:datos", "sshd"} <= names
    local = run_source_host(SourceHostOptions("source1", [{**source, "local": True}]))
    assert "sshd" not in {check.name for check in local}
