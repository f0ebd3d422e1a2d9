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

TEMPOFTP = str(Path(sys.executable).with_name("tempoftp"))
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_shows_how_to_log_in(tempoftp) -> None:
    tempoftp("request", "mira@dominio", "mira_1", "source1:/srv/datos/tarda-0", "--watch")
    ended = tempoftp("status", "mira_1")
    assert ended.code == 0
    shown = dict(line.split(maxsplit=1) for line in ended.out.splitlines())
    assert shown["status"] == "listo"
    assert shown["usuario"] == "ftp_mira_dominio"
    assert shown["password_tipo"] == "fernet"
    assert shown["servidor"].startswith("ftp.simulado.invalid:21")
    # The token is on one line, however long: it is there to be copied.
    assert len(shown["password"]) >= 100


def test_json_is_the_services_answer(tempoftp) -> None:
    tempoftp("request", "mira@dominio", "mira_json", "source1:/srv/datos/tarda-0", "--watch")
    share = json.loads(tempoftp("status", "mira_json", "--json").out)
    assert (share["id"], share["status"]) == ("mira_json", "listo")
    assert share["progreso"]["bytes"] == share["progreso"]["total"] > 0


def test_watch_draws_a_live_bar_at_a_terminal(tempoftp, service) -> None:
    tempoftp("request", "barra@dominio", "barra_1", "source1:/srv/datos/tarda-3")
    code, screen = run_at_terminal(service, "status", "barra_1", "--watch")
    assert code == 0
    assert "━" in screen
    assert re.search(r"traslado .*\d+% .*MiB/.*MiB/s eta \d:\d\d:\d\d", screen)
    assert re.search(r"listo .*100%", screen)


def test_of_a_failed_share_exits_1(tempoftp) -> None:
    tempoftp("request", "mira@dominio", "mira_falla", "source1:/srv/datos/falla-too_large", "--watch")
    ended = tempoftp("status", "mira_falla")
    assert ended.code == 1
    assert "too_large" in ended.err


def test_of_what_is_no_share_exits_4(tempoftp) -> None:
    for share_id in ("no_existe", "a/b", "ñ", "{{ 7*7 }}", "a\nb"):
        ended = tempoftp("status", share_id)
        assert ended.code == 4, ended
        assert "HTTP 404" in ended.err


def run_at_terminal(service, *argv: str) -> tuple[int, str]:
    """Run a command on a pseudo-terminal of 80 columns; returns its exit code and what it wrote, without colours."""
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
        except OSError:  # the other side is closed: the command has ended
            break
        if not chunk:
            break
        written += chunk
    os.close(leader)
    return process.wait(timeout=10), ANSI.sub("", written.decode())


def test_an_interrupt_of_a_watch_is_not_a_failure_of_the_share(tempoftp, service) -> None:
    tempoftp("request", "corta@dominio", "corta_1", "source1:/srv/datos/tarda-600")
    # Whoever runs the tests in the background has the signal ignored, and a child inherits that.
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
