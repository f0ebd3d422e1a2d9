"""`--timeout`: a wait that ends, with the reason why the share is not ready."""

from __future__ import annotations

import json

import pytest

from tempoftp.cli.client import ServiceClient
from tempoftp.cli.exits import ServiceFailed, ServiceUnreachable, ShareFailed
from tempoftp.cli.operators import wait_for_audit
from tempoftp.cli.output import format_progress_line
from tempoftp.cli.shares import follow_log
from tempoftp.cli.watch import iterate_states

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("error", ["source_unreachable", "ftp_host_unreachable", "no_space"])
def test_a_request_whose_source_is_down_ends_with_the_reason(tempoftp, error: str) -> None:
    share_id = f"espera_{error}"
    ended = tempoftp(
        "request", "ana@dominio", share_id, f"source1:/srv/datos/falla-{error}", "--watch", "--timeout", "4"
    )
    assert ended.code == 1
    assert error in ended.out  # on the line
    message = json.loads(tempoftp("status", share_id, "--json").out)["mensaje"]
    assert message.split(".")[0] in ended.err
    assert "after 4 s" in ended.err


def test_status_and_retry_have_it_too(tempoftp) -> None:
    ruta = "source1:/srv/datos/falla-source_unreachable"
    tempoftp("request", "ana@dominio", "espera_2", ruta)
    for command in ("status", "retry"):
        ended = tempoftp(command, "espera_2", "--watch", "--timeout", "1", "--json")
        assert ended.code == 1, command
        assert "is still" in ended.err
        assert json.loads(ended.out)["id"] == "espera_2"


def test_a_share_that_is_ready_in_time_is_ready(tempoftp) -> None:
    argv = ("request", "ana@dominio", "a_tiempo", "source1:/srv/datos/a", "--watch", "--timeout", "60")
    assert tempoftp(*argv).code == 0


@pytest.mark.parametrize(
    "argv", [("request", "a@b", "x", "h:/x"), ("status", "x"), ("retry", "x"), ("log", "x")]
)
def test_a_timeout_needs_something_to_wait_for(tempoftp_alone, argv: tuple[str, ...]) -> None:
    ended = tempoftp_alone(*argv, "--timeout", "5")
    assert ended.code == 2
    assert "--timeout needs" in ended.err


def test_following_a_log_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck:
        def get_events(self, _id: str) -> dict[str, object]:
            return {"eventos": [{"a": "preparando"}]}

        def get_log(self, _id: str, following: int) -> object:
            return type("Piece", (), {"text": "", "following": following})()

    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with pytest.raises(ShareFailed, match="after 7 s"):
        follow_log(Stuck(), "x", 0, as_json=False, timeout=7, sleep=sleep, clock=lambda: now[0])  # type: ignore[arg-type]
    assert now[0] <= 8


def test_a_wait_says_what_the_service_says_meanwhile() -> None:
    class Silent:
        def get_audit(self) -> dict[str, object]:
            return {"estado": "pendiente", "mensaje": "ftp2 está en pausa"}

    ticks = iter(range(0, 10_000, 10))
    with pytest.raises(ServiceFailed, match="ftp2 está en pausa"):
        wait_for_audit(
            Silent(),  # type: ignore[arg-type]
            {"estado": "pendiente"},
            lambda _seconds: None,
            lambda: float(next(ticks)),
            patience_seconds=30,
        )


def test_a_service_that_is_away_until_the_timeout_is_named() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with ServiceClient("http://127.0.0.1:1") as client, pytest.raises(ServiceUnreachable):
        list(
            iterate_states(
                client, "a", on_trouble=lambda _text: None, timeout=5, sleep=sleep, clock=lambda: now[0]
            )
        )
    assert now[0] <= 6


def test_the_class_of_the_error_is_on_the_line_only_while_it_holds_the_share_up() -> None:
    held = {"status": "preparando", "error": "source_unreachable", "mensaje": "No contesta."}
    assert format_progress_line(held) == "preparando (source_unreachable)  No contesta."
    assert format_progress_line(held | {"status": "listo"}) == "listo  No contesta."
