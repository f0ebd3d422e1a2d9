"""request.json against the modules' own argument specs, and the playbook that carries it from one to the other."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.lanot.tempoftp.plugins.action import write_outcome
from ansible_collections.lanot.tempoftp.plugins.modules import (
    tempoftp_ftpuser,
    tempoftp_share,
    tempoftp_transfers_info,
)

from tempoftp.shares.results import Outcome
from tempoftp.shares.sources import Method
from tempoftp.worker.playbook import OUTCOME, PLAYBOOK, REQUEST
from tempoftp.worker.request import RunRequest, ShareItem, TransfersItem, UserItem
from tests.contract.worker_playbooks import locate_playbook, read_tasks

SHARE = ShareItem(
    id="proyecto_real_1",
    generation=1,
    state="present",
    ftpuser="ftp_alguien_dominio",
    source="lanotadm@source1:/srv/datos/goes",
    source_root="/srv/datos",
    ssh_user="lanotadm",
    ssh_key_file="/etc/tempoftp/ssh/source1-datos",
    size_probe="rsync",
    lifetime_days=3,
    writable=False,
)
USER = UserItem(
    name="ftp_alguien_dominio", state="present", password_hash="$2b$12$" + "a" * 53, end_sessions=False
)


def dump(*, shares: list[ShareItem], users: list[UserItem]) -> dict[str, Any]:
    request = RunRequest(run_id="r1", ftp_host="ftp1", wait_timeout=3, shares=shares, users=users)
    content: dict[str, Any] = json.loads(request.write_json())
    return content


@pytest.mark.parametrize(
    "share",
    [
        SHARE,
        SHARE.model_copy(update={"state": "absent"}),
        SHARE.model_copy(update={"state": "blocked", "require_existing": True}),
        SHARE.model_copy(update={"size_probe": "du"}),
        SHARE.model_copy(update={"ssh_key_file": None}),
        SHARE.model_copy(update={"source_root": None, "reuse": True, "checksums": True}),
        *[SHARE.model_copy(update={"local": True, "method": method}) for method in get_args(Method)],
    ],
)
def test_share_item_is_what_the_module_takes(share: ShareItem) -> None:
    (item,) = dump(shares=[share], users=[])["shares"]
    checked = ArgumentSpecValidator(tempoftp_share.build_share_spec()).validate(item)
    assert checked.error_messages == []
    for name, value in item.items():
        assert checked.validated_parameters[name] == value, "the module turns it into something else"


@pytest.mark.parametrize(
    "user",
    [
        USER,
        USER.model_copy(update={"state": "blocked", "password_generation": 1, "end_sessions": True}),
        USER.model_copy(update={"update_password": "always", "password_generation": 2}),
        UserItem(name="ftp_a", state="absent", password_hash=None, end_sessions=True),
    ],
)
def test_user_item_is_what_the_module_takes(user: UserItem) -> None:
    (item,) = dump(shares=[], users=[user])["users"]
    checked = ArgumentSpecValidator(tempoftp_ftpuser.build_account_argument_spec()).validate(item)
    assert checked.error_messages == []
    assert {name: checked.validated_parameters[name] for name in item} == item


def test_file_has_the_shape_of_the_contract() -> None:
    content = dump(shares=[SHARE], users=[USER])
    assert list(content) == ["schema", "run_id", "ftp_host", "wait_timeout", "shares", "users"]
    assert content["schema"] == 1
    assert isinstance(content["wait_timeout"], int)


@pytest.mark.parametrize(
    ("task", "module"),
    [("Shares", tempoftp_share), ("Accounts", tempoftp_ftpuser), ("Downloads", tempoftp_transfers_info)],
)
def test_playbook_gives_only_options_that_exist(task: str, module: Any) -> None:
    name = module.__name__.rsplit(".", 1)[1]
    options = set(read_tasks(PLAYBOOK)[task][f"lanot.tempoftp.{name}"])
    assert options <= set(module.build_argument_spec())


def test_playbook_writes_the_outcome_that_is_read() -> None:
    arguments = read_tasks(PLAYBOOK)["Outcome"]["lanot.tempoftp.write_outcome"]
    assert set(arguments) <= write_outcome.ActionModule._VALID_ARGS
    fields = {field.alias or name for name, field in Outcome.model_fields.items()}
    assert set(arguments["content"]) == fields


def test_playbook_hides_what_may_hold_a_hash() -> None:
    tasks = read_tasks(PLAYBOOK)
    assert set(tasks) == {"Modules", "Request", "Shares", "Accounts", "Downloads", "Outcome"}
    assert {name for name, task in tasks.items() if task.get("no_log") is not True} == {"Modules"}


def test_playbook_prepares_the_modules_it_runs() -> None:
    tasks = read_tasks(PLAYBOOK)
    prepared = tasks["Modules"]["lanot.tempoftp.prepare_modules"]["modules"]
    assert {next(key for key in tasks[name] if key in prepared) for name in ("Shares", "Accounts")} == set(
        prepared
    )


@pytest.mark.parametrize("since", [None, "2026-11-23T12:00:00Z"])
def test_transfers_item_is_what_the_module_takes_and_the_playbook_hands_on(since: str | None) -> None:
    item = TransfersItem(since=since, files_limit=7)
    request = RunRequest(run_id="r1", ftp_host="ftp1", wait_timeout=3, transfers=item)
    content = json.loads(request.write_json())["transfers"]
    checked = ArgumentSpecValidator(tempoftp_transfers_info.build_argument_spec()).validate(content)
    assert checked.error_messages == []
    assert {name: checked.validated_parameters[name] for name in content} == content
    options = read_tasks(PLAYBOOK)["Downloads"]["lanot.tempoftp.tempoftp_transfers_info"]
    for name in TransfersItem.model_fields:
        assert f"run_request.transfers.{name}" in options[name]


def test_counting_downloads_fails_no_run_and_costs_nothing_when_it_is_not_asked_for() -> None:
    task = read_tasks(PLAYBOOK)["Downloads"]
    assert task["when"] == "run_request.transfers is defined"
    assert task["ignore_errors"] is True
    assert "transfers" not in dump(shares=[], users=[])


def test_playbook_knows_no_other_value_of_a_run() -> None:
    """Extra vars are evaluated as templates: two paths of our own are all there may be."""
    text = locate_playbook(PLAYBOOK).read_text()
    assert "request_file" in text
    assert "outcome_file" in text
    assert (REQUEST, OUTCOME) == ("request.json", "outcome.json")
