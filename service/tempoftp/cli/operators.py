"""What operators do to the service and its FTP hosts: `pause`, `resume`, `drain`, `health`, `audit` and `expire`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from tempoftp.cli.client import ServiceClient, connect
from tempoftp.cli.command import Command, json_option
from tempoftp.cli.exits import FindingsLeft, NotWell, ServiceFailed
from tempoftp.cli.output import print_json, print_rows, show_bytes, show_text
from tempoftp.cli.watch import wait_while_pending

DRAIN_POLL_SECONDS = 1.0
reason_option = click.option("--reason", help="The reason; `GET /health` shows it.")


@click.command(cls=Command, examples=["tempoftp pause ftp1 --reason 'disco nuevo'"])
@click.argument("host", required=False)
@reason_option
@json_option
def pause(host: str | None, reason: str | None, as_json: bool) -> None:
    """Let no new run start on the FTP host HOST, or on all.

    A run that is in progress continues to its end; `tempoftp drain` waits for it. Requests are accepted and wait.
    """
    with connect() as client:
        _print_hosts(client.pause_hosts(_build_body(host, reason)), as_json=as_json)


@click.command(cls=Command, examples=["tempoftp resume ftp1"])
@click.argument("host", required=False)
@json_option
def resume(host: str | None, as_json: bool) -> None:
    """Let runs start again on the FTP host HOST, or on all."""
    with connect() as client:
        _print_hosts(client.resume_hosts(_build_body(host, None)), as_json=as_json)


@click.command(cls=Command, examples=["tempoftp drain ftp1 --reason 'disco nuevo' --timeout 1200"])
@click.argument("host", required=False)
@reason_option
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=600, show_default=True, help="Seconds to wait at most."
)
@json_option
def drain(host: str | None, reason: str | None, timeout: float, as_json: bool) -> None:
    """Pause, and wait until no run is in progress. `tempoftp resume` ends the pause."""
    with connect() as client:
        answer = client.pause_hosts(_build_body(host, reason))
        names = list(answer["hosts"])
        _print_hosts({"hosts": wait_until_idle(client, names, timeout)}, as_json=as_json)


def wait_until_idle(
    client: ServiceClient,
    names: list[str],
    seconds: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Ask until no run is under way on these hosts; return them. Raises ServiceFailed when that takes too long."""
    deadline = clock() + seconds
    while True:
        hosts = {name: host for name, host in client.get_health()["hosts"].items() if name in names}
        if not any(host["corridas"] for host in hosts.values()):
            return hosts
        if clock() >= deadline:
            busy = ", ".join(name for name, host in hosts.items() if host["corridas"])
            raise ServiceFailed(f"runs are under way still after {seconds:g} s: {busy}. They stay paused.")
        sleep(DRAIN_POLL_SECONDS)


def _build_body(host: str | None, reason: str | None) -> dict[str, object]:
    return {key: value for key, value in (("host", host), ("razon", reason)) if value is not None}


