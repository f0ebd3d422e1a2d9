"""How answers of the API are shown at a terminal: one function for each view.

Only a table imports rich, because many commands print none and then start in half the time.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from tempoftp.units import format_bytes

if TYPE_CHECKING:
    from rich.console import Console

UNDER_WAY = frozenset({"recibido", "preparando", "traslado"})
ENDING = frozenset({"expirando", "eliminando"})
LIST_COLUMNS = ("id", "estado", "expira", "email", "ruta")
STATE_COLOURS = {"listo": "green", "error": "red", "bloqueado": "yellow", "expirado": "yellow"}


def print_json(value: object) -> None:
    """Print one JSON document on one line of standard output."""
    # What the output cannot encode is escaped as JSON does: backslashes of another kind would break the document.
    click.echo(json.dumps(value, ensure_ascii=not can_show_all(sys.stdout.encoding)))


def can_show_all(encoding: str | None) -> bool:
    """Whether an output of this encoding has every character."""
    return (encoding or "ascii").lower().startswith("utf")


def let_output_escape() -> None:
    """Let standard output and error escape a character that they cannot encode, instead of failing after the work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show_text(value: object) -> str:
    """Return a value without control characters: texts of others must neither steer the terminal nor begin a line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))


def show_bytes(count: float | None) -> str:
    """`1536000` → `1.5 MB`; unknown → `?`."""
    return "?" if count is None else format_bytes(count)


def format_seconds(seconds: float | None) -> str:
    """`75` → `0:01:15`; unknown → `-:--:--`."""
    if seconds is None:
        return "-:--:--"
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def format_progress_line(share: Mapping[str, Any]) -> str:
    """Return one plain line: state, percentage, bytes, rate, time left and the service's message."""
    parts = [name_state(share)]
    progress = share.get("progreso") or {}
    if progress.get("total"):
        parts.append(f"{_percentage(progress):.0f}%")
        parts.append(f"{show_bytes(progress.get('bytes') or 0)} of {show_bytes(progress['total'])}")
        if share.get("status") in UNDER_WAY and progress.get("velocidad"):
            parts.append(f"{show_bytes(progress['velocidad'])}/s")
            parts.append(f"eta {format_seconds(progress.get('eta'))}")
    if share.get("mensaje"):
        parts.append(show_text(share["mensaje"]))
    return "  ".join(parts)


def name_state(share: Mapping[str, Any]) -> str:
    """Return the state, and for a share on its way the class of the error that holds it up."""
    state = str(share.get("status", "?"))
    return f"{state} ({share['error']})" if share.get("error") and state in UNDER_WAY | ENDING else state


def _percentage(progress: Mapping[str, Any]) -> float:
    if progress.get("porcentaje") is not None:
        return float(progress["porcentaje"])
    return 100.0 * float(progress.get("bytes") or 0) / float(progress["total"])


def print_share(share: Mapping[str, Any]) -> None:
    """Print one share: what it is, and how to fetch it once it is ready.

    Values are never wrapped, because people copy tokens and paths.
    """
    print_facts(_describe_share(share), {"status": STATE_COLOURS.get(str(share.get("status")))})
    if share.get("usuario") and share.get("password_tipo") != "hash":
        click.echo(click.style(f"clear password: tempoftp credentials {share.get('id')}", dim=True))


def print_credentials(answer: Mapping[str, Any]) -> None:
    """Print how to log in to a share; without the password where it cannot be shown."""
    rows = [(key, str(answer[key])) for key in ("id", "usuario", "password") if answer.get(key)]
    rows += _describe_server(answer.get("servidor") or {})
    rows += [(key, str(answer[key])) for key in ("homedir", "directorio", "expira") if answer.get(key)]
    print_facts(rows)


def print_facts(rows: Sequence[tuple[str, str]], colours: Mapping[str, str | None] | None = None) -> None:
    """Print one line for each label and value; `colours` by label."""
    width = max(len(label) for label, _value in rows)
    for label, value in rows:
        shown = click.style(show_text(value), fg=(colours or {}).get(label))
        click.echo(f"{click.style(label.ljust(width), bold=True)}  {shown}")


def _describe_server(server: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not server:
        return []
    tls = "TLS" if server.get("tls") else "no TLS"
    rows = [("servidor", f"{server.get('host')}:{server.get('puerto')} ({tls})")]
    if server.get("huella"):
        rows.append(("huella", str(server["huella"])))
    return rows


def _describe_share(share: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("id", str(share.get("id"))), ("status", str(share.get("status")))]
    if share.get("mensaje"):
        rows.append(("mensaje", str(share["mensaje"])))
    if share.get("pendiente"):
        rows.append(("pendiente", ", ".join(share["pendiente"])))
    rows.extend((key, str(share[key])) for key in ("razon", "alcance") if share.get(key))
    progress = share.get("progreso") or {}
    if progress.get("total") is not None:
        done = f"{show_bytes(progress.get('bytes') or 0)} of {show_bytes(progress['total'])}"
        files = progress.get("archivos")
        rows.append(("progreso", f"{done}, {files} files" if isinstance(files, int) else done))
    rows.extend((key, str(share[key])) for key in ("usuario", "password", "password_tipo") if share.get(key))
    rows += _describe_server(share.get("servidor") or {})
    rows.extend(
        (key, str(share[key])) for key in ("homedir", "directorio", "vigencia", "expira") if share.get(key)
    )
    downloads = share.get("descargas") or {}
    if downloads.get("total_descargas") is not None:
        rows.append(("descargas", _describe_downloads(downloads)))
    return rows


def _describe_downloads(downloads: Mapping[str, Any]) -> str:
    """Return one line: how much of the share was fetched, how often, and when last."""
    parts = [
        f"{downloads.get('archivos_completos')} of {downloads.get('archivos_total')} files fetched",
        f"{downloads.get('completos')} complete and {downloads.get('parciales')} partial downloads",
    ]
    if downloads.get("ultima_descarga"):
        parts.append(f"last {downloads['ultima_descarga']}")
    return ", ".join(parts)


def print_change(answer: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what a change led to: the share's state, and what still waits for its FTP host."""
    if as_json:
        print_json(answer)
        return
    parts = [f"{answer.get('id')}: {answer.get('status')}"]
    if answer.get("expira"):
        parts.append(f"until {answer['expira']}")
    if answer.get("pendiente"):
        parts.append(f"waiting for the FTP host: {', '.join(answer['pendiente'])}")
    click.echo("  ".join(parts))


def print_share_table(shares: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print one line for each share, its state in colour."""
    rows = [[share.get(column) for column in LIST_COLUMNS] for share in shares]
    print_rows(LIST_COLUMNS, rows, console, no_wrap=("estado", "expira"))


def print_rows(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    console: Console | None = None,
    *,
    no_wrap: Sequence[str] = (),
) -> None:
    """Print a table with a head at a terminal, else tab-separated values for `cut` and `grep`."""
    from rich.console import Console

    console = console or Console()
    encoding = console.encoding or "ascii"

    def show(value: object) -> str:
        # Escaped here and not by the stream, so that the columns of the table fit.
        return "" if value is None else show_text(value).encode(encoding, "backslashreplace").decode(encoding)

    shown = [[show(value) for value in row] for row in rows]
    if not console.is_terminal:
        for row in shown:
            click.echo("\t".join(row))
        return
    if not rows:
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(
            column, overflow="fold", no_wrap=column in no_wrap, min_width=min(8, len(column) + 2)
        )
    for row in shown:
        # Text and not str, because rich would read markup in a string.
        table.add_row(*(Text(value, style=STATE_COLOURS.get(value, "")) for value in row))
    console.print(table)
