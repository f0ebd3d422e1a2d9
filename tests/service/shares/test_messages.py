"""Every state and every error class has words for the people who use the service."""

from __future__ import annotations

from tempoftp.errors import ERROR_CLASSES, ShareError
from tempoftp.shares.messages import (
    ERROR_MESSAGES,
    STATE_MESSAGES,
    describe_error,
    describe_giving_up,
    say_phrase,
)
from tempoftp.states import State


def test_every_state_and_every_class_is_told() -> None:
    assert set(STATE_MESSAGES) == set(State)
    assert set(ERROR_MESSAGES) == set(ERROR_CLASSES)


def test_only_what_passes_promises_another_try() -> None:
    promising = {name for name, text in ERROR_MESSAGES.items() if "se reintentará" in text}
    assert promising == {name for name, entry in ERROR_CLASSES.items() if entry.transient} - {
        "password_scheme"
    }


def test_the_technical_detail_is_kept() -> None:
    error = ShareError.of("source_unreachable", "ssh: connect to host source1 port 22: timed out")
    assert say_phrase(describe_error(error)).endswith(
        "Detalle: ssh: connect to host source1 port 22: timed out"
    )


def test_giving_up_promises_nothing() -> None:
    for name in ERROR_CLASSES:
        told = say_phrase(describe_giving_up(ShareError.of(name, "x"), 24))
        assert told.startswith("Se abandonó tras 24 h")
        assert "se reintentará" not in told
