"""Which language a page is in, and what the domain says in it.

The domain gives codes with values. Each has one Spanish text, which is also its message id in the catalogue, so a page
in another language passes the text through gettext before the values are put in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flask import request
from flask_babel import gettext

from tempoftp.http import wording
from tempoftp.http.problems import word_refusal
from tempoftp.phrases import Phrase
from tempoftp.refusals import Refused
from tempoftp.shares import history, messages
from tempoftp.shares.credentials import NEW_PASSWORD_MESSAGE, PASSWORD_MESSAGES

LANGUAGES = ("es", "en")
TRANSLATIONS = Path(__file__).parent / "translations"
COOKIE = "tempoftp_idioma"


def choose_language() -> str:
    """Return the language that was chosen with the switch, else the one that the browser asks for first."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    return request.accept_languages.best_match(LANGUAGES, default=LANGUAGES[0]) or LANGUAGES[0]


def list_sentences() -> Iterator[str]:
    """Return every text that a page may have to say in another language and that no template has."""
    yield from messages.list_texts()
    yield from history.list_texts()
    yield from wording.list_texts()
    yield from (*PASSWORD_MESSAGES.values(), NEW_PASSWORD_MESSAGE)


def say(text: str) -> str:
    """Return a text without values in the language of the page."""
    return str(gettext(text)) if text else ""


def say_refusal(error: Refused) -> str:
    """Return why something was refused, in the language of the page."""
    return word_refusal(error, gettext)


def say_history(reason: Phrase) -> str:
    """Return why something was done, as the history has it, in the language of the page."""
    return history.say_reason(reason, gettext)
