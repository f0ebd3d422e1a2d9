"""The files that the role ftp_database writes."""

from __future__ import annotations

import configparser
import re

from tests.roles.rendering import evaluate, render


def test_the_modules_can_read_the_client_file() -> None:
    login = {"file": "mysql.cnf", "user": "tempoftp", "password": "Ab1_.:/+=@"}
    text = render("ftp_database", "client.cnf.j2", "Debian", item=login)
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    assert dict(parser["client"]) == {
        "host": "127.0.0.1",
        "port": "3306",
        "user": "tempoftp",
        "password": "Ab1_.:/+=@",
        "database": "pureftpd",
    }


def test_table_has_the_seeds_columns_and_expires() -> None:
    text = render("ftp_database", "users.sql.j2", "Debian")
    assert re.findall(r"^  `(\w+)`", text, re.MULTILINE) == [
        "User",
        "Password",
        "Uid",
        "Gid",
        "Dir",
        "Status",
        "Expires",
    ]
    assert "`User` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin" in text
    assert "`Password` VARCHAR(255)" in text
    assert "`Expires` DATETIME NULL" in text


def test_only_a_database_on_this_host_is_managed() -> None:
    assert evaluate("ftp_database", "Debian", "ftp_database_manage_server") is True
    assert (
        evaluate("ftp_database", "Debian", "ftp_database_manage_server", tempoftp_db_host="db.example.org")
        is False
    )
