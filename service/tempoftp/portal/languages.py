"""Which language a page is in, and the domain's own sentences in it.

The domain words its messages and refusals in Spanish, and the history in English, since both are stored or sent as they
are. A page in another language takes them apart by the patterns below and puts them together anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from flask import request
from flask_babel import gettext

from tempoftp.access.recipients import NEW_PASSWORD_MESSAGE
from tempoftp.errors import ERROR_CLASSES
from tempoftp.http import wording
from tempoftp.http.problems import word_refusal
from tempoftp.portal.sentences import HISTORY, MESSAGES
from tempoftp.refusals import Refused
from tempoftp.shares.messages import (
    ERROR_MESSAGES,
    PAUSED_MESSAGE,
    PENDING_MESSAGES,
    READY_WITH_EARLIER_PASSWORD,
    STATE_MESSAGES,
    list_preview_messages,
)

LANGUAGES = ("es", "en")
TRANSLATIONS = Path(__file__).parent / "translations"
COOKIE = "tempoftp_idioma"
_PLACE = re.compile(r"%\((\w+)\)s")


def choose_language() -> str:
    """Return the language that was chosen with the switch, else the one that the browser asks for first."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    return request.accept_languages.best_match(LANGUAGES, default=LANGUAGES[0]) or LANGUAGES[0]


def list_sentences() -> Iterator[str]:
    """Return every text that a page may have to say in another language and that no template holds."""
    for texts in (STATE_MESSAGES, ERROR_MESSAGES, PENDING_MESSAGES):
        yield from texts.values()
    yield from (PAUSED_MESSAGE, READY_WITH_EARLIER_PASSWORD, NEW_PASSWORD_MESSAGE)
    yield from list_preview_messages()
    yield from wording.list_texts()
    yield from MESSAGES
    yield from HISTORY.values()


def say(text: str) -> str:
    """Return a text of the domain in the language of the page; as it is when nobody has translated it."""
    if not text:
        return ""
    known = str(gettext(text))
    if known != text:
        return known
    for pattern, template in _read_patterns():
        found = pattern.fullmatch(text)
        if found is not None:
            return str(gettext(template)) % found.groupdict()
    return text


def say_refusal(error: Refused) -> str:
    """Return why something was refused, in the language of the page."""
    return word_refusal(error, gettext)


def say_message(text: str) -> str:
    """Return a share's `mensaje`: one or more known sentences, and what is behind «Detalle:» as it came."""
    head, mark, detail = text.partition(" Detalle: ")
    said = say(head)
    if said == head:
        said = " ".join(say(part) for part in _split_sentences(head))
    behind = gettext("Detalle:")
    return f"{said} {behind} {detail}" if mark else said


def say_history(reason: str) -> str:
    """Return why something was done, as the history has it, in the language of the page."""
    for pattern, text in _read_history():
        found = pattern.fullmatch(reason)
        if found is not None:
            return str(gettext(text)) % found.groupdict()
    error_class, mark, message = reason.partition(": ")
    if mark and error_class in ERROR_CLASSES:
        return f"{error_class}: {say_message(message)}"
    return say_message(reason)


def _split_sentences(text: str) -> list[str]:
    # No sentence of ours has ". " inside, but for the two of a failure, which are one text.
    known = [
        sentence
        for sentence in (*ERROR_MESSAGES.values(), *STATE_MESSAGES.values())
        if text.startswith(sentence)
    ]
    if known:
        first = max(known, key=len)
        return [first, *_split_sentences(text[len(first) :].strip())] if len(text) > len(first) else [first]
    return re.split(r"(?<=\.) ", text)


@lru_cache
def _read_patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((build_pattern(text), text) for text in MESSAGES)


@lru_cache
def _read_history() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((build_pattern(english), spanish) for english, spanish in HISTORY.items())


def build_pattern(template: str) -> re.Pattern[str]:
    """Return what finds a sentence again that was made from this template, and its values."""
    parts = _PLACE.split(template)
    names = iter(parts[1::2])
    text = "".join(
        re.escape(part) + (f"(?P<{name}>.*)" if (name := next(names, None)) else "") for part in parts[::2]
    )
    return re.compile(text, re.DOTALL)
