# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pure-ftpd's configuration in both of its forms, as other people write it."""

from __future__ import annotations

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.pureftpd_config import (
    PureftpdConfig,
    parse_mysql_conf,
    read_pureftpd,
)

OPTIONS = {
    "TLS": "2",
    "Bind": "192.0.2.1,2121",
    "MaxClientsNumber": "20",
    "PassivePortRange": "40000 40099",
    "LimitRecursion": "5000 8",
    "ChrootEveryone": "yes",
    "AltLog": "clf:/var/log/pure-ftpd/transfer.log",
}


def write_debian(folder, options):
    (folder / "conf").mkdir()
    for name, value in options.items():
        (folder / "conf" / name).write_text(f"{value}\n")


def write_file(folder, options):
    lines = [f"{name}    {value}" for name, value in options.items()]
    (folder / "pure-ftpd.conf").write_text("# a comment\n\n" + "\n".join(lines) + "  # why\n")


@pytest.mark.parametrize("write", [write_debian, write_file])
def test_both_forms_say_the_same(tmp_path, write):
    write(tmp_path, OPTIONS)
    config = read_pureftpd(tmp_path)
    assert config.found
    assert (config.tls, config.port, config.clients) == (2, 2121, 20)
    assert (config.passive_ports, config.listing) == ((40000, 40099), 5000)
    assert config.download_log == ("clf", "/var/log/pure-ftpd/transfer.log")
    assert config.is_on("chrooteveryone")
    assert not config.is_on("NoAnonymous")


@pytest.mark.parametrize("write", [write_debian, write_file])
def test_what_is_not_said_is_pure_ftpds_default(tmp_path, write):
    write(tmp_path, {"NoAnonymous": "yes"})
    config = read_pureftpd(tmp_path)
    assert (config.tls, config.port, config.clients, config.passive_ports, config.listing) == (
        0,
        21,
        50,
        None,
        10000,
    )
    assert config.download_log == ("", "")


@pytest.mark.parametrize(
    ("line", "log"),
    [
        ("clf:/var/log/a.log", "/var/log/a.log"),
        ("w3c:/var/log/b.log", "/var/log/b.log"),
        ("W3C: /var/log/c.log", "/var/log/c.log"),
        ("xferlog:/var/log/d.log", None),
        ("", None),
    ],
)
def test_a_log_counts_if_its_format_can_be_read(tmp_path, line, log):
    write_debian(tmp_path, {"AltLog": line})
    assert read_pureftpd(tmp_path).transfer_log == log


@pytest.mark.parametrize(
    ("line", "address", "port"),
    [
        ("192.0.2.7,2121", "192.0.2.7", 2121),
        (",21", None, 21),
        ("2001:db8::7,21", "2001:db8::7", 21),
        ("", None, 21),
    ],
)
def test_the_address_on_which_it_listens(tmp_path, line, address, port):
    write_debian(tmp_path, {"Bind": line})
    config = read_pureftpd(tmp_path)
    assert (config.address, config.port) == (address, port)


def test_no_folder_is_no_configuration(tmp_path):
    assert read_pureftpd(tmp_path / "pure-ftpd") == PureftpdConfig()


@pytest.mark.parametrize("name", ["db/mysql.conf", "pureftpd-mysql.conf", "elsewhere"])
def test_the_mysql_part_is_found_where_it_is(tmp_path, name):
    conf = tmp_path / name
    conf.parent.mkdir(exist_ok=True)
    conf.write_text("MYSQLDatabase ftpd\n")
    write_debian(tmp_path, {"MySQLConfigFile": str(conf)} if name == "elsewhere" else {})
    config = read_pureftpd(tmp_path)
    assert (config.mysql_conf, config.mysql) == (str(conf), {"mysqldatabase": "ftpd"})


def test_a_query_is_read_whole():
    text = (
        "# MYSQLGetPW old\nmysqlgetpw\tSELECT Password FROM users WHERE User='\\L' # AND 1\nMYSQLCrypt any \n"
    )
    assert parse_mysql_conf(text) == {
        "mysqlgetpw": "SELECT Password FROM users WHERE User='\\L' # AND 1",
        "mysqlcrypt": "any",
    }


@pytest.mark.parametrize("content", ["", "\n", "\x00\xff"])
def test_a_strange_file_is_no_failure(tmp_path, content):
    write_debian(tmp_path, {})
    (tmp_path / "conf" / "TLS").write_text(content, encoding="latin-1")
    assert read_pureftpd(tmp_path).tls == 0
