"""`tempoftp pause|resume [HOST]` and `tempoftp drain [HOST]`: maintenance of the FTP hosts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from tempoftp.cli.client import ServiceClient, connect
from tempoftp.cli.command import Command
from tempoftp.cli.exits import ServiceFailed
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import print_json

POLL_SECONDS = 1.0
reason_option = click.option("--reason", help="Why; `GET /health` shows it.")


@click.command(cls=Command, examples=["tempoftp pause ftp1 --reason 'disco nuevo'"])
@click.argument("host", required=False)
@reason_option
@json_option
def pause(host: str | None, reason: str | None, as_json: bool) -> None:
    """Let no new run start on the FTP host HOST, or on all.

    A run that is under way ends; see `tempoftp drain` to wait for that. Requests are taken on and wait.
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
    """Pause, and wait until no run is under way any more. `tempoftp resume` ends it."""
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
    """Ask until no run is under way on these hosts; returns them. `ServiceFailed` when that takes too long."""
    deadline = clock() + seconds
    while True:
        hosts = {name: host for name, host in client.get_health()["hosts"].items() if name in names}
        if not any(host["corridas"] for host in hosts.values()):
            return hosts
        if clock() >= deadline:
            busy = ", ".join(name for name, host in hosts.items() if host["corridas"])
            raise ServiceFailed(f"runs are under way still after {seconds:g} s: {busy}. They stay paused.")
        sleep(POLL_SECONDS)


def _build_body(host: str | None, reason: str | None) -> dict[str, object]:
    return {key: value for key, value in (("host", host), ("razon", reason)) if value is not None}


def _print_hosts(answer: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    for name, host in answer["hosts"].items():
        state = "paused" if host["pausado"] else "running"
        click.echo(f"{name}: {state}, {host['corridas']} runs under way")
