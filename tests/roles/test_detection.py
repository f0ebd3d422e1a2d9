"""Who manages what a host has? The answer of the roles for each mixture of what they find, are told and have kept."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from tests.roles.rendering import FAMILIES, ROLES, evaluate

OUR_LOGIN = "# Kept by Ansible (role lanot.tempoftp.ftp_database).\n[client]\n"
OUR_CONF = "# Kept by Ansible (role lanot.tempoftp.ftp_server).\n"


def _slurp(*texts: str | None) -> dict[str, Any]:
    contents = [
        {} if text is None else {"content": base64.b64encode(text.encode()).decode()} for text in texts
    ]
    return {"results": contents}


def _stat(*found: bool) -> dict[str, Any]:
    return {"results": [{"stat": {"exists": exists}} for exists in found]}


def _answer(role: str, family: str, **variables: Any) -> dict[str, Any]:
    """Return the facts that the deciding task of a role sets."""
    tasks = yaml.safe_load((ROLES / role / "tasks/detect.yml").read_text(encoding="utf-8"))
    (task,) = [task for task in tasks if task["name"].startswith("Decide whether")]
    everything = {**task["vars"], **variables}
    facts: dict[str, Any] = {}
    for name, template in task["ansible.builtin.set_fact"].items():
        facts[name] = evaluate(role, family, template.strip("{} "), **everything)
    return facts


def answer_database(
    *,
    kept: str | None = None,
    ftpd_kept: str | None = None,
    login: str | None = None,
    pureftpd: bool = False,
    server: bool = False,
    table: int | None = None,
    signs: tuple[str, ...] = (),
    family: str = "Debian",
    **variables: Any,
) -> tuple[bool, bool, bool]:
    """Return managed, runs_server, makes_ftpd_login. `table` None: no server could be asked."""
    asked = {} if table is None else {"query_result": [[{"found": table}]]}
    facts = _answer(
        "ftp_database",
        family,
        ftp_database_marks=_slurp(kept, ftpd_kept, login),
        ftp_database_found=_stat(pureftpd, server),
        ftp_database_signs_found={"results": [{"item": sign, "stat": {"exists": True}} for sign in signs]},
        ftp_database_table_found=asked,
        **variables,
    )
    return (
        facts["ftp_database_managed"],
        facts["ftp_database_runs_server"],
        facts["ftp_database_makes_ftpd_login"],
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_fresh_host_is_ours(family: str) -> None:
    assert answer_database(family=family) == (True, True, True)


def test_a_database_that_an_earlier_release_made_is_ours() -> None:
    assert answer_database(login=OUR_LOGIN, pureftpd=True, server=True, table=1) == (True, True, True)
    assert answer_database(login="[client]\n", pureftpd=True, server=True, table=1)[0] is False


@pytest.mark.parametrize("table", [1, None])
def test_a_table_that_exists_or_cannot_be_looked_for_is_not_ours(table: int | None) -> None:
    # There is no pure-ftpd yet: the role will install it, so it is ours and needs a login.
    assert answer_database(server=True, table=table) == (False, False, True)


def test_an_existing_pure_ftpd_and_its_database_are_not_ours() -> None:
    assert answer_database(pureftpd=True, server=True, table=0) == (False, False, False)
    assert answer_database(pureftpd=True) == (False, False, False)


def test_in_an_existing_database_server_we_manage_only_our_database() -> None:
    assert answer_database(server=True, table=0) == (True, False, True)


@pytest.mark.parametrize(
    "sign", ["/usr/sbin/mariadbd", "/etc/systemd/system/mysql.service", "/var/lib/mysql/ibdata1"]
)
def test_a_server_that_is_stopped_or_has_another_socket_is_not_ours(sign: str) -> None:
    """The program, the unit or the data are enough. The role stops then, since it cannot ask."""
    assert answer_database(signs=(sign,)) == (False, False, True)
    assert answer_database(signs=(sign,), login=OUR_LOGIN)[1] is True
    assert answer_database(signs=(sign,), kept='{"manage": true, "server": true}')[1] is True
    assert answer_database(signs=(sign,), ftp_database_manage=True)[1] is True


@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.parametrize("server", [True, False])
def test_the_first_answer_is_kept(managed: bool, server: bool) -> None:
    kept = f'{{"manage": {str(managed).lower()}, "server": {str(server).lower()}}}\n'
    found = answer_database(
        kept=kept, ftpd_kept='{"manage": false}', login=OUR_LOGIN, pureftpd=True, server=True, table=1
    )
    assert found == (managed, managed and server, managed)


@pytest.mark.parametrize("said", [True, False, "true", "false"])
def test_the_operators_settings_win(said: Any) -> None:
    managed = str(said).lower() == "true"
    for kept in (None, f'{{"manage": {str(not managed).lower()}, "server": false}}'):
        found = answer_database(kept=kept, pureftpd=True, server=True, table=1, ftp_database_manage=said)
        assert found[0] is managed


def test_the_login_of_pure_ftpd_is_made_only_where_pure_ftpd_is_ours() -> None:
    theirs = {"kept": '{"manage": false, "server": false}', "pureftpd": True, "server": True, "table": 1}
    assert answer_database(**theirs, ftpd_kept='{"manage": true}')[2] is True
    assert answer_database(**theirs, ftpd_kept='{"manage": false}')[2] is False
    assert answer_database(**theirs, ftp_server_manage=True)[2] is True
    assert answer_database(**theirs, ftpd_kept='{"manage": true}', ftp_server_manage="false")[2] is False


def test_a_remote_database_server_is_not_installed_here() -> None:
    assert answer_database(tempoftp_db_host="db.example.org")[1] is False


def answer_server(
    *, kept: str | None = None, conf: str | None = None, found: bool = False, **variables: Any
) -> bool:
    facts = _answer(
        "ftp_server",
        "Debian",
        ftp_server_marks=_slurp(kept, conf),
        ftp_server_found={"stat": {"exists": found}},
        **variables,
    )
    return bool(facts["ftp_server_managed"])


@pytest.mark.parametrize(
    ("situation", "managed"),
    [
        ({}, True),
        ({"found": True}, False),
        ({"found": True, "conf": "MYSQLCrypt md5\n"}, False),
        ({"found": True, "conf": OUR_CONF}, True),
        ({"found": True, "kept": '{"manage": true}'}, True),
        ({"found": True, "kept": '{"manage": false}', "conf": OUR_CONF}, False),
        ({"found": True, "ftp_server_manage": True}, True),
        ({"kept": '{"manage": true}', "ftp_server_manage": "false"}, False),
    ],
)
def test_pure_ftpd_is_managed_only_if_it_is_ours(situation: dict[str, Any], managed: bool) -> None:
    assert answer_server(**situation) is managed
