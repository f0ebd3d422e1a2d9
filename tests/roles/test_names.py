"""A value that more than one part uses has one name, which begins with `tempoftp_`. It moves the whole system."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.roles.programs import run_program
from tests.roles.rendering import COLLECTION, FAMILIES, PROJECT, ROLES, evaluate, read_yaml, render

ROLE_NAMES = sorted(path.name for path in ROLES.iterdir() if path.is_dir())
# Each of these was one of two names for a value; the other one changed half of the system only.
FORMER = re.compile(
    r"\bftp_server_(root|user|group|uid|gid|public_host|expire_grace_seconds|staging_days|sources|db_\w+)\b"
    r"|\bftp_database_(host|port|name|table|user|password|ftpd_user|ftpd_password)\b"
    r"|\bftp_db_(ftpd_\w+|password|host|port|name|user)\b|\b(source_host|service)_sources\b"
)
MOVED: dict[str, Any] = {
    "tempoftp_root": "/datos/entrega",
    "tempoftp_db_host": "db.example.org",
    "tempoftp_db_port": 3307,
    "tempoftp_db_name": "ftp",
    "tempoftp_table": "cuentas",
    "tempoftp_columns": {"name": "login", "home": "homedir"},
    "tempoftp_extra_columns": {"QuotaSize": 0},
    "tempoftp_login_config_file": "/etc/tempoftp/otra.cnf",
    "tempoftp_pureftpd_mysql_conf": "/etc/pure-ftpd/otra.conf",
    "tempoftp_transfer_log": "/var/log/otra.log",
    "tempoftp_expire_grace_seconds": 30,
    "tempoftp_staging_days": 3,
}


@pytest.mark.parametrize("role", ROLE_NAMES)
def test_an_option_has_the_prefix_of_its_role_or_is_shared(role: str) -> None:
    for name, value in read_yaml(ROLES / role / "defaults/main.yml").items():
        assert name.startswith((f"{role}_", "tempoftp_"))
        # A default that is the value of another variable would be a second name for it.
        assert not re.match(r"\{\{ tempoftp_\w+ (\||\}\})", str(value)), name


def test_a_shared_variable_has_the_same_default_in_each_role() -> None:
    seen: dict[str, Any] = {}
    for role in ROLE_NAMES:
        for name, value in read_yaml(ROLES / role / "defaults/main.yml").items():
            assert seen.setdefault(name, value) == value, name


def test_no_file_names_a_former_name() -> None:
    folders = ("roles", "playbooks")
    paths = [path for folder in folders for path in (COLLECTION / folder).rglob("*") if path.is_file()]
    for folder in ("inventories", "molecule", "docs"):
        paths += [path for path in (PROJECT / folder).rglob("*") if path.suffix in {".yml", ".md", ".j2"}]
    found = {
        path.name: match[0]
        for path in paths
        if not {"screenshots", "decisions"} & set(path.parts) and path.suffix != ".pyc"
        if (match := FORMER.search(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_shared_value_moves_what_the_timer_reads(family: str) -> None:
    settings = evaluate("ftp_server", family, "ftp_server_expire", **MOVED)
    assert settings == {
        "grace_seconds": 30,
        "staging_days": 3,
        "trash_hours": 0,
        "login_seconds": 60,
        "login_config_file": "/etc/tempoftp/otra.cnf",
        "table": "cuentas",
        "columns": {
            "name": "login",
            "password": "Password",
            "uid": "Uid",
            "gid": "Gid",
            "home": "homedir",
            "status": "Status",
            "expires": "Expires",
        },
        "extra_columns": {"QuotaSize": 0},
        "pureftpd_mysql_conf": "/etc/pure-ftpd/otra.conf",
    }
    unit = render("ftp_server", "tempoftp-expire.service.j2", family, **MOVED)
    assert "ExecStart=/usr/bin/python3 -IB /datos/entrega/.tempoftp/" in unit


@pytest.mark.parametrize("family", FAMILIES)
def test_each_shared_value_moves_what_pure_ftpd_reads(family: str) -> None:
    logins = [{}, {"user": "pureftpd", "password": "clave"}]
    columns = {"query_result": [[{"name": "Expires"}]]}
    text = render(
        "ftp_server",
        "mysql.conf.j2",
        family,
        ftp_server_logins=logins,
        ftp_server_columns=columns,
        **MOVED,
    )
    assert "MYSQLServer     db.example.org\nMYSQLPort       3307\n" in text
    assert "MYSQLDatabase   ftp\n" in text
    assert "SELECT `homedir` FROM `cuentas` WHERE BINARY `login`=" in text
    assert evaluate("ftp_server", family, "ftp_server_mysql_conf", **MOVED) == "/etc/pure-ftpd/otra.conf"
    assert evaluate("ftp_server", family, "ftp_server_log", **MOVED) == "/var/log/otra.log"


def test_each_shared_value_moves_the_table_that_is_created() -> None:
    text = render("ftp_database", "users.sql.j2", "Debian", **MOVED)
    assert text.startswith("CREATE TABLE `cuentas` (")
    assert "`login` VARCHAR(64)" in text
    assert "`homedir` VARCHAR(255)" in text
    assert "`Status` TINYINT" in text


def test_the_roles_read_and_write_the_login_where_the_modules_read_it() -> None:
    places = {
        "ftp_database/tasks/detect.yml": 1,
        "ftp_database/tasks/logins.yml": 2,
        "ftp_server/tasks/table.yml": 1,
    }
    for path, times in places.items():
        text = (ROLES / path).read_text(encoding="utf-8")
        assert text.count("tempoftp_login_config_file") == times, path
        assert "mysql.cnf" not in text, path


@pytest.mark.processes
@pytest.mark.parametrize("playbook", ["site", "preflight"])
@pytest.mark.parametrize(
    "name", ["ftp_server_root", "ftp_db_host", "ftp_database_ftpd_password", "service_sources"]
)
def test_a_former_name_is_refused_before_anything_is_changed(
    tmp_path: Path, playbook: str, name: str
) -> None:
    local = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3", name: "x"}
    groups: dict[str, Any] = {"ftp_hosts": {"hosts": {"here": local}}}
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"all": {"children": groups}}), encoding="utf-8")
    done = run_program(
        tmp_path, "ansible-playbook", "-i", str(inventory), f"playbooks/{playbook}.yml", "--become-method=su"
    )
    assert done.returncode != 0
    assert f"Nothing reads {name}, so nothing was changed" in re.sub(r"\s+", " ", done.stdout)
    assert "ansible.builtin.apt" not in json.dumps(done.stdout)
    assert "changed=0" in done.stdout
