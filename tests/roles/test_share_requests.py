"""The filters of share.yml: strict reading of an operator's list, and the text that is printed at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.lanot.tempoftp.plugins.filter._share_requests import (
    build_accounts,
    describe_delivery,
    find_reachable_source,
    list_missing_passwords,
    list_unfit_passwords,
    locate_passwords,
    plan_shares,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.passwords import (
    hash_password,
)
from ansible_collections.lanot.tempoftp.plugins.modules.tempoftp_share import build_share_spec
from hypothesis import given
from hypothesis import strategies as st

from tests.roles.rendering import PROJECT, SOURCES

pytestmark = pytest.mark.processes

GOOD = {"id": "uno", "ftpuser": "ftp_uno", "source": "source1:/srv/datos/goes"}
SERVER = {"host": "ftp.example.org", "port": 21, "fingerprint": "sha256:AA:BB"}


def _plan(*items: Any) -> dict[str, list[dict[str, Any]]]:
    return plan_shares({"shares": list(items)}, SOURCES)


def _refusal(item: Any) -> str:
    plan = _plan(item)
    assert plan["shares"] == []
    assert plan["users"] == []
    (refusal,) = plan["refused"]
    return str(refusal["message"])


def test_source_is_looked_up_in_the_inventory() -> None:
    plan = _plan(GOOD)
    assert plan["refused"] == []
    assert plan["shares"] == [
        {
            "id": "uno",
            "ftpuser": "ftp_uno",
            "state": "present",
            "lifetime_days": 10,
            "writable": False,
            "managed_by": "operator",
            "take_over": False,
            "source": "lanotadm@source1:/srv/datos/goes",
            "source_root": "/srv/datos",
            "ssh_user": "lanotadm",
            "ssh_key_file": "/etc/tempoftp/ssh/source1-datos",
            "size_probe": "rsync",
            "checksums": True,
        }
    ]


def test_a_local_source_needs_no_key() -> None:
    (share,) = _plan({**GOOD, "source": "aqui:/srv/local/x"})["shares"]
    wanted = {"source": "lanotadm@aqui:/srv/local/x", "ssh_user": "lanotadm", "size_probe": "rsync"}
    wanted |= {"local": True, "method": "bind", "reuse": False}
    assert {key: value for key, value in share.items() if key in wanted} == wanted
    assert not {"source_root", "ssh_key_file"} & set(share)


def test_a_key_that_may_read_more_than_its_root_gets_full_paths() -> None:
    (share,) = _plan({**GOOD, "source": "source1:/srv/abierta/x"})["shares"]
    assert "source_root" not in share
    assert share["ssh_key_file"] == "/etc/tempoftp/ssh/source1-abierta"


def test_the_module_takes_every_planned_option() -> None:
    for source in ("aqui:/srv/local/x", "source1:/srv/abierta/x", "source1:/srv/datos/x"):
        (share,) = _plan({**GOOD, "source": source})["shares"]
        assert ArgumentSpecValidator(build_share_spec()).validate(share).error_messages == []


def test_the_selftest_uses_a_source_over_ssh_that_ansible_reaches() -> None:
    assert find_reachable_source(SOURCES, ["x", "source1"])["name"] == "source1"
    assert find_reachable_source(SOURCES, ["aqui"]) == {}, "it is on the FTP host itself"
    assert find_reachable_source(SOURCES, []) == find_reachable_source([], ["source1"]) == {}


@pytest.mark.parametrize("host", ["source1", "datos.example.org", "DATOS.example.org", "lanotadm@source1"])
def test_names_aliases_and_the_fixed_user_are_the_same_source(host: str) -> None:
    (share,) = _plan({**GOOD, "source": f"{host}:/srv/datos/goes/"})["shares"]
    assert share["source"] == "lanotadm@source1:/srv/datos/goes"


def test_the_example_of_the_documentation_is_accepted() -> None:
    content = yaml.safe_load((PROJECT / "docs/examples/shares.yml").read_text(encoding="utf-8"))
    plan = plan_shares(content, SOURCES)
    assert plan["refused"] == []
    assert {share["state"] for share in plan["shares"]} == {"present", "absent"}


def test_an_account_stays_while_one_of_its_shares_is_present() -> None:
    plan = _plan(
        {**GOOD, "state": "absent"}, {**GOOD, "id": "dos"}, {**GOOD, "id": "tres", "state": "absent"}
    )
    assert plan["users"] == [{"name": "ftp_uno", "state": "present"}]


def test_a_share_is_taken_over_if_the_list_says_so() -> None:
    plan = _plan({**GOOD, "take_over": True}, {**GOOD, "id": "dos"})
    assert [(share["managed_by"], share["take_over"]) for share in plan["shares"]] == [
        ("operator", True),
        ("operator", False),
    ]
    assert "take_over 'yes' is refused" in _refusal({**GOOD, "take_over": "yes"})


def test_an_account_is_adopted_if_the_list_says_so() -> None:
    plan = _plan({**GOOD, "ftpuser": "Juan.Perez", "adopt": True}, {**GOOD, "id": "dos"})
    assert plan["refused"] == []
    assert [share.get("adopt", False) for share in plan["shares"]] == [True, False]
    assert plan["users"] == [
        {"name": "Juan.Perez", "state": "present", "adopt": True},
        {"name": "ftp_uno", "state": "present"},
    ]


def test_a_share_can_be_blocked() -> None:
    plan = _plan({**GOOD, "state": "blocked"}, {**GOOD, "id": "dos", "state": "absent"})
    assert [share["state"] for share in plan["shares"]] == ["blocked", "absent"]
    # The module decides from the shares whether the login is blocked too.
    assert plan["users"] == [{"name": "ftp_uno", "state": "present"}]


def test_an_account_without_present_shares_is_removed() -> None:
    assert _plan({**GOOD, "state": "absent"})["users"] == [{"name": "ftp_uno", "state": "absent"}]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"id": "../x"}, "id"),
        ({"id": "expired"}, "reserved"),
        ({"ftpuser": "../../tmp/x"}, "ftpuser"),
        ({"ftpuser": "ftp_uno\n"}, "ftpuser"),
        ({"ftpuser": None}, "ftpuser"),
        ({"state": "hidden"}, "state"),
        ({"lifetime_days": 0}, "lifetime_days"),
        ({"lifetime_days": True}, "lifetime_days"),
        ({"lifetime_days": "3"}, "lifetime_days"),
        ({"writable": "yes"}, "writable"),
        ({"adopt": "yes"}, "adopt"),
        ({"adopt": True, "ftpuser": "../x"}, "account name"),
        ({"ftpuser": "Juan.Perez"}, "ftpuser"),
        ({"password": "x"}, "unknown key password"),
        ({"source": "otro:/srv/datos"}, "not one of tempoftp_sources"),
        ({"source": "source1:/etc"}, "not below a root"),
        ({"source": "source1:/srv/datosx"}, "not below a root"),
        ({"source": "source1:/srv/datos/../x"}, "source"),
        ({"source": "root@source1:/srv/datos"}, "read as lanotadm"),
        ({"source": "-oProxyCommand=touch /tmp/P:/x"}, "source"),
        ({"source": "aqui:/srv/otra"}, "not below a root"),
        ({"source": 7}, "source"),
    ],
)
def test_a_refusal_names_what_to_correct(change: dict[str, Any], word: str) -> None:
    assert word in _refusal({**GOOD, **change})


def test_one_refused_item_does_not_stop_the_others() -> None:
    plan = _plan(
        "no mapping", GOOD, {**GOOD, "id": "dos", "source": "otro:/x"}, {**GOOD, "ftpuser": "ftp_dos"}
    )
    assert [share["id"] for share in plan["shares"]] == ["uno"]
    assert [refusal["id"] for refusal in plan["refused"]] == ["number 1", "dos", "uno"]
    assert "twice" in plan["refused"][2]["message"]


@pytest.mark.parametrize("content", [None, [], "x", {}, {"shares": {}}])
def test_a_file_without_a_list_is_refused(content: Any) -> None:
    assert plan_shares(content, SOURCES)["refused"] == [
        {"id": "(the file)", "message": "it must have a list named shares"}
    ]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    st.lists(
        ANYTHING
        | st.fixed_dictionaries({}, optional={key: ANYTHING for key in (*GOOD, "state", "lifetime_days")})
    )
)
def test_no_list_raises_an_error_or_loses_an_item(items: list[Any]) -> None:
    plan = _plan(*items)
    assert len(plan["shares"]) + len(plan["refused"]) == len(items)


@given(st.text())
def test_no_account_name_leads_out_of_the_folder_of_passwords(name: str) -> None:
    for user in _plan({**GOOD, "ftpuser": name}, {**GOOD, "id": "dos", "ftpuser": name, "adopt": True})[
        "users"
    ]:
        assert Path("/folder", user["name"]).resolve().parent == Path("/folder")


def test_a_check_makes_no_password_file(tmp_path: Path) -> None:
    (tmp_path / "ftp_dos").write_text("x")
    users = [{"name": "ftp_uno"}, {"name": "ftp_dos"}]
    assert locate_passwords(users, str(tmp_path), True) == ["/dev/null", str(tmp_path / "ftp_dos")]
    assert locate_passwords(users, str(tmp_path), False) == [
        str(tmp_path / "ftp_uno"),
        str(tmp_path / "ftp_dos"),
    ]
    assert list_missing_passwords(users, str(tmp_path)) == ["ftp_uno"]


def test_accounts_get_a_home_and_new_passwords_a_hash() -> None:
    users = [{"name": "ftp_uno", "state": "present"}, {"name": "ftp_dos", "state": "absent"}]
    assert build_accounts(users, {"ftp_uno": "$2b$x"}, "/data") == [
        {"name": "ftp_uno", "state": "present", "home": "/data/ftp_uno", "password_hash": "$2b$x"},
        {"name": "ftp_dos", "state": "absent", "home": "/data/ftp_dos"},
    ]


def test_a_password_that_does_not_fit_its_account_is_found() -> None:
    stored = hash_password("la-de-antes", "bcrypt")
    answers = [
        {"name": "ftp_uno", "password_hash": stored},
        {"name": "ftp_dos", "password_hash": stored},
        {"name": "ftp_tres"},
        {"name": "ftp_cuatro", "password_hash": stored},
        # The host keeps what is no hash to itself.
        {"name": "ftp_cinco", "password_hash": None, "password_matches": False},
        {"name": "ftp_seis", "password_matches": True},
    ]
    passwords = {"ftp_uno": "la-de-antes", "ftp_dos": "otra-distinta", "ftp_tres": "nueva-de-hoy"}
    passwords |= {"ftp_cinco": "una-mas-de-hoy", "ftp_seis": "la-misma-de-ayer"}
    assert list_unfit_passwords(answers, passwords) == ["ftp_dos", "ftp_cinco"]


def _answer(**changes: Any) -> dict[str, Any]:
    share = {"id": "uno", "ftpuser": "ftp_uno", "state": "delivered", "path": "/data/ftp_uno/uno"}
    return {**share, "files_total": 3, "bytes_total": 12, "skipped": [], "error": None, **changes}


def _describe(answer: dict[str, Any], **account: Any) -> dict[str, list[str]]:
    plan = {"refused": account.pop("refused", [])}
    unfit = account.pop("unfit", [])
    folder = account.pop("folder", "/var/credentials/ftp1")
    shares = [{"id": "uno", "expires": "2030-01-31T12:00:00Z"}]
    user = {"name": "ftp_uno", "error": None, "kept_reason": None, "shares": shares, **account}
    return describe_delivery(plan, [answer], [user], unfit, SERVER, folder)


def test_a_ready_share_names_the_file_of_the_password_not_the_password() -> None:
    report = _describe(_answer(skipped=["fifo (not a regular file)"]))
    assert report["failures"] == []
    text = "\n".join(report["lines"])
    assert "uno: 3 files, 12 bytes, until 2030-01-31T12:00:00Z" in text
    assert "left out: fifo" in text
    assert "in /var/credentials/ftp1/ftp_uno" in text
    assert "\"$(cat '/var/credentials/ftp1/ftp_uno')\"" in text
    assert "ftp://ftp.example.org:21" in text
    assert "sha256:AA:BB" in text


def test_a_password_of_another_store_is_not_looked_for_in_a_file() -> None:
    text = "\n".join(_describe(_answer(), folder="")["lines"])
    assert "password of ftp_uno: in tempoftp_passwords" in text
    assert "lftp -u ftp_uno -e " in text
    assert "$(cat" not in text


def test_an_account_from_before_keeps_its_password() -> None:
    text = "\n".join(_describe(_answer(), unfit=["ftp_uno"])["lines"])
    assert "its earlier password still works" in text
    assert "lftp" not in text


def test_a_check_says_what_would_change() -> None:
    assert _describe(_answer(path=None))["lines"] == ["uno: would be delivered to account ftp_uno"]


def test_an_ended_share_says_why_its_account_remains() -> None:
    lines = _describe(_answer(state="absent", path=None), kept_reason="live_shares")["lines"]
    assert lines == ["uno: absent; account ftp_uno stays (live shares)"]


@pytest.mark.parametrize(
    ("share_error", "account_error"), [({"message": "disk"}, None), (None, {"message": "disk"})]
)
def test_failures_of_share_and_account_are_named(share_error: Any, account_error: Any) -> None:
    report = _describe(
        _answer(error=share_error), error=account_error, refused=[{"id": "dos", "message": "wrong"}]
    )
    assert report == {"lines": [], "failures": ["dos: wrong", "uno: disk"]}
