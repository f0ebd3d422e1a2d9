"""Reading what was typed into a form."""

from __future__ import annotations

from flask import request

REASON_LENGTH = 500
DIGITS = 9
"""Most digits of a number: the domain refuses far smaller numbers with a better message."""


def read_field(name: str) -> str:
    """Return the text of a field, without spaces around it; empty for a field that was not sent."""
    return request.form.get(name, "").strip()


def read_reason(name: str) -> str | None:
    """Return the text of a field for a reason, cut at `REASON_LENGTH`; None when it is empty."""
    return read_field(name)[:REASON_LENGTH] or None


def parse_days(typed: str) -> int | None:
    """Return the number that was typed; None for any other text."""
    return int(typed) if typed.isascii() and typed.isdecimal() and len(typed) <= DIGITS else None
