# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judgements of preflight: what is ok, what is a warning, what cannot work."""

from __future__ import annotations

import os

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.users_table import (
    TableFacts,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.pureftpd_config import (
    PureftpdConfig,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.space import Disk, Need
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight import (
    checks as preflight,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.database import is_above
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.look import (
    find_filesystem,
    find_maker,
    is_generated,
    is_rotated,
    look_at_locale,
    look_at_timer,
    parse_os_release,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.sources import (
    look_at_local_source,
    look_at_source,
)
from hypothesis import given
from hypothesis import strategies as st

COLUMNS = {
    "name": "User",
    "password": "Password",
    "uid": "Uid",
    "gid": "Gid",
    "home": "Dir",
    "status": "Status",
}
SEED = TableFacts("10.11", "users", COLUMNS, 64, 64, 255)
OURS = SEED._replace(columns={**COLUMNS, "expires": "Expires"}, password_width=255)
QUERY = r"SELECT Password FROM users WHERE BINARY User='\L' AND Status='1'"
GOOD = {
    "tls": "3",
    "maxclientsnumber": "50",
    "passiveportrange": "30000 30199",
    "limitrecursion": "200000 16",
    "chrooteveryone": "yes",
    "minuid": "1000",
    "altlog": "w3c:/var/log/pure-ftpd/transfer.log",
}


def statuses(checks):
    return {check.name: check.status for check in checks}


def build_config(query=QUERY, database="pureftpd", **options):
    mysql = {"mysqlgetpw": query, "mysqldatabase": database}
    return PureftpdConfig(True, {**GOOD, **options}, mysql, "/etc/pure-ftpd/db/mysql.conf")


def check_query(query, facts=SEED, collation="utf8mb4_general_ci", database="pureftpd"):
    return statuses(preflight.check_login_query(build_config(query), database, facts, collation))


def test_the_query_of_the_role_passes():
    query = f"{QUERY} AND (`Expires` IS NULL OR `Expires` > UTC_TIMESTAMP())"
    assert set(check_query(query, OURS).values()) == {"ok"}


def test_without_expires_the_end_depends_on_the_timer():
    for facts in (SEED, OURS):
        (check,) = [
            check
            for check in preflight.check_login_query(build_config(), "pureftpd", facts, None)
            if check.name == "login_query_expires"
        ]
        assert check.status == "warn"
        assert "tempoftp-expire.timer" in check.todo


@pytest.mark.parametrize(
    ("query", "name"),
    [
        (r"SELECT Password FROM users WHERE User='\L' AND Status='1'", "login_query_exact"),
        (r"SELECT Password FROM users WHERE BINARY User='\L'", "login_query_status"),
    ],
)
def test_what_a_query_does_not_ask_is_a_warning(query, name):
    assert check_query(query)[name] == "warn"


def test_a_binary_collation_compares_exactly():
    assert (
        check_query(r"SELECT Password FROM users WHERE User='\L'", collation="utf8mb4_bin")[
            "login_query_exact"
        ]
        == "ok"
    )


@pytest.mark.parametrize(
    ("query", "database"),
    [("", "pureftpd"), (r"SELECT Password FROM ftpd WHERE User='\L'", "pureftpd"), (QUERY, "other")],
)
def test_a_query_of_another_table_fails(query, database):
    assert check_query(query, database=database) == {"login_query": "fail"}


def test_the_options_of_the_role_pass():
    checks = preflight.check_pureftpd(build_config(), 2001, rotated=True)
    assert set(statuses(checks).values()) == {"ok"}
    assert not any(check.todo for check in checks)


@pytest.mark.parametrize(
    ("options", "name", "status"),
    [
        ({"tls": "0"}, "tls", "warn"),
        ({"tls": "1"}, "tls", "warn"),
        ({"tls": "x"}, "tls", "warn"),
        ({"passiveportrange": ""}, "passive_range", "warn"),
        ({"passiveportrange": "30000 30049"}, "passive_range", "warn"),
        ({"limitrecursion": "10000 8"}, "limit_recursion", "warn"),
        ({"chrooteveryone": "no"}, "chroot", "fail"),
        ({"minuid": "3000"}, "min_uid", "fail"),
        ({"altlog": "stats:/x"}, "download_log", "warn"),
        ({"altlog": "xferlog:/x"}, "download_log", "warn"),
        ({"altlog": ""}, "download_log", "warn"),
    ],
)
def test_options_that_do_not_fit_are_reported(options, name, status):
    (check,) = [
        check
        for check in preflight.check_pureftpd(build_config(**options), 2001, rotated=True)
        if check.name == name
    ]
    assert check.status == status
    assert check.todo


@pytest.mark.parametrize("style", ["w3c", "clf"])
def test_a_log_in_a_format_that_can_be_counted_passes(style):
    found = statuses(preflight.check_pureftpd(build_config(altlog=f"{style}:/x"), 2001, rotated=True))
    assert found["download_log"] == "ok"


def test_a_log_that_is_not_rotated_is_a_warning():
    assert statuses(preflight.check_pureftpd(build_config(), 2001, rotated=False))["log_rotation"] == "warn"


@pytest.mark.parametrize(
    ("crypt", "width", "expected"),
    [
        ("any", 255, {"password_width": "ok", "mysql_crypt": "ok"}),
        ("crypt", 64, {"password_width": "ok", "mysql_crypt": "ok"}),
        ("md5", 64, {"password_width": "ok", "mysql_crypt": "fail"}),
        (None, 64, {"password_width": "ok", "mysql_crypt": "fail"}),
        ("argon2", 64, {"password_width": "ok", "mysql_crypt": "fail"}),
        ("any", 32, {"password_width": "fail", "mysql_crypt": "fail"}),
    ],
)
def test_passwords(crypt, width, expected):
    assert statuses(preflight.check_passwords(crypt, width, "/etc/x")) == expected


def test_a_server_without_libsodium_gets_bcrypt_and_it_is_said():
    (_width, found) = preflight.check_passwords("any", 255, "/etc/x", argon2=False)
    assert (found.status, found.what) == (
        "ok",
        "MYSQLCrypt any: bcrypt, since this pure-ftpd was built without libsodium",
    )
    (_width, found) = preflight.check_passwords("argon2", 255, "/etc/x", argon2=False)
    assert found.status == "fail"
    assert "libsodium" in found.todo


def test_a_column_without_default_needs_an_extra_value():
    assert statuses(preflight.check_table(SEED, ["comment"]))["table_columns"] == "fail"
    assert "table_columns" not in statuses(
        preflight.check_table(SEED._replace(extra_columns={"comment": ""}), ["comment"])
    )
    assert statuses(preflight.check_table(SEED._replace(name_width=16), []))["name_width"] == "warn"


@pytest.mark.parametrize(
    ("holder", "own", "status"),
    [
        (None, None, "ok"),
        ("pureftpd", 2001, "ok"),
        ("juan", None, "fail"),
        (None, 1007, "fail"),
        ("juan", 1007, "fail"),
    ],
)
def test_identities(holder, own, status):
    check = preflight.check_identity("uid", 2001, "pureftpd", holder, own)
    assert (check.status, bool(check.todo)) == (status, status != "ok")


@pytest.mark.parametrize(
    ("kind", "uid", "mode", "status"),
    [
        (None, 0, 0, "ok"),
        ("directory", 0, 0o755, "ok"),
        ("directory", 0, 0o775, "fail"),
        ("directory", 2001, 0o755, "fail"),
        ("symlink", 0, 0o777, "fail"),
        ("other", 0, 0o644, "fail"),
    ],
)
def test_root(kind, uid, mode, status):
    assert preflight.check_root("/data", kind, uid, mode).status == status


@pytest.mark.parametrize(
    ("kind", "options", "status"),
    [("ext4", ["rw"], "ok"), ("ext4", ["ro"], "fail"), ("vfat", ["rw"], "fail"), ("nfs4", ["rw"], "warn")],
)
def test_filesystem(kind, options, status):
    assert preflight.check_filesystem(kind, options).status == status


@pytest.mark.parametrize(("maker", "status"), [(0, "warn"), (65534, "fail"), (-1, "fail"), (None, "warn")])
def test_a_network_filesystem_that_takes_root_for_somebody_else_is_refused(maker, status):
    found = preflight.check_filesystem("nfs4", ["rw"], maker)
    assert found.status == status
    assert status == "warn" or "no_root_squash" in found.todo


def test_whose_a_new_folder_is_is_tried_and_nothing_is_left(tmp_path):
    assert find_maker(tmp_path) == os.geteuid()
    assert find_maker(tmp_path / "missing") == -1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("free", "inodes", "expected"),
    [
        (50, 50, {"space": "ok", "inodes": "ok"}),
        (9, 50, {"space": "warn", "inodes": "ok"}),
        (5, 1, {"space": "fail", "inodes": "fail"}),
    ],
)
def test_space(free, inodes, expected):
    checks = preflight.check_space(Disk(100, free, 100, inodes), Need(5, 5))
    assert statuses(checks) == expected
    assert statuses(preflight.check_space(Disk(100, free, 0, 0), Need(5, 5))) == {"space": expected["space"]}


@pytest.mark.parametrize(
    ("version", "fresh", "status"),
    [
        ("rsync  version 3.2.7", False, "ok"),
        ("3.1.3", False, "warn"),
        ("3.0.9", True, "fail"),
        (None, True, "warn"),
        (None, False, "fail"),
    ],
)
def test_programs(version, fresh, status):
    check = preflight.check_program(
        "rsync", version, fresh=fresh, least="3.1.0", good="3.2.7", package="rsync"
    )
    assert check.status == status


@given(st.floats(-1e6, 1e6))
def test_clocks(seconds):
    status = preflight.check_skew("clock", seconds, "x").status
    assert status == ("ok" if abs(seconds) <= 5 else "warn" if abs(seconds) <= 60 else "fail")


@given(st.sampled_from(["Debian", "x"]), st.text())
def test_any_os_release_is_read(name, noise):
    read = parse_os_release(f'ID=debian\nPRETTY_NAME="{name} 12"\n# {noise}')
    assert (read["ID"], read["PRETTY_NAME"]) == ("debian", f"{name} 12")


def test_distributions():
    assert preflight.check_distribution({"ID": "debian", "VERSION_ID": "12"}).status == "ok"
    assert preflight.check_distribution({"ID": "rocky", "VERSION_ID": "9.3"}).status == "warn"
    assert preflight.check_distribution({}).status == "warn"


def test_the_deepest_mount_counts_and_the_last_of_two():
    mounts = (
        b"21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
        b"22 21 8:2 / /data ro - xfs /dev/sdb1 rw\n"
        b"23 21 8:3 / /data rw - btrfs /dev/sdc1 rw\n"
        b"24 21 8:4 / /database rw - vfat /dev/sdd1 rw\n"
    )
    assert find_filesystem(mounts, "/data/x")[0] == "btrfs"
    assert find_filesystem(mounts, "/srv") == ("ext4", ["rw", "relatime"])


@pytest.mark.parametrize(
    ("text", "rotated"),
    [
        ("/var/log/pure-ftpd/*.log {\n weekly\n}", True),
        ('"/var/log/pure-ftpd/transfer.log" {', True),
        ("/var/log/other.log {", False),
        ("", False),
    ],
)
def test_rotation(text, rotated):
    assert is_rotated("/var/log/pure-ftpd/transfer.log", ["weekly", text]) is rotated
    assert not is_rotated("", [text])


@pytest.mark.parametrize(
    ("home", "above"),
    [
        ("/", True),
        ("/data", True),
        ("/data/./", True),
        ("/data/", True),
        ("/data/ftp_a", False),
        ("/data/ftp_a/./", False),
        ("/database", False),
        ("/srv", False),
    ],
)
def test_a_home_that_holds_the_root(home, above):
    assert is_above(home, "/data") is above


def test_a_home_above_the_root_is_a_warning():
    assert preflight.check_homes("/data", ["admin"], 3).status == "warn"
    assert "3 accounts" in preflight.check_homes("/data", [], 3).what


def test_a_source_without_a_key_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.sources.KEYS", tmp_path
    )
    source, root = {"name": "source1"}, {"name": "datos", "path": "/srv/datos"}
    # site.yml makes it, on a new host and for a new source of an old one.
    check = look_at_source(source, root)
    assert (check.name, check.status) == ("source:source1-datos", "warn")
    assert "source1-datos.pub" in check.todo


@pytest.mark.parametrize(
    ("restricted", "path", "status"), [(True, "", "ok"), (False, "", "ok"), (False, "/nada", "fail")]
)
def test_a_source_is_listed_with_its_key(host, tmp_path, monkeypatch, restricted, path, status):
    """The real rsync, through the stand-in for ssh that runs the source's side here."""
    if restricted:
        host.restrict()
    monkeypatch.setattr(
        "ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.sources.KEYS", tmp_path
    )
    (tmp_path / "source1-datos").write_text("a key")
    root = {"name": "datos", "path": f"{host.source}{path}", "restricted": restricted}
    check = look_at_source({"name": "source1", "ssh_user": "lanotadm"}, root)
    assert check.status == status, check.what


def test_a_source_on_the_host_itself_is_read_as_its_own_user(host):
    source = {"name": "aqui", "local": True, "ssh_user": host.user}
    assert look_at_local_source(source, {"name": "datos", "path": str(host.source)}, True).status == "ok"
    for wrong in ({"path": f"{host.source}/nada"}, {"path": "relative"}):
        assert look_at_local_source(source, {"name": "datos", **wrong}, False).status == "fail"
    nobody, root = {**source, "ssh_user": "no_such_user"}, {"name": "datos", "path": "/srv"}
    check = look_at_local_source(nobody, root, False)
    assert (check.status, check.name) == ("fail", "source:aqui-datos")
    # On a new host site.yml is about to make user and folder.
    assert look_at_local_source(nobody, root, True).status == "warn"
    assert (
        look_at_local_source(source, {"name": "datos", "path": f"{host.source}/nada"}, True).status == "warn"
    )


def test_a_source_that_does_not_answer_is_a_failure(host, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.sources.KEYS", tmp_path
    )
    (tmp_path / "source1-datos").write_text("a key")
    (host.folder / "unreachable").touch()
    check = look_at_source({"name": "source1"}, {"name": "datos", "path": str(host.source)})
    assert (check.status, check.what.split(":")[0]) == ("fail", "source_unreachable")


@pytest.mark.parametrize(("state", "status"), [("active", "ok"), ("inactive", "fail"), ("failed", "fail")])
def test_a_timer_that_does_not_run_is_a_failure(host, tmp_path, monkeypatch, state, status):
    (host.folder / "bin" / "systemctl").write_text(f"#!/bin/sh\necho {state}\n")
    look = "ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.look.EXPIRE_FILE"
    monkeypatch.setattr(look, tmp_path / "expire.json")
    assert look_at_timer(fresh=True) == []
    assert [check.status for check in look_at_timer(fresh=False)] == ["warn"]
    (tmp_path / "expire.json").write_text("{}")
    assert [check.status for check in look_at_timer(fresh=False)] == [status]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("LANG=C.UTF-8\n", "ok"),
        ("", "ok"),
        ('LANG="es_QQ.UTF-8"\n', "warn"),
        ("LANG=C.UTF-8\nLC_ALL=eo_XX.ISO-8859-3\n", "warn"),
    ],
)
def test_a_locale_that_the_host_has_not_generated_is_told(text, status, tmp_path):
    file = tmp_path / "locale"
    file.write_text(text)
    check = look_at_locale([str(tmp_path / "none"), str(file)])
    assert (check.name, check.status) == ("locale", status)
    assert (status == "ok") == (not check.todo)


def test_a_host_without_the_plain_locale_is_told():
    check = preflight.check_locale(False, "", True)
    assert (check.status, "C.UTF-8 is missing" in check.what) == ("warn", True)
    assert is_generated("C")
    assert not is_generated("xx_YY.UTF-9")
