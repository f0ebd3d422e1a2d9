"""Every code that is raised has a text at its edge, and every text is said by some code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tempoftp
from tempoftp.access.identities import IdentityRevoked
from tempoftp.cli import wording as command_line
from tempoftp.http import wording
from tempoftp.http.problems import Problem
from tempoftp.phrases import fill
from tempoftp.refusals import InvalidRequest, InvalidSource, Refused

PACKAGE = Path(tempoftp.__file__).parent
WORDING_FILES = {PACKAGE / "http/wording.py", PACKAGE / "cli/wording.py"}
COMMAND_LINE_ONLY = {
    PACKAGE / "accounts/map.py",
    PACKAGE / "access/tokens.py",
    PACKAGE / "access/identities.py",
}


def list_kinds(kind: type[Exception]) -> Iterator[str]:
    yield kind.__name__
    for below in kind.__subclasses__():
        yield from list_kinds(below)


KINDS = {*list_kinds(Refused), *list_kinds(Problem)}
FIELD_FIRST = set(list_kinds(InvalidRequest)) - {InvalidSource.__name__}


def read_raised(path: Path) -> Iterator[str]:
    """Return the codes that a file raises, where they stand as literals."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
            place = 1 if node.func.id in FIELD_FIRST else 0
            code = node.args[place] if len(node.args) > place else None
            if isinstance(code, ast.Constant) and isinstance(code.value, str):
                yield code.value


def read_raised_by_all(paths: set[Path]) -> set[str]:
    return {code for path in paths for code in read_raised(path)}


def read_literals() -> set[str]:
    return {
        node.value
        for path in set(PACKAGE.rglob("*.py")) - WORDING_FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_code_that_is_raised_has_a_text() -> None:
    assert IdentityRevoked.__name__ in KINDS
    everywhere = read_raised_by_all(set(PACKAGE.rglob("*.py")) - COMMAND_LINE_ONLY)
    assert {"id_in_use", "lifetime_out_of_bounds", "source_malformed", "rate_limited"} <= everywhere
    assert everywhere - set(wording.REFUSALS) == set()
    commands = read_raised_by_all(COMMAND_LINE_ONLY)
    assert {"token_not_found", "account_used"} <= commands
    assert commands - set(command_line.REFUSALS) == set()


def test_every_text_is_said() -> None:
    literals = read_literals()
    said_by_status = set(wording.HTTP_CODES.values())
    assert set(wording.REFUSALS) - literals - said_by_status == set()
    assert set(command_line.REFUSALS) - literals == set()


def test_the_status_of_an_http_error_is_that_of_its_code() -> None:
    for http_status, code in wording.HTTP_CODES.items():
        assert wording.REFUSALS[code].http_status == http_status


@pytest.mark.parametrize("code", [*wording.REFUSALS, *command_line.REFUSALS])
def test_a_code_is_a_stable_english_word(code: str) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)


def test_lists_are_joined_and_quoted_values_keep_their_quotes() -> None:
    text = wording.REFUSALS["host_not_found"].detail
    params = {"name": "it's", "names": ["ftp1", "ftp2"]}
    assert fill(text, params) == 'no hay un servidor FTP "it\'s"; hay ftp1, ftp2'


def test_the_page_of_the_api_names_every_code() -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    only_in_the_portal = {"form_expired", "token_not_found"}
    assert {code for code in wording.REFUSALS if f"`{code}`" not in page} == only_in_the_portal
