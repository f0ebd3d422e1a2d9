"""Wait for what the service does: a share until it settles, an audit or a preview until it is made.

A share is shown as a live bar at a terminal, and as plain lines anywhere else.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import chain, repeat
from types import TracebackType
from typing import Any, Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Column

from tempoftp.cli.client import ServiceClient
from tempoftp.cli.exits import ServiceBusy, ServiceFailed, ServiceUnreachable, ShareFailed
from tempoftp.cli.output import (
    ENDING,
    UNDER_WAY,
    format_progress_line,
    format_seconds,
    name_state,
    print_json,
    print_share,
    show_bytes,
    show_text,
)

POLL_SECONDS = 1.0
# The first requests come sooner, because a small share is ready in two or three seconds.
FIRST_POLLS_SECONDS = (0.25, 0.25, 0.5, 0.5)
# How long to go on asking a service that stopped answering: a restart of the service must not end a --watch.
PATIENCE_SECONDS = 60.0

ShareView = Mapping[str, Any]


def wait_while_pending(
    read: Callable[[dict[str, Any]], dict[str, Any]],
    answer: dict[str, Any],
    *,
    poll_seconds: float,
    patience_seconds: float,
    too_late: str,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> dict[str, Any]:
    """Call `read` with the last answer until one is no longer `pendiente`; return that one.

    Raises ServiceFailed after `patience_seconds`, with the message `too_late` and what the service says meanwhile.
    """
    begun = clock()
    while answer.get("estado") == "pendiente":
        if clock() - begun > patience_seconds:
            said = show_text(answer.get("mensaje") or "")
            raise ServiceFailed(f"{too_late} {said}".rstrip())
        sleep(poll_seconds)
        answer = read(answer)
    return answer


class Display(AbstractContextManager["Display"], Protocol):
    """Shows the states of a share one after the other."""

    def show(self, share: ShareView) -> None: ...
    def show_trouble(self, message: str) -> None: ...


def iterate_states(
    client: ServiceClient,
    share_id: str,
    *,
    on_trouble: Callable[[str], None],
    timeout: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[dict[str, Any]]:
    """Yield the share as the service describes it, until it is neither under way nor ending, or until `timeout`.

    When the service cannot be reached or is too busy, ask again for `PATIENCE_SECONDS`, then raise its error.
    """
    silent_since: float | None = None
    deadline = math.inf if timeout is None else clock() + timeout
    for pause in chain(FIRST_POLLS_SECONDS, repeat(POLL_SECONDS)):
        try:
            share = client.get_share(share_id)
        except (ServiceUnreachable, ServiceFailed, ServiceBusy) as error:
            silent_since = clock() if silent_since is None else silent_since
            if clock() - silent_since > PATIENCE_SECONDS or clock() >= deadline:
                raise
            on_trouble(error.message)
        else:
            silent_since = None
            yield share
            if share.get("status") not in UNDER_WAY | ENDING or clock() >= deadline:
                return
        sleep(min(pause, max(0.0, deadline - clock())))


def watch_share(
    client: ServiceClient, share_id: str, console: Console, timeout: float | None = None
) -> dict[str, Any]:
    """Show the share's progress on `console` until it settles, or until `timeout`; return its last state."""
    display: Display = BarDisplay(share_id, console) if console.is_terminal else LineDisplay(console)
    share: dict[str, Any] = {}
    with display:
        for share in iterate_states(client, share_id, on_trouble=display.show_trouble, timeout=timeout):
            display.show(share)
    return share


def finish_watch(
    client: ServiceClient, share_id: str, *, as_json: bool, timeout: float | None = None
) -> None:
    """Follow a share and show its last state. Raises ShareFailed when it did not become ready, or not in time.

    With JSON the progress goes to standard error, so that standard output holds one document and nothing else.
    """
    share = watch_share(client, share_id, Console(stderr=as_json), timeout)
    if as_json:
        print_json(share)
    else:
        print_share(share)
    exit_for_state(share)
    if share.get("status") in UNDER_WAY | ENDING:
        raise ShareFailed(
            f"{share_id} is still {share['status']} after {timeout:g} s: {_explain(share)}. "
            f"The service goes on with it: tempoftp status {share_id} --watch"
        )


