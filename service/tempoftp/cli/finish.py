"""What `request --watch` and `status --watch` have in common: follow, show the end, choose the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console

from tempoftp.cli.client import ServiceClient
from tempoftp.cli.exits import ShareFailed
from tempoftp.cli.output import print_json, print_share
from tempoftp.cli.watch import watch_share

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead.")
watch_option = click.option("--watch", is_flag=True, help="Follow the share until it is ready or has failed.")


def finish_watch(client: ServiceClient, share_id: str, *, as_json: bool) -> None:
    """Follow a share, show its last state, and fail if that is not the one hoped for.

    With JSON the progress goes to standard error, so that standard output holds one document and nothing else.
    """
    share = watch_share(client, share_id, Console(stderr=as_json))
    if as_json:
        print_json(share)
    else:
        print_share(share)
    exit_for_state(share)


def exit_for_state(share: Mapping[str, Any]) -> None:
    """Raise `ShareFailed` for a share that will not become ready by itself."""
    if share.get("status") in ("error", "bloqueado", "expirado"):
        raise ShareFailed(f"{share.get('id')} is {share['status']}: {share.get('mensaje') or 'no message'}")
