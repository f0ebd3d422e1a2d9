"""Completion: each shell's script, and what it offers."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tempoftp.cli.main import COMMANDS


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script(tempoftp_alone, shell: str) -> None:
    ended = tempoftp_alone("completion", shell)
    assert ended.code == 0
    assert "_TEMPOFTP_COMPLETE" in ended.out
    if shutil.which(shell):
        done = subprocess.run(
            [shell, "-n"], input=ended.out, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_another_shell_exits_2(tempoftp_alone) -> None:
    assert tempoftp_alone("completion", "cmd").code == 2


def complete(tempoftp_alone, words: str) -> set[str]:
    environ = {
        "_TEMPOFTP_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    ended = tempoftp_alone(**environ)
    return {line.partition(",")[2] for line in ended.out.splitlines()}


def test_commands_options_and_choices_are_offered(tempoftp_alone) -> None:
    assert complete(tempoftp_alone, "tempoftp ") == set(COMMANDS)
    assert complete(tempoftp_alone, "tempoftp re") == {"request", "resume", "retry"}
    assert complete(tempoftp_alone, "tempoftp token ") == {"create", "list", "readmit", "revoke"}
    assert "--follow" in complete(tempoftp_alone, "tempoftp log --")
    assert complete(tempoftp_alone, "tempoftp completion ") == {"bash", "zsh", "fish"}


def test_the_lines_of_help_say_where_the_script_goes(tempoftp_alone) -> None:
    shown = tempoftp_alone("completion", "--help").out
    assert ".local/share/bash-completion/completions/tempoftp" in shown
