"""`tempoftp request`, `status`, `list` and `log` against the running service."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes


def test_request_asks_for_a_share(tempoftp) -> None:
    ended = tempoftp("request", "pide@dominio", "pide_1", "source1:/srv/datos/goes", "--vigencia", "3")
    assert (ended.code, ended.out) == (0, "pide_1: recibido\n")


def test_request_with_json_prints_the_answer_of_the_service(tempoftp) -> None:
    ended = tempoftp("request", "pide@dominio", "pide_json", "source1:/srv/datos/goes", "--json")
    assert ended.code == 0
    assert json.loads(ended.out) == {"id": "pide_json", "status": "recibido"}


def test_watch_follows_until_it_is_ready_in_plain_lines_without_a_terminal(tempoftp) -> None:
    ended = tempoftp("request", "sigue@dominio", "sigue_1", "source1:/srv/datos/tarda-2", "--watch")
    assert ended.code == 0, ended.err
    states = [line.split()[1] for line in ended.out.splitlines() if line[:2].isdigit()]
    assert states[-1] == "listo"
    assert "traslado" in states
    assert "tempoftp credentials sigue_1" in ended.out
    assert "\x1b" not in ended.out


def test_watch_with_json_leaves_one_document_on_standard_output(tempoftp) -> None:
    ended = tempoftp(
        "request", "sigue@dominio", "sigue_json", "source1:/srv/datos/tarda-0", "--watch", "--json"
    )
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["status"] == "listo"
    assert "listo" in ended.err


def test_watch_of_a_share_that_fails_says_why_and_exits_1(tempoftp) -> None:
    ended = tempoftp(
        "request", "falla@dominio", "falla_1", "source1:/srv/datos/falla-source_not_found", "--watch"
    )
    assert ended.code == 1
    assert "falla_1 is error" in ended.err
    assert "source_not_found" in ended.err


def test_a_refusal_exits_4_with_the_message_of_the_service(tempoftp) -> None:
    ended = tempoftp("request", "pide@dominio", "pide_mal", "source9:/srv/datos/goes")
    assert ended.code == 4
    assert "Origen no permitido" in ended.err
    assert "HTTP 403" in ended.err
    assert ended.out == ""


def test_a_missing_argument_exits_2(tempoftp) -> None:
    assert tempoftp("request", "pide@dominio", "pide_2").code == 2
    assert (
        tempoftp("request", "pide@dominio", "pide_2", "source1:/srv/datos/x", "--vigencia", "tres").code == 2
    )


TEMPOFTP = str(Path(sys.executable).with_name("tempoftp"))
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_status_shows_how_to_log_in(tempoftp) -> None:
    tempoftp("request", "mira@dominio", "mira_1", "source1:/srv/datos/tarda-0", "--watch")
    ended = tempoftp("status", "mira_1")
    assert ended.code == 0
    shown = dict(line.split(maxsplit=1) for line in ended.out.splitlines())
    assert shown["status"] == "listo"
    assert shown["usuario"] == "ftp_mira_dominio"
    assert shown["password_tipo"] == "fernet"
    assert shown["servidor"].startswith("ftp.simulado.invalid:21")
    # A long token stays on one line, so that it can be copied.
    assert len(shown["password"]) >= 100


def test_status_with_json_prints_the_answer_of_the_service(tempoftp) -> None:
    tempoftp("request", "mira@dominio", "mira_json", "source1:/srv/datos/tarda-0", "--watch")
    share = json.loads(tempoftp("status", "mira_json", "--json").out)
    assert (share["id"], share["status"]) == ("mira_json", "listo")
    assert share["progreso"]["bytes"] == share["progreso"]["total"] > 0


def test_credentials_shows_the_password_in_clear_without_a_key(tempoftp) -> None:
    assert tempoftp("request", "entra@dominio", "entra_1", "source1:/srv/datos/a", "--watch").code == 0
    shown = tempoftp("credentials", "entra_1", TEMPOFTP_ENCRYPTION_KEY="")
    assert shown.code == 0, shown.err
    rows = dict(line.split(maxsplit=1) for line in shown.out.splitlines())
    assert (rows["id"], rows["usuario"], len(rows["password"])) == ("entra_1", "ftp_entra_dominio", 20)
    assert rows["servidor"].endswith("(TLS)")
    assert tempoftp("decrypt", "--id", "entra_1").out.strip() == rows["password"]
    assert json.loads(tempoftp("credentials", "entra_1", "--json").out)["password"] == rows["password"]
    assert "password shown" in tempoftp("events", "entra_1").out


def test_credentials_without_a_password_says_why_and_exits_6(tempoftp) -> None:
    for share_id in ("luego_1", "luego_2"):
        asked = tempoftp("request", "luego@dominio", share_id, "source1:/srv/datos/a", "--watch")
        assert asked.code == 0, asked.err
    shown = tempoftp("credentials", "luego_2")
    assert (shown.code, "password" in shown.out) == (6, False)
    assert "usuario" in shown.out
    assert "sigue valiendo" in shown.err


def test_credentials_of_an_unknown_share_exits_4(tempoftp) -> None:
    assert tempoftp("credentials", "nadie").code == 4


def test_watch_draws_a_live_bar_at_a_terminal(tempoftp, service) -> None:
    tempoftp("request", "barra@dominio", "barra_1", "source1:/srv/datos/tarda-3")
    code, screen = run_at_terminal(service, "status", "barra_1", "--watch")
    assert code == 0
    assert "━" in screen
    assert re.search(r"traslado .*\d+% .*MB/.*MB/s eta \d:\d\d:\d\d", screen)
    assert re.search(r"listo .*100%", screen)


def test_status_of_a_failed_share_exits_1(tempoftp) -> None:
    tempoftp("request", "mira@dominio", "mira_falla", "source1:/srv/datos/falla-too_large", "--watch")
    ended = tempoftp("status", "mira_falla")
    assert ended.code == 1
    assert "too_large" in ended.err


def test_status_of_an_unknown_share_exits_4(tempoftp) -> None:
    for share_id in ("no_existe", "a/b", "ñ", "{{ 7*7 }}", "a\nb"):
        ended = tempoftp("status", share_id)
        assert ended.code == 4, ended
        assert "HTTP 404" in ended.err


def run_at_terminal(service, *argv: str) -> tuple[int, str]:
    """Run a command on a pseudo-terminal of 80 columns; return its exit code and its output without colours."""
    leader, follower = pty.openpty()
    environ = service.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(
        [TEMPOFTP, *argv], env=environ, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    written = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([leader], [], [], 1)
        if not ready:
            continue
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # the command has ended and closed its side
            break
        if not chunk:
            break
        written += chunk
    os.close(leader)
    return process.wait(timeout=10), ANSI.sub("", written.decode())


def test_an_interrupted_watch_exits_130(tempoftp, service) -> None:
    tempoftp("request", "corta@dominio", "corta_1", "source1:/srv/datos/tarda-600")
    # Tests in a shell's background ignore SIGINT, and a child would inherit that.
    command = ["env", "--default-signal=INT", TEMPOFTP, "status", "corta_1", "--watch"]
    with subprocess.Popen(
        command, env=service.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        _out, err = watching.communicate(timeout=30)
    assert watching.returncode == 130
    assert b"Traceback" not in err


def test_list_prints_one_line_for_each_share(tempoftp) -> None:
    for number in (1, 2):
        tempoftp("request", "lista@dominio", f"lista_{number}", "source1:/srv/datos/tarda-0", "--watch")
    ended = tempoftp("list", "--usuario", "lista@dominio")
    assert ended.code == 0
    rows = [line.split("\t") for line in ended.out.splitlines()]
    assert [row[:2] for row in rows] == [["lista_2", "listo"], ["lista_1", "listo"]]
    assert rows[0][3:] == ["lista@dominio", "lanotadm@source1:/srv/datos/tarda-0"]


def test_list_continues_at_the_cursor_of_its_answer(tempoftp) -> None:
    for number in (1, 2):
        tempoftp("request", "hoja@dominio", f"hoja_{number}", "source1:/srv/datos/goes")
    first = json.loads(tempoftp("list", "--usuario", "hoja@dominio", "--limite", "1", "--json").out)
    assert (first["total"], [share["id"] for share in first["solicitudes"]]) == (2, ["hoja_2"])
    second = tempoftp("list", "--usuario", "hoja@dominio", "--limite", "1", "--cursor", first["siguiente"])
    assert second.out.startswith("hoja_1\t")


def test_list_with_a_wrong_filter_exits_4(tempoftp) -> None:
    ended = tempoftp("list", "--estado", "nada")
    assert ended.code == 4
    assert "estado" in ended.err


def test_log_shows_what_the_runs_did(tempoftp) -> None:
    tempoftp("request", "log@dominio", "log_1", "source1:/srv/datos/tarda-0", "--watch")
    ended = tempoftp("log", "log_1", "--follow")
    assert ended.code == 0
    assert "state=listo" in ended.out.splitlines()[-1]
    answer = json.loads(tempoftp("log", "log_1", "--json").out)
    assert answer["lineas"] == ended.out.splitlines()
    assert tempoftp("log", "log_1", "--from", str(answer["siguiente"])).out == ""
    assert tempoftp("log", "log_1", "--from", "0").out == ended.out


def test_log_follow_ends_when_the_share_has_settled(tempoftp) -> None:
    tempoftp("request", "log@dominio", "log_2", "source1:/srv/datos/tarda-3")
    ended = tempoftp("log", "log_2", "--follow")
    assert ended.code == 0
    assert "state=listo" in ended.out.splitlines()[-1]
    assert len(ended.out.splitlines()) == len(set(ended.out.splitlines()))


def test_log_of_an_unknown_share_exits_4(tempoftp) -> None:
    assert tempoftp("log", "no_existe").code == 4
    assert tempoftp("log", "log_1", TEMPOFTP_TOKEN="otra").code == 4
