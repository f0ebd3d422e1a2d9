from __future__ import annotations

import io
import re

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tempoftp.cli.client import ServiceClient
from tempoftp.cli.main import main
from tempoftp.cli.output import (
    format_progress_line,
    format_seconds,
    print_rows,
    print_share,
    print_share_table,
    show_bytes,
)
from tempoftp.cli.shares import print_preview


def test_an_unknown_size_is_a_question_mark() -> None:
    assert (show_bytes(None), show_bytes(1_536_000)) == ("?", "1.5 MB")


@given(seconds=st.floats(0, 10**7))
def test_seconds_can_be_read_back(seconds: float) -> None:
    hours, minutes, rest = (int(part) for part in format_seconds(seconds).split(":"))
    assert (minutes < 60, rest < 60) == (True, True)
    assert hours * 3600 + minutes * 60 + rest == int(seconds)


def test_a_line_has_state_progress_and_message() -> None:
    progress = {"bytes": 10**6, "total": 4 * 10**6, "porcentaje": 25.0, "velocidad": 10**6, "eta": 3.0}
    share = {"status": "traslado", "progreso": progress, "mensaje": "copying"}
    assert format_progress_line(share) == "traslado  25%  1.0 MB of 4.0 MB  1.0 MB/s  eta 0:00:03  copying"


@given(
    share=st.fixed_dictionaries(
        {"status": st.sampled_from(["recibido", "traslado", "listo", "error"])},
        optional={
            "mensaje": st.none() | st.text(),
            "progreso": st.none()
            | st.fixed_dictionaries(
                {
                    name: st.none() | st.integers(0, 2**60)
                    for name in ("bytes", "total", "archivos", "porcentaje", "velocidad", "eta")
                }
            ),
        },
    )
)
def test_a_line_can_be_made_of_an_incomplete_answer(share: dict[str, object]) -> None:
    assert format_progress_line(share).startswith(str(share["status"]))


def test_a_table_at_a_terminal_shows_values_as_they_are() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80, color_system=None)
    print_share_table(
        [{"id": "a", "estado": "listo", "expira": None, "email": "a@b", "ruta": "s:/x/[red]y"}], console
    )
    assert re.search(r"a +listo +a@b +s:/x/\[red\]y", written.getvalue())


def test_downloads_are_shown_once_they_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    known = {
        "total_descargas": 4,
        "completos": 3,
        "parciales": 1,
        "archivos_total": 5,
        "archivos_completos": 2,
        "ultima_descarga": "2026-11-24T08:12:40Z",
    }
    print_share({"id": "p1", "status": "listo", "descargas": known})
    said = "2 of 5 files fetched, 3 complete and 1 partial downloads, last 2026-11-24T08:12:40Z"
    assert said in capsys.readouterr().out
    print_share({"id": "p1", "status": "listo", "descargas": dict.fromkeys(known)})
    assert "descargas" not in capsys.readouterr().out


def test_a_terminal_gets_a_head_and_a_pipe_gets_values_only(capsys: pytest.CaptureFixture[str]) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80, color_system=None)
    print_rows(("name", "state"), [("a", "[red]b"), ("c", None)], console)
    assert [line.split() for line in written.getvalue().splitlines()] == [
        ["name", "state"],
        ["a", "[red]b"],
        ["c"],
    ]
    print_rows(("name", "state"), [("a", "b"), ("c", None)])
    assert capsys.readouterr().out == "a\tb\nc\t\n"


HOSTILE = "uno\x1b]0;otro titulo\x07\x1b[2J\n\tdos\x9b5m\r"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_texts_of_others_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], is_terminal: bool
) -> None:
    """A recipient writes the reason for more days, and the owner of a file chooses its name."""
    console = Console(file=io.StringIO(), force_terminal=True, width=300, color_system=None)
    print_rows(("motivo",), [(HOSTILE,)], console if is_terminal else None)
    print_share({"id": "p1", "status": "bloqueado", "razon": HOSTILE, "mensaje": HOSTILE})
    preview = {"ruta": "h:/x", "omitidos": {"total": 1, "lista": [HOSTILE]}, "mensaje": HOSTILE, "cabe": None}
    print_preview(preview)
    said = capsys.readouterr().out + (console.file.getvalue() if is_terminal else "")
    said += format_progress_line({"status": "error", "mensaje": HOSTILE}) + "\n"
    assert said.count("uno\\x1b]0;otro titulo") == 6
    assert all(character.isprintable() or character == "\n" for character in said)


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool) -> None:
    share = {"id": "a", "status": "listo", "estado": "listo"}
    monkeypatch.setattr(ServiceClient, "get_share", lambda _self, _id: share)
    monkeypatch.setattr(ServiceClient, "list_shares", lambda _self, _filters: {"solicitudes": [share]})
    environ = {
        "XDG_CONFIG_HOME": "/nonexistent",
        "NO_COLOR": no_color or None,
        "FORCE_COLOR": "1",
        "TERM": "xterm",
    }
    for argv in (["status", "a"], ["list"]):
        ended = CliRunner().invoke(main, argv, env=environ, color=True)
        assert ("\x1b[32m" in ended.stdout) == coloured, argv
