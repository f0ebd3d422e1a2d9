"""Column types for what is told to people: `["code", {values}]` as JSON text."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from tempoftp.phrases import VERBATIM, Phrase


class OnePhrase(TypeDecorator[Phrase]):
    """A phrase."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Phrase | None, dialect: Dialect) -> str | None:
        """Return the JSON text of a phrase."""
        return None if value is None else _write(_pack(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Phrase | None:
        """Return the phrase that a JSON text stands for."""
        return None if value is None else _unpack(_parse(value))


class Phrases(TypeDecorator[tuple[Phrase, ...]]):
    """Several phrases in a row; none at all are an empty text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[Phrase, ...] | None, dialect: Dialect) -> str | None:
        """Return the JSON text of the phrases."""
        return _write([_pack(phrase) for phrase in value]) if value else ""

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Phrase, ...]:
        """Return the phrases that a JSON text stands for."""
        if not value:
            return ()
        packed = _parse(value)
        return (_unpack(packed),) if isinstance(packed[0], str) else tuple(map(_unpack, packed))


def _parse(text: str) -> list[Any]:
    """Return what a JSON text holds. A text that is none came past this code, and is shown as it is."""
    try:
        packed = json.loads(text)
    except ValueError:
        packed = None
    return packed if isinstance(packed, list) and packed else [VERBATIM, {"text": text}]


def _write(packed: list[Any]) -> str:
    return json.dumps(packed, ensure_ascii=False)


def _pack(phrase: Phrase) -> list[Any]:
    return [phrase.code, dict(phrase.params)]


def _unpack(packed: list[Any]) -> Phrase:
    code, params = packed
    return Phrase(code, **params)