def _explain(share: ShareView) -> str:
    """Return why a share is where it is, in the service's words."""
    return show_text(share.get("mensaje") or "no message").rstrip(".")


def exit_for_state(share: Mapping[str, Any]) -> None:
    """Raise `ShareFailed` for a share that will not become ready by itself."""
    if share.get("status") in ("error", "bloqueado", "expirado"):
        raise ShareFailed(
            f"{share.get('id')} is {share['status']}: {show_text(share.get('mensaje') or 'no message')}"
        )


class BarDisplay:
    """A live bar: state, bar, percentage, bytes, rate and time left as the service measured them.

    It fits 80 columns, because the id, which may have 64 characters, is printed above it.
    """

    def __init__(self, share_id: str, console: Console) -> None:
        console.print(share_id, style="bold", markup=False, highlight=False)
        self._progress = Progress(
            SpinnerColumn("dots" if console.encoding.startswith("utf") else "line"),
            _build_fixed_column("state"),
            BarColumn(bar_width=None, table_column=Column(ratio=1)),
            _build_fixed_column("percent"),
            _build_fixed_column("volume"),
            _build_fixed_column("pace"),
            console=console,
            expand=True,
        )
        self._task = self._progress.add_task(share_id, total=None, state="", percent="", volume="", pace="")
        self._last_message = ""

    def __enter__(self) -> BarDisplay:
        self._progress.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, share: ShareView) -> None:
        """Move the bar to the progress that the service reports."""
        progress = share.get("progreso") or {}
        total, done = progress.get("total"), progress.get("bytes") or 0
        if share.get("status") == "listo":
            total, done = total or 1, total or 1
        under_way = share.get("status") in UNDER_WAY
        self._progress.update(
            self._task,
            total=total,
            completed=min(done, total) if total else 0,
            state=name_state(share),
            percent=f"{100 * min(done, total) // total:3d}%" if total else "",
            volume=f"{show_bytes(done)}/{show_bytes(progress['total'])}" if progress.get("total") else "",
            pace=_format_pace(progress) if under_way else "",
        )
        self._note(show_text(share.get("mensaje") or ""))

    def show_trouble(self, message: str) -> None:
        """Print above the bar that the service does not answer."""
        self._note(message)

    def _note(self, message: str) -> None:
        if message and message != self._last_message:
            self._progress.console.print(message, style="dim", markup=False, highlight=False)
        self._last_message = message


def _build_fixed_column(field: str) -> TextColumn:
    return TextColumn(f"{{task.fields[{field}]}}", markup=False, table_column=Column(no_wrap=True))


def _format_pace(progress: Mapping[str, Any]) -> str:
    if not progress.get("velocidad"):
        return ""
    return f"{show_bytes(progress['velocidad'])}/s eta {format_seconds(progress.get('eta'))}"


class LineDisplay:
    """One line when the state, the message or the tenth of the progress changes: for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[object, ...] = ()

    def __enter__(self) -> LineDisplay:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def show(self, share: ShareView) -> None:
        """Print a line if something changed since the last one."""
        percent = (share.get("progreso") or {}).get("porcentaje")
        tenth = int(percent) // 10 if percent is not None else None
        self._print_news((share.get("status"), share.get("mensaje"), tenth), format_progress_line(share))

    def show_trouble(self, message: str) -> None:
        """Print a failure to reach the service, once."""
        self._print_news((message,), message)

    def _print_news(self, news: tuple[object, ...], line: str) -> None:
        if news != self._last:
            click.echo(f"{time.strftime('%H:%M:%S')}  {line}", file=self._console.file)
        self._last = news
