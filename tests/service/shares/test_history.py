"""Every phrase that the code makes has a text, and the API's texts stay as its clients know them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tempoftp
from tempoftp.errors import ShareError
from tempoftp.phrases import Phrase
from tempoftp.shares.history import REASONS, say_reason, word_reason
from tempoftp.shares.messages import FAILURES, describe_error, describe_giving_up, say_phrases

PACKAGE = Path(tempoftp.__file__).parent


def read_literals(node: ast.expr) -> Iterator[str]:
    """Return the codes that an argument may be: a literal, or one of two."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.IfExp):
        yield from read_literals(node.body)
        yield from read_literals(node.orelse)


def read_codes() -> set[str]:
    codes: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Phrase":
                codes |= {code for argument in node.args for code in read_literals(argument)}
    return codes


def test_every_code_has_a_text_and_every_text_is_said() -> None:
    codes = read_codes()
    assert {"requested", "account_unblock_requested", "error"} <= codes
    assert codes - set(REASONS) - FAILURES == set()
    # Blocking puts these codes together.
    blocks = {"block_requested", "account_block_requested"}
    put_together = blocks | {f"{code}_because" for code in blocks}
    assert set(REASONS) - codes - put_together == set()


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Phrase("requested"), "requested"),
        (Phrase("all_fetched", hours=2.0), "every file was fetched, and nothing more for 2 h"),
        (Phrase("host_ended", why="expired"), "the FTP host had ended it (expired)"),
        (Phrase("access_shown_to_recipient", shown="ajena"), "credentials shown to the recipient (ajena)"),
        (Phrase("lifetime_kept", days=3, why="no_space"), "lifetime stays at 3 days: no_space"),
        (Phrase("restored", why="the FTP host has it"), "restored: the FTP host has it"),
        (Phrase("verbatim", text="100 % of it"), "100 % of it"),
        (
            describe_error(ShareError.of("too_large", "1 TB")),
            "too_large: Los datos no caben en el servidor FTP ni aun vacío, o son demasiados archivos; pida menos. "
            "Detalle: 1 TB",
        ),
    ],
)
def test_the_api_says_it_in_english(reason: Phrase, text: str) -> None:
    assert word_reason(reason) == text


def test_a_page_says_it_in_spanish() -> None:
    assert say_reason(Phrase("days_asked", days=5)) == "Se pidieron 5 días más."


def test_a_message_says_one_phrase_after_the_other() -> None:
    given_up = describe_giving_up(ShareError.of("no_space", "disk full"), 1.5)
    assert say_phrases((Phrase("lifetime_kept", days=3), given_up)) == (
        "La vigencia no se pudo cambiar y sigue en 3 días. Se abandonó tras 1.5 h de reintentos. "
        "No hay espacio libre en el servidor FTP por ahora. Detalle: disk full"
    )
