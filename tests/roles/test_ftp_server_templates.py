"""The files that the role ftp_server writes for both families. RHEL hosts do not run here, so the files are read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.roles.rendering import FAMILIES, evaluate, read_variables, render

LOGINS = [{"user": "tempoftp", "password": "geheim1"}, {"user": "pureftpd", "password": "geheim2"}]
SEED_COLUMNS = ["User", "Password", "Uid", "Gid", "Dir", "Status"]


def _render_mysql_conf(family: str, columns: list[str], **variables: Any) -> str:
    return render(
        "ftp_server",
        "mysql.conf.j2",
        family,
        ftp_server_logins=LOGINS,
        ftp_server_columns={"query_result": [[{"name": name} for name in columns]]},
        **variables,
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_login_query_ends_access_on_the_second(family: str) -> None:
    text = _render_mysql_conf(family, [*SEED_COLUMNS, "Expires"])
    queries = [line for line in text.splitlines() if line.startswith("MYSQLGet")]
    assert [query.split()[0] for query in queries] == [
        "MYSQLGetPW",
        "MYSQLGetUID",
        "MYSQLGetGID",
        "MYSQLGetDir",
    ]
    for query in queries:
        assert r"BINARY `User`='\L' AND `Status`='1'" in query
        assert query.endswith("AND (`Expires` IS NULL OR `Expires` > UTC_TIMESTAMP())")


@pytest.mark.parametrize("family", FAMILIES)
def test_seed_table_has_no_expires_in_its_query(family: str) -> None:
    assert "`Expires`" not in _render_mysql_conf(family, SEED_COLUMNS)


def test_a_table_with_other_column_names_is_queried_by_them() -> None:
    names = {"name": "login", "password": "passwd", "home": "homedir", "status": "active", "expires": "until"}
    columns = ["LOGIN", "passwd", "Uid", "Gid", "homedir", "active", "Until"]
    text = _render_mysql_conf("Debian", columns, tempoftp_columns=names, tempoftp_table="ftpd")
    account = r"FROM `ftpd` WHERE BINARY `login`='\L' AND `active`='1'"
    account += " AND (`until` IS NULL OR `until` > UTC_TIMESTAMP())"
    assert f"MYSQLGetPW      SELECT `passwd` {account}\n" in text
    assert f"MYSQLGetUID     SELECT `Uid` {account}\n" in text
    assert f"MYSQLGetDir     SELECT `homedir` {account}" in text


def test_pure_ftpd_gets_the_login_that_may_only_read() -> None:
    text = _render_mysql_conf("Debian", SEED_COLUMNS)
    assert "MYSQLUser       pureftpd\n" in text
    assert "geheim2" in text
    assert "geheim1" not in text


def test_a_password_may_be_any_hash_but_not_clear_text() -> None:
    lines = _render_mysql_conf("RedHat", SEED_COLUMNS).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("MYSQLCrypt")] == ["any"]


@pytest.mark.parametrize(
    ("family", "socket"), [("Debian", "/run/mysqld/mysqld.sock"), ("RedHat", "/var/lib/mysql/mysql.sock")]
)
def test_local_database_is_reached_by_its_socket(family: str, socket: str) -> None:
    text = _render_mysql_conf(family, SEED_COLUMNS)
    assert f"MYSQLSocket     {socket}\n" in text
    assert "MYSQLServer" not in text


def test_remote_database_is_reached_by_its_address() -> None:
    text = _render_mysql_conf(
        "Debian", SEED_COLUMNS, tempoftp_db_host="db.example.org", tempoftp_db_port=3307
    )
    assert "MYSQLServer     db.example.org\nMYSQLPort       3307\n" in text
    assert "MYSQLSocket" not in text


def test_rhel_configuration_file() -> None:
    lines = render("ftp_server", "pure-ftpd.conf.j2", "RedHat").splitlines()
    options = dict(line.split(None, 1) for line in lines if not line.startswith("#"))
    assert options["TLS"] == "3"
    assert (
        options["ChrootEveryone"]
        == options["NoAnonymous"]
        == options["NoChmod"]
        == options["NoRename"]
        == "yes"
    )
    assert options["MySQLConfigFile"] == "/etc/pure-ftpd/pureftpd-mysql.conf"
    assert options["CertFile"] == "/etc/pki/pure-ftpd/pure-ftpd.pem"
    assert options["PassivePortRange"] == "30000 30399"
    assert options["Umask"] == "137:027"
    assert options["AltLog"] == "w3c:/var/log/pureftpd.log"
    # The unit of EPEL has the type forking.
    assert options["Daemonize"] == "yes"
    assert not {"PAMAuthentication", "UnixAuthentication", "ForcePassiveIP"} & set(options)


def test_rhel_configuration_file_behind_nat() -> None:
    text = render("ftp_server", "pure-ftpd.conf.j2", "RedHat", ftp_server_passive_ip="198.51.100.11")
    assert "ForcePassiveIP               198.51.100.11\n" in text


def test_options_for_debians_wrapper() -> None:
    options = evaluate("ftp_server", "Debian", "ftp_server_options")
    assert options["PAMAuthentication"] == options["UnixAuthentication"] == "no"
    assert options["LimitRecursion"] == "200000 16"
    assert options["Bind"] == ",21"
    # Debian's wrapper ends with an error when it meets an unknown option.
    assert "CertFile" not in options


def test_the_default_passive_range_is_large_enough() -> None:
    defaults = read_variables("ftp_server", "Debian")
    first, last = defaults["ftp_server_passive_ports"]
    assert last - first + 1 >= 2 * defaults["ftp_server_max_clients"]


def test_ssh_trusts_only_the_inventorys_host_keys() -> None:
    config = render("ftp_server", "ssh_config.j2", "Debian")
    assert (
        "Host source1 datos.example.org\n    HostName 192.0.2.21\n    Port 22\n    User lanotadm\n" in config
    )
    assert "StrictHostKeyChecking yes" in config
    assert "aqui" not in config, "a source on this host needs no ssh"
    known = render("ftp_server", "known_hosts.j2", "Debian")
    assert known.splitlines()[1:] == ["source1,datos.example.org ssh-ed25519 AAAAC3Nzexample"]


@pytest.mark.parametrize("family", FAMILIES)
def test_rotation_needs_no_restart(family: str) -> None:
    text = render("ftp_server", "logrotate.j2", family)
    assert text.splitlines()[1] == evaluate("ftp_server", family, "ftp_server_log") + " {"
    assert "copytruncate" in text
    assert "postrotate" not in text
