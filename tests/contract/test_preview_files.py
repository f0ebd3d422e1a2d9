"""The preview's request and outcome files against the module and the playbook between them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.lanot.tempoftp.plugins.action import write_outcome
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy import (
    source_run as _source_run,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.failures import MEASURE_EXPLANATIONS
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.source_probe import (
    Measure,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import (
    InvalidValueError,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.names import (
    RESERVED_IDS as MODULES_RESERVED,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.space import Disk, Need
from ansible_collections.lanot.tempoftp.plugins.modules import tempoftp_share, tempoftp_source_info

from tempoftp.http.previews import PreviewAnswer
from tempoftp.previews.results import (
    HostRoom,
    PreviewItem,
    PreviewOutcome,
    PreviewRequest,
    SourceResult,
)
from tempoftp.shares.messages import PREVIEW_ERRORS, PREVIEW_SHORTAGES
from tempoftp.shares.schemas import RESERVED_IDS
from tempoftp.worker.ansible import parse_outcome
from tempoftp.worker.playbook import PREVIEW_PLAYBOOK
from tests.contract.worker_playbooks import read_tasks

PROJECT = Path(__file__).resolve().parents[2]
RETURNED = yaml.safe_load(tempoftp_source_info.RETURN)
ITEM = PreviewItem(
    source="lanotadm@source1:/srv/datos/goes",
    source_root="/srv/datos",
    ssh_user="lanotadm",
    ssh_key_file="/etc/tempoftp/ssh/source1-datos",
    size_probe="rsync",
)


def dump(*items: PreviewItem) -> dict[str, Any]:
    request = PreviewRequest(
        run_id="r1", ftp_host="ftp1", time_limit=20, sources=list(items), requests=("a",)
    )
    content: dict[str, Any] = json.loads(request.write_json())
    return content


@pytest.mark.parametrize(
    "item",
    [
        ITEM,
        ITEM.model_copy(update={"source_root": None, "ssh_key_file": None, "size_probe": "du"}),
        ITEM.model_copy(update={"source_root": None, "local": True, "method": "bind"}),
    ],
)
def test_an_item_is_what_the_module_takes(item: PreviewItem) -> None:
    (sent,) = dump(item)["sources"]
    checked = ArgumentSpecValidator(tempoftp_source_info.build_source_spec()).validate(sent)
    assert checked.error_messages == []
    assert {name: checked.validated_parameters[name] for name in sent} == sent
    desired = _source_run.build_source_question(checked.validated_parameters)
    assert (desired.source, desired.local, desired.method) == (item.source, item.local, item.method)


def test_the_options_of_a_source_are_those_of_a_share() -> None:
    share, source = tempoftp_share.build_share_spec(), tempoftp_source_info.build_source_spec()
    assert source == {name: share[name] for name in source}
    assert set(source) == set(_source_run.SOURCE_OPTIONS) == set(_source_run.SourceQuestion._fields)


def test_the_file_has_the_shape_of_the_contract() -> None:
    content = dump(ITEM)
    assert list(content) == ["schema", "run_id", "ftp_host", "time_limit", "sources"]
    assert content["schema"] == 1


def test_the_playbook_hands_on_what_is_asked_and_only_options_that_exist() -> None:
    options = read_tasks(PREVIEW_PLAYBOOK)["Sources"]["lanot.tempoftp.tempoftp_source_info"]
    assert set(options) <= set(tempoftp_source_info.build_argument_spec())
    assert options["sources"] == "{{ preview_request.sources }}"
    assert options["time_limit"] == "{{ preview_request.time_limit }}"


def test_the_playbook_writes_the_outcome_that_is_read_and_shows_no_path() -> None:
    tasks = read_tasks(PREVIEW_PLAYBOOK)
    arguments = tasks["Outcome"]["lanot.tempoftp.write_outcome"]
    assert set(arguments) <= write_outcome.ActionModule._VALID_ARGS
    assert set(arguments["content"]) == {field.alias or n for n, field in PreviewOutcome.model_fields.items()}
    assert all(task["no_log"] is True for task in tasks.values())


def test_every_field_that_is_read_is_returned() -> None:
    assert set(SourceResult.model_fields) <= set(RETURNED["sources"]["contains"])
    assert set(HostRoom.model_fields) <= set(RETURNED["host"]["contains"])


def test_what_the_module_says_can_be_read() -> None:
    desired = _source_run.SourceQuestion(ITEM.source)
    room = _source_run.Room(Disk(1000, 500, 0, 0), Need(0, 0), Need(0, 0))
    results = [
        _source_run.build_result(desired, Measure(True, 1, 1, 10), room),
        _source_run.build_result(desired, Measure(False), room),
        _source_run.build_refusal({"source": ITEM.source}, InvalidValueError("no")),
    ]
    for result in results:
        assert set(result) == set(RETURNED["sources"]["contains"])
    host = _source_run.describe_room(room)
    assert set(host) == set(RETURNED["host"]["contains"])
    content = {"schema": 1, "run_id": "r1", "sources": results, "host": host}
    outcome = parse_outcome(PreviewOutcome, json.dumps(content).encode())
    assert [item.timed_out for item in outcome.sources] == [False, True, False]
    assert outcome.host.inodes_available is None


def test_every_class_of_a_preview_has_its_words() -> None:
    assert set(MEASURE_EXPLANATIONS) - {"copy_failed"} <= set(PREVIEW_ERRORS)
    (annotation, _none) = get_args(PreviewAnswer.model_fields["falta"].annotation)
    assert set(get_args(annotation)) == set(PREVIEW_SHORTAGES)


def test_the_word_is_no_id_on_either_side() -> None:
    assert "vista_previa" in RESERVED_IDS & MODULES_RESERVED
