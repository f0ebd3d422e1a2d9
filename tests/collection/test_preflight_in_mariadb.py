"""What preflight says of the tables that are out there, by a real MariaDB."""

from __future__ import annotations

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.mysql_login import (
    LoginOptions,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.users_table import (
    TableDescription,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.pureftpd_config import (
    PureftpdConfig,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.space import Need
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.database import look_at_database
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.options import PreflightOptions

from tests.collection.users_tables import ENUM_TABLE, FOREIGN_NAMES, FOREIGN_TABLE, OUR_TABLE, SEED_TABLE

QUERY = r"SELECT Password FROM users WHERE User='\L' AND Status='1'"


@pytest.fixture
def look(database, tmp_path):
    """Return a function that looks at a table as root over the socket, as before the first site.yml."""

    def run(query=QUERY, crypt="any", asked="pureftpd", found=True, login_db="pureftpd", **table):
        conf = tmp_path / "mysql.conf"
        conf.write_text(f"MYSQLCrypt {crypt}\n")
        mysql = {"mysqlgetpw": query, "mysqldatabase": asked}
        config = PureftpdConfig(True, {}, mysql, str(conf)) if found else PureftpdConfig()
        description = TableDescription(
            table=table.get("table", "users"),
            extra_columns=table.get("extra_columns", {}),
            **table.get("columns", {}),
        )
        login = LoginOptions(login_config_file=str(tmp_path / "none.cnf"), login_db=login_db)
        wanted = PreflightOptions(
            "/data", 2001, 2001, "x", "x", description, login, None, Need(0, 0), [], None
        )
        checks = look_at_database(wanted, config, tmp_path / "none.cnf", [str(database.socket)], fresh=False)
        return {check.name: check for check in checks}

    return run


def fails(checks):
    return sorted(name for name, check in checks.items() if check.status == "fail")


def warns(checks):
    return sorted(name for name, check in checks.items() if check.status == "warn")


def test_our_own_table_is_fine(database, look):
    database.execute(OUR_TABLE)
    query = (
        r"SELECT Password FROM users WHERE BINARY User='\L' AND Status='1'"
        " AND (Expires IS NULL OR Expires > UTC_TIMESTAMP())"
    )
    checks = look(query)
    assert (fails(checks), warns(checks)) == ([], [])


def test_the_seeds_table_works_without_an_end_on_the_second(database, look):
    database.execute(SEED_TABLE)
    checks = look()
    assert (fails(checks), warns(checks)) == ([], ["login_query_exact", "login_query_expires"])
    assert "bcrypt" in checks["mysql_crypt"].what


def test_an_enum_table_works(database, look):
    database.execute(ENUM_TABLE)
    assert fails(look()) == []


def test_a_table_with_other_names_wants_its_columns_and_values(database, look):
    database.execute(FOREIGN_TABLE)
    query = r"SELECT passwd FROM ftpd WHERE login='\L' AND active='1'"
    assert fails(look(query)) == ["table"]
    assert fails(look(query, table="ftpd")) == ["table"]
    checks = look(query, **FOREIGN_NAMES)
    assert fails(checks) == ["table_columns"]
    assert "QuotaSize" in checks["table_columns"].todo
    checks = look(query, **FOREIGN_NAMES, extra_columns={"QuotaSize": 0, "com`ment %": ""})
    assert fails(checks) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"crypt": "md5"}, "mysql_crypt"),
        ({"asked": "other"}, "login_query"),
        ({"query": "SELECT Password FROM ftpd"}, "login_query"),
        ({"login_db": "nada"}, "database"),
        ({"table": "nada"}, "table"),
    ],
)
def test_what_cannot_work_fails(database, look, changes, name):
    database.execute(SEED_TABLE)
    checks = look(**changes)
    assert fails(checks) == [name]
    assert checks[name].todo


def test_where_pure_ftpd_is_yet_to_come_a_missing_table_is_no_failure(look):
    checks = look(found=False)
    assert (fails(checks), warns(checks)) == ([], ["table"])


def test_accounts_that_are_there_are_counted_and_a_wide_home_is_said(database, look):
    database.execute(
        SEED_TABLE,
        "INSERT INTO users VALUES ('juan', 'x', 1001, 1001, '/home/juan', 1), ('ana', 'x', 2001, 2001, '/data/ana', 1)",
    )
    assert "2 accounts" in look()["accounts"].what
    database.execute("INSERT INTO users VALUES ('admin', 'x', 1001, 1001, '/', 1)")
    assert look()["accounts"].status == "warn"


def test_looking_writes_nothing(database, look):
    database.execute(SEED_TABLE, "INSERT INTO users VALUES ('juan', 'x', 1001, 1001, '/home/juan', 1)")
    before = (
        database.execute("SELECT * FROM users"),
        database.execute("SHOW GLOBAL STATUS LIKE 'Handler_write'"),
    )
    look()
    assert database.execute("SELECT * FROM users") == before[0]
    for name in ("Com_insert", "Com_update", "Com_delete", "Com_create_table", "Com_grant"):
        counted = database.execute(f"SHOW GLOBAL STATUS LIKE '{name}'")
        look()
        assert database.execute(f"SHOW GLOBAL STATUS LIKE '{name}'") == counted
