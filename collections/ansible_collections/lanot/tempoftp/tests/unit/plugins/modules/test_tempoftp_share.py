# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``tempoftp_share`` through its real ``main``: options in, JSON out."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import (
    InvalidValueError,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share.desired import SHARE_OPTIONS
from ansible_collections.lanot.tempoftp.plugins.module_utils._share.result import build_refusal
from ansible_collections.lanot.tempoftp.plugins.modules import tempoftp_share


@pytest.fixture
def run_module(host: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    (host.source / "goes").mkdir()
    (host.source / "goes" / "a").write_text("a")

    def run(**options: Any) -> dict[str, Any]:
        given = {
            "root": str(host.root),
            "owner": host.user,
            "group": host.group,
            "wait_timeout": 30,
            **options,
        }
        with patch_module_args(given), pytest.raises(SystemExit) as ended:
            tempoftp_share.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert bool(result.get("failed")) == (ended.value.code != 0)
        return result

    return run


def test_single_form_delivers(host: Any, run_module: Any) -> None:
    result = run_module(**host.share("p1", "goes"))
    assert (result["changed"], result["shares"][0]["state"]) == (True, "delivered")
    assert (host.root / "ftp_p1" / "p1" / "a").read_text() == "a"
    assert run_module(**host.share("p1", "goes"))["changed"] is False


def test_single_form_fails_with_its_share(host: Any, run_module: Any) -> None:
    result = run_module(**host.share("p1", "nothing"))
    assert result["failed"] is True and "does not exist on the source host" in result["msg"]
    assert result["shares"][0]["error"]["class"] == "source_not_found"


def test_list_form_never_fails_for_one_item(host: Any, run_module: Any) -> None:
    wrong = [
        host.share("p2", "goes", generation="soon"),
        host.share("p3", "goes", colour="red"),
        host.share("p4", "goes", state="hidden"),
        {},
    ]
    result = run_module(shares=[host.share("p1", "goes"), *wrong])
    assert "failed" not in result
    assert [share["id"] for share in result["shares"]] == ["p1", "p2", "p3", "p4", "None"]
    classes = [share["error"]["class"] if share["error"] else None for share in result["shares"]]
    assert classes == [None, "invalid", "invalid", "invalid", "invalid"]


def test_check_mode_and_diff(host: Any, run_module: Any) -> None:
    result = run_module(shares=[host.share("p1", "goes")], _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"] is True
    assert [path.name for path in host.tree.state.iterdir()] == ["root.json"]
    assert result["diff"][0]["before"] == {"state": "absent"}
    assert result["diff"][0]["after"]["state"] == "delivered"
    assert "diff" not in run_module(shares=[host.share("p1", "goes")])


@pytest.mark.parametrize("options", [{}, {"id": "p1", "shares": []}, {"shares": [], "max_copies": 0}])
def test_other_options_are_refused(run_module: Any, options: dict[str, Any]) -> None:
    assert run_module(**options)["failed"] is True


def test_every_option_of_a_share_is_read() -> None:
    assert set(tempoftp_share.build_share_spec()) == set(SHARE_OPTIONS)


def test_every_result_is_documented() -> None:
    documented = yaml.safe_load(tempoftp_share.RETURN)
    assert set(documented["shares"]["contains"]) == set(build_refusal("x", InvalidValueError("y")))


def test_the_host_is_documented(run_module: Any) -> None:
    documented = yaml.safe_load(tempoftp_share.RETURN)
    assert set(documented["host"]["contains"]) == set(run_module(shares=[])["host"])


def test_examples_use_options_that_exist() -> None:
    for task in yaml.safe_load(tempoftp_share.EXAMPLES):
        assert set(task["lanot.tempoftp.tempoftp_share"]) <= set(tempoftp_share.build_argument_spec())
