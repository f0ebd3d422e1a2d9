"""Terminals that cannot show every character: what they cannot show is escaped, and nothing fails after the work."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tempoftp.cli.output import print_rows
from tempoftp.cli.watch import BarDisplay

pytestmark = pytest.mark.processes

TEMPOFTP = str(Path(sys.executable).with_name("tempoftp"))
ENCODINGS = ["latin-1", "ascii", "cp1252", "utf-8"]
EMAIL = "мария@dominio.example"


def run_at_terminal(environ: dict[str, str], *argv: str) -> tuple[int, bytes]:
    """Run a command whose output is a terminal; return the exit code and what the terminal got."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [TEMPOFTP, *argv], env=environ | {"TERM": "xterm", "COLUMNS": "80"}, stdout=follower, stderr=follower
    ) as process:
        os.close(follower)
        got = b""
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            got += piece
    os.close(leader)
    return process.returncode, got


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_watch_at_such_a_terminal_works(service, encoding: str) -> None:
    name = f"pantalla_{encoding.replace('-', '_')}"
    environ = service.environ | {"PYTHONIOENCODING": encoding}
    code, got = run_at_terminal(
        environ, "request", "ana@dominio", name, "source1:/srv/datos/niño-☂-2", "--watch"
    )
    assert b"Traceback" not in got
    assert code == 0, got
    assert b"listo" in got
    assert ("⠋".encode() in got) == (encoding == "utf-8")
    assert b"\\u28" not in got  # the spinner is one that it can show


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_table_with_foreign_letters_works(service, tempoftp, encoding: str) -> None:
    share_id = f"tabla_{encoding.replace('-', '_')}"
    assert tempoftp("request", EMAIL, share_id, "source1:/srv/datos/a").code == 0
    environ = service.environ | {"PYTHONIOENCODING": encoding}
    for argv in (("list",), ("status", share_id), ("events", share_id)):
        code, got = run_at_terminal(environ, *argv)
        assert b"Traceback" not in got
        assert code == 0, got
    _code, got = run_at_terminal(environ, "status", share_id, "--json")
    assert json.loads(got.decode(encoding))["email"] == EMAIL


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_pipe_gets_json_that_can_be_read(service, tempoftp, encoding: str) -> None:
    share_id = f"tubo_{encoding.replace('-', '_')}"
    assert tempoftp("request", "ñ-😀@dominio", share_id, "source1:/srv/datos/ñ-😀").code in (0, 4)
    environ = service.environ | {"PYTHONIOENCODING": encoding}
    ended = subprocess.run([TEMPOFTP, "list", "--json"], env=environ, capture_output=True, check=True)
    assert json.loads(ended.stdout.decode(encoding))["total"] >= 0


def test_the_columns_of_a_table_fit_what_is_escaped() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="backslashreplace")
    console = Console(file=stream, force_terminal=True, width=60, color_system=None)
    print_rows(("email", "estado"), [("мария@x", "listo"), ("ana@x", "listo")], console)
    stream.flush()
    _head, first, second = raw.getvalue().decode("ascii").splitlines()
    assert first.index("listo") == second.index("listo")
    assert "\\u043c" in first


@pytest.mark.parametrize(("encoding", "frames"), [("utf-8", "⠋"), ("latin-1", "-"), ("koi8-r", "-")])
def test_the_spinner_is_one_that_the_terminal_has(encoding: str, frames: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    display = BarDisplay("a", Console(file=stream, force_terminal=True, width=80))
    spinner = display._progress.columns[0]
    assert frames in "".join(spinner.spinner.frames)  # type: ignore[attr-defined]
    "".join(spinner.spinner.frames).encode(encoding)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["a\udcf1o", "\udcff"])
def test_an_argument_that_is_no_text_is_refused_without_a_traceback(tempoftp, name: str) -> None:
    ended = tempoftp("request", "ana@dominio", "x1", f"source1:/srv/datos/{name}")
    assert ended.code in (2, 4)
    assert "Traceback" not in ended.err
