"""What the service reads of an outcome is what the modules document that they return."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import yaml
from ansible_collections.lanot.tempoftp.plugins.modules import (
    tempoftp_ftpuser,
    tempoftp_share,
    tempoftp_transfers_info,
)

from tempoftp.downloads.results import TransfersFile, TransfersLog, TransfersReport, TransfersShare
from tempoftp.results import ResultError
from tempoftp.shares.results import ShareResult, UserResult, UserShare


def read_returned(module: Any, name: str) -> dict[str, Any]:
    contained: dict[str, Any] = yaml.safe_load(module.RETURN)[name]["contains"]
    return contained


def list_fields(model: type) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


@pytest.mark.parametrize(
    ("model", "module", "name"),
    [
        (ShareResult, tempoftp_share, "shares"),
        (UserResult, tempoftp_ftpuser, "users"),
        (TransfersShare, tempoftp_transfers_info, "shares"),
        (TransfersLog, tempoftp_transfers_info, "log"),
    ],
)
def test_every_field_is_returned(model: type, module: Any, name: str) -> None:
    assert list_fields(model) <= set(read_returned(module, name))


def test_shares_of_an_account_are_returned() -> None:
    documented = read_returned(tempoftp_ftpuser, "users")["shares"]
    keys = set(documented.get("contains") or documented["sample"][0])
    assert list_fields(UserShare) <= keys


def test_transfers_are_returned() -> None:
    returned = yaml.safe_load(tempoftp_transfers_info.RETURN)
    assert list_fields(TransfersReport) == set(returned)
    assert list_fields(TransfersFile) <= set(
        read_returned(tempoftp_transfers_info, "shares")["files"]["contains"]
    )


def test_errors_have_class_message_and_transient() -> None:
    from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import (
        CLASSES,
        TempoftpError,
    )

    for name, transient in CLASSES.items():
        found = ResultError.model_validate(TempoftpError("what, where, what to do", name).to_dict())
        assert found.to_share_error().error_class == name
        assert found.to_share_error().transient is transient


def test_host_facts_that_health_reads_are_returned() -> None:
    assert {"space_total", "space_free", "inodes_free", "ftpd", "server"} <= set(
        read_returned(tempoftp_share, "host")
    )
    assert {"ok", "password_schemes", "error"} <= set(read_returned(tempoftp_ftpuser, "database"))


def test_states_of_a_share_are_the_contracts() -> None:
    states = set(get_args(ShareResult.model_fields["state"].annotation))
    assert states == {
        *("queued", "probing", "copying", "verifying", "delivered", "blocked"),
        *("failed", "purging", "absent"),
    }
