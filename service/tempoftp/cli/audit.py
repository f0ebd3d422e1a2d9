"""`tempoftp audit`: what is not as it should be, and repairing what is safe."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from tempoftp.cli.client import ServiceClient, connect
from tempoftp.cli.command import Command
from tempoftp.cli.exits import FindingsLeft, ServiceFailed
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import print_json, print_rows

POLL_SECONDS = 2.0
PATIENCE_SECONDS = 600.0


@click.command(
    cls=Command,
    examples=["tempoftp audit", "tempoftp audit --repair --strict"],
    exits_1="--strict, and something is wrong and not repaired",
)
@click.option("--repair", is_flag=True, help="Repair what is safe; unknown data is only ever listed.")
@click.option(
    "--after-restore",
    is_flag=True,
    help="The database came from a backup: correct its rows from the FTP hosts before anything is done again.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 when something is wrong and not repaired.")
@click.option("--last", is_flag=True, help="Show the last audit instead of making one.")
@json_option
def audit(repair: bool, after_restore: bool, strict: bool, last: bool, as_json: bool) -> None:
    """Compare rows, FTP hosts, accounts, disks and sessions."""
    with connect() as client:
        if last:
            answer = client.get_audit()
        else:
            answer = client.post_audit({"reparar": repair, "tras_restaurar": after_restore})
            answer = follow(client, answer)
    if as_json:
        print_json(answer)
    else:
        print_audit(answer)
    if strict and (answer.get("total") or answer.get("estado") not in ("limpio", "hallazgos")):
        raise FindingsLeft(f"{answer.get('total')} findings are not repaired ({answer.get('estado')})")


def follow(
    client: ServiceClient,
    answer: dict[str, Any],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Ask again until the audit is made."""
    begun = clock()
    while answer.get("estado") == "pendiente":
        if clock() - begun > PATIENCE_SECONDS:
            raise ServiceFailed(
                "the audit is still not made: is the worker running, and can it reach the FTP hosts?"
            )
        sleep(POLL_SECONDS)
        answer = client.get_audit()
    return answer


def print_audit(answer: Mapping[str, Any]) -> None:
    """One line a finding: host, kind, subject, what to do, detail. Then one line a host."""
    hosts: Mapping[str, Any] = answer.get("hosts") or {}
    rows: list[tuple[object, ...]] = []
    for name, host in hosts.items():
        for finding in host.get("hallazgos") or ():
            rows.append((name, finding["kind"], finding["subject"], _choose_word(finding), finding["detail"]))
        rows += [(name, "repair failed", failure) for failure in host.get("fallos") or ()]
    print_rows(("host", "finding", "subject", "do", "detail"), rows)
    for name, host in hosts.items():
        click.echo(f"{name}: {_describe_host(host)}", err=True)


def _choose_word(finding: Mapping[str, Any]) -> str:
    if finding["repaired"]:
        return "repaired"
    return "--repair" if finding["repair"] == "safe" else "look"


def _describe_host(host: Mapping[str, Any]) -> str:
    parts = []
    if host.get("retenido"):
        parts.append(f"HELD since {host['retenido']['desde']}: {host['retenido']['razon']}")
    if host.get("error"):
        parts.append(f"{host['error']}: {host.get('mensaje')}")
    if host.get("auditado_at") is None:
        return "; ".join([*parts, "not audited yet"])
    wrong = sum(not finding["repaired"] for finding in host.get("hallazgos") or ())
    return "; ".join([*parts, f"{wrong} findings, {host.get('edad_segundos')} s ago"])
