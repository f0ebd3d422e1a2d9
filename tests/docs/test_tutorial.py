"""Both tutorials show the same commands, and some blocks are the same as on the API's page, where the lab runs them."""

from __future__ import annotations

import re

import pytest

from tests.support.documents import PROJECT, read_pair

TUTORIALS = read_pair("docs/tutorial")
_SHELL = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_both_languages_run_the_same_commands() -> None:
    english, spanish = TUTORIALS
    assert english.blocks == spanish.blocks
    assert _SHELL.findall(english.text) == _SHELL.findall(spanish.text)


@pytest.mark.parametrize("block", ["client settings", "fetch"])
def test_shared_blocks_match_the_api_page(block: str) -> None:
    assert TUTORIALS[0].blocks[block] == read_pair("docs/api")[0].blocks[block]


def test_every_other_block_is_run_by_a_test() -> None:
    """`tests/service/cli/test_tutorial.py` runs these on a simulated FTP host."""
    assert set(TUTORIALS[0].blocks) == {"client settings", "ask", "fetch", "change", "end"}


def test_files_of_the_example_inventory_are_named() -> None:
    folder = PROJECT / "inventories" / "production.example"
    files = {path.relative_to(folder).as_posix() for path in folder.glob("**/*.yml")}
    for tutorial in TUTORIALS:
        assert files - tutorial.spans == set()
