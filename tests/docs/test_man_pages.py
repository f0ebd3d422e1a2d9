"""Every command has a man page, which man shows without warnings."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import click
import man_pages
import pytest

from tempoftp.cli.command import Command
from tempoftp.cli.main import main
from tests.support.documents import PROJECT

CONTEXTS = {
    context.command_path.replace(" ", "-"): context for context in man_pages.walk_contexts(main, "tempoftp")
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the pages."""
    folder = tmp_path_factory.mktemp("man")
    (folder / "tempoftp-gone.1").write_text("of an earlier release")
    man_pages.write_pages(folder)
    return folder


def show(page: Path) -> str:
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANWIDTH": "200", "MANROFFSEQ": ""}
    done = subprocess.run(
        ["man", "--warnings=all", "-P", "cat", "-l", page],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return re.sub(r".\x08", "", done.stdout)  # bold is a letter, a backspace and the letter again


def test_every_page_is_of_a_command_and_every_command_has_one(folder: Path) -> None:
    assert {page.stem for page in folder.iterdir()} == set(CONTEXTS)
    assert len(CONTEXTS) > 40


@pytest.mark.needs_man
@pytest.mark.parametrize(
    "name", ["tempoftp", "tempoftp-decrypt", "tempoftp-token-create", "tempoftp-completion"]
)
def test_man_shows_a_page_without_warnings(folder: Path, name: str) -> None:
    shown = " ".join(show(folder / f"{name}.1").split())
    command = CONTEXTS[name].command
    assert CONTEXTS[name].command_path in shown
    for parameter in command.params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            assert option in shown
    for line in command.examples if isinstance(command, Command) else ():
        assert " ".join(line.split()) in shown
    assert "EXIT STATUS 0 done" in shown


@pytest.mark.parametrize("name", CONTEXTS)
def test_a_page_has_the_text_of_the_help(folder: Path, name: str) -> None:
    page = (folder / f"{name}.1").read_text(encoding="utf-8").replace("\\-", "-").replace("\\e", "\\")
    command = CONTEXTS[name].command
    for parameter in command.get_params(CONTEXTS[name]):
        record = parameter.get_help_record(CONTEXTS[name])
        if isinstance(parameter, click.Option) and record is not None:
            assert all(part in page for part in record)
    assert "-h, --help" in page
    if isinstance(command, click.Group):
        for inner in command.list_commands(CONTEXTS[name]):
            assert f"{name}-{inner}(1)" in page
    else:
        assert isinstance(command, Command)
        assert all(example in page for example in command.examples)
        assert all(f"\\fB{code}\\fR\n{text}" in page for code, text in command.exits.items())
    assert not [line for line in page.splitlines() if re.match(r"[.'](?!TH|SH|PP|TP|nf|fi)", line)]


def test_make_docs_writes_them() -> None:
    recipe = (PROJECT / "Makefile").read_text(encoding="utf-8").partition("\ndocs: ")[2].partition("\n\n")[0]
    assert "docs/man_pages.py build/man" in recipe
    assert "mkdocs build" in recipe