def _print_hosts(answer: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    for name, host in answer["hosts"].items():
        state = "paused" if host["pausado"] else "running"
        click.echo(f"{name}: {state}, {host['corridas']} runs under way")


HEALTH_COLUMNS = ("host", "free", "ftpd", "database", "runs", "seen", "paused")


@click.command(
    cls=Command,
    examples=["tempoftp health", "tempoftp health --json | jq .hosts"],
    exits_1="something does not work",
)
@json_option
def health(as_json: bool) -> None:
    """Show whether the system works, and each FTP host.

    Only operators see what is wrong and on which host.
    """
    with connect() as client:
        answer = client.get_health()
    if as_json:
        print_json(answer)
    else:
        print_rows(
            HEALTH_COLUMNS,
            [_describe_health(name, host) for name, host in (answer.get("hosts") or {}).items()],
        )
        queue = answer.get("cola") or {}
        click.echo(
            f"{answer.get('status')}: {queue.get('pendientes')} shares wait, "
            f"the oldest for {queue.get('edad_segundos')} s",
            err=True,
        )
        for warning in answer.get("advertencias") or ():
            click.echo(f"warning: {warning}", err=True)
        for use in answer.get("cuotas") or ():
            click.echo(_describe_quota(use), err=True)
    if answer.get("status") != "ok":
        raise NotWell("; ".join(answer.get("problemas") or ["something does not work"]))


def _describe_quota(use: Mapping[str, Any]) -> str:
    """Return one line on somebody who is near a quota."""
    parts = [
        f"{show(use[key]['hay'])} of {show(use[key]['limite'])} {word}"
        for key, word, show in (
            ("solicitudes", "shares", str),
            ("abiertas", "on their way", str),
            ("bytes", "", show_bytes),
        )
        if use[key]["limite"]
    ]
    who = "person" if use["de"] == "persona" else "token"
    return f"near its quota: {who} {show_text(use['nombre'])}: {', '.join(part.strip() for part in parts)}"


def _describe_health(name: str, host: Mapping[str, Any]) -> tuple[object, ...]:
    paused = f"{host.get('razon') or 'yes'}" if host.get("pausado") else "no"
    seen = host.get("visto") or "never"
    free = show_bytes(host.get("space_free"))
    return name, free, host.get("ftpd"), host.get("database"), host.get("corridas"), seen, paused


AUDIT_POLL_SECONDS = 2.0
AUDIT_PATIENCE_SECONDS = 600.0


@click.command(
    cls=Command,
    examples=["tempoftp audit", "tempoftp audit --repair --strict"],
    exits_1="--strict, and something is wrong and not repaired",
)
@click.option("--repair", is_flag=True, help="Repair what is safe; unknown data is only listed.")
@click.option(
    "--after-restore",
    is_flag=True,
    help="The database came from a backup: correct its rows from the FTP hosts before anything else is done.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 when something is wrong and not repaired.")
@click.option("--last", is_flag=True, help="Show the last audit instead of making one.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=AUDIT_PATIENCE_SECONDS,
    show_default=True,
    help="Seconds to wait at most.",
)
@json_option
def audit(repair: bool, after_restore: bool, strict: bool, last: bool, timeout: float, as_json: bool) -> None:
    """Compare rows, FTP hosts, accounts, disks and sessions."""
    with connect() as client:
        if last:
            answer = client.get_audit()
        else:
            answer = client.post_audit({"reparar": repair, "tras_restaurar": after_restore})
            answer = wait_for_audit(client, answer, patience_seconds=timeout)
    if as_json:
        print_json(answer)
    else:
        print_audit(answer)
    if strict and (answer.get("total") or answer.get("estado") not in ("limpio", "hallazgos")):
        raise FindingsLeft(f"{answer.get('total')} findings are not repaired ({answer.get('estado')})")


def wait_for_audit(
    client: ServiceClient,
    answer: dict[str, Any],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    *,
    patience_seconds: float = AUDIT_PATIENCE_SECONDS,
) -> dict[str, Any]:
    """Ask again until the audit is made. Raises ServiceFailed when that takes too long."""
    return wait_while_pending(
        lambda _pending: client.get_audit(),
        answer,
        poll_seconds=AUDIT_POLL_SECONDS,
        patience_seconds=patience_seconds,
        too_late="the audit is still not made: is the worker running, and can it reach the FTP hosts?",
        sleep=sleep,
        clock=clock,
    )


def print_audit(answer: Mapping[str, Any]) -> None:
    """Print one line for each finding (host, kind, subject, what to do, detail), then one for each host."""
    hosts: Mapping[str, Any] = answer.get("hosts") or {}
    rows: list[tuple[object, ...]] = []
    for name, host in hosts.items():
        for finding in host.get("hallazgos") or ():
            rows.append(
                (name, finding["kind"], finding["subject"], _choose_action(finding), finding["detail"])
            )
        rows += [(name, "repair failed", failure) for failure in host.get("fallos") or ()]
    print_rows(("host", "finding", "subject", "do", "detail"), rows)
    for name, host in hosts.items():
        click.echo(f"{name}: {_describe_audit(host)}", err=True)


def _choose_action(finding: Mapping[str, Any]) -> str:
    if finding["repaired"]:
        return "repaired"
    return "--repair" if finding["repair"] == "safe" else "look"


def _describe_audit(host: Mapping[str, Any]) -> str:
    parts = []
    if host.get("retenido"):
        parts.append(f"HELD since {host['retenido']['desde']}: {host['retenido']['razon']}")
    if host.get("error"):
        parts.append(f"{host['error']}: {host.get('mensaje')}")
    if host.get("auditado_at") is None:
        return "; ".join([*parts, "not audited yet"])
    wrong = sum(not finding["repaired"] for finding in host.get("hallazgos") or ())
    # Shares that an operator delivered without the service are known and are no findings.
    known = (host.get("cuentas") or {}).get("operator_shares", 0)
    operated = f", {known} shares of operators" if known else ""
    return "; ".join([*parts, f"{wrong} findings{operated}, {host.get('edad_segundos')} s ago"])


@click.command(cls=Command, examples=["tempoftp expire"])
@json_option
def expire(as_json: bool) -> None:
    """Remove every expired share now. The service also does this by itself, about every second."""
    with connect() as client:
        answer = client.expire_shares()
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{answer.get('expiradas')} expired")
