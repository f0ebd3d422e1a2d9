"""The worker's own look at the allow-list. Rows say what is wanted; the API's user can write them.

The FTP host reads a source as root with a key of its own, or as any local user. So a row that names another path, user
or key than the sources file allows must not reach it, whoever wrote the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from tempoftp.db.models import Account, Share
from tempoftp.refusals import InvalidSource, SourceNotAllowed
from tempoftp.results import ResultError
from tempoftp.settings import Settings, SettingsError
from tempoftp.shares.desired_state import DesiredState, read_desired_state
from tempoftp.shares.results import ShareResult
from tempoftp.shares.sources import read_sources
from tempoftp.states import DELIVERED


class StoredSource(Protocol):
    """A source as a row or a request item has it."""

    source: Any
    source_root: Any  # empty in a row, None in an item, when the root is not restricted
    ssh_user: Any
    ssh_key_file: Any
    local: Any


def find_refused(
    settings: Settings, shares: Iterable[Share], accounts: Mapping[str, Account]
) -> dict[str, ShareResult]:
    """Return a failed result for each share that could begin a copy from a source that is not allowed.

    What is delivered already is not copied again, and what is to end needs no source.
    """
    refused = {}
    for share in shares:
        wanted = read_desired_state(share, accounts[share.ftpuser])
        if wanted is DesiredState.ABSENT or share.state in DELIVERED:
            continue
        error = find_error(settings, share)
        if error is not None:
            refused[share.id] = ShareResult(
                id=share.id, generation=share.generation, state="failed", error=error
            )
    return refused


def find_error(settings: Settings, stored: StoredSource) -> ResultError | None:
    """Return why a source must not be read; None when the sources file allows exactly this one."""
    try:
        allowed = read_sources(settings).resolve_source(stored.source)
    except SettingsError as error:
        return ResultError.model_validate({"class": "run_failed", "message": str(error)})
    except (InvalidSource, SourceNotAllowed):
        return _refuse(stored)
    is_same = (
        stored.source,
        stored.source_root or "",
        stored.ssh_user,
        stored.ssh_key_file,
        stored.local,
    ) == (
        allowed.canonical,
        allowed.root if allowed.restricted else "",
        allowed.ssh_user,
        allowed.ssh_key_file,
        allowed.local,
    )
    return None if is_same else _refuse(stored)


def _refuse(stored: StoredSource) -> ResultError:
    text = (
        f"{stored.source} is not what the sources file allows now: ask again, or ask the operator to allow it"
    )
    return ResultError.model_validate({"class": "source_denied", "message": text, "transient": False})
