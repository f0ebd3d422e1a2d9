from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from tempoftp.cli.exits import BadSetting, Undecryptable
from tempoftp.cli.local import decrypt, decrypt_token
from tempoftp.cli.main import COMMANDS, main

KEY, OTHER = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@given(password=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_token_gives_back_the_password(password: str) -> None:
    token = Fernet(KEY).encrypt(password.encode()).decode()
    assert decrypt_token(token, KEY) == password


def test_the_key_that_fits_is_found_among_several() -> None:
    token = Fernet(OTHER).encrypt(b"clave").decode()
    assert decrypt_token(token, f"{KEY}, {OTHER}") == "clave"


def test_a_token_can_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPOFTP_ENCRYPTION_KEY", KEY)
    token = Fernet(KEY).encrypt(b"clave").decode()
    ended = CliRunner().invoke(decrypt, ["-"], input=token + "\n")
    assert (ended.exit_code, ended.output) == (0, "clave\n")


def test_decrypt_by_id_fetches_the_token(tempoftp) -> None:
    tempoftp("request", "abre@dominio", "abre_1", "source1:/srv/datos/tarda-0", "--watch")
    token = json.loads(tempoftp("status", "abre_1", "--json").out)["password"]
    by_id = tempoftp("decrypt", "--id", "abre_1")
    assert by_id.code == 0
    assert by_id.out == tempoftp("decrypt", token).out
    assert len(by_id.out.strip()) >= 16


def test_a_hash_is_not_decrypted(tempoftp) -> None:
    tempoftp("request", "hash@dominio", "hash_1", "source1:/srv/datos/tarda-0", "--watch")
    tempoftp("request", "hash@dominio", "hash_2", "source1:/srv/datos/tarda-0", "--watch")
    ended = tempoftp("decrypt", "--id", "hash_2")
    assert ended.code == 6
    assert "still works" in ended.err


def test_a_share_that_is_not_ready_has_no_password(tempoftp) -> None:
    tempoftp("request", "tarda@dominio", "tarda_1", "source1:/srv/datos/tarda-600")
    ended = tempoftp("decrypt", "--id", "tarda_1")
    assert ended.code == 6
    assert "no password yet" in ended.err


@pytest.mark.parametrize(
    "token", ["", "x", "gAAAAA==", "ñ", Fernet(OTHER).encrypt(b"x").decode()], ids=range(5)
)
def test_a_token_of_another_key_and_a_bad_key_are_different_errors(token: str) -> None:
    with pytest.raises(Undecryptable):
        decrypt_token(token, KEY)


@pytest.mark.parametrize("keys", ["", " , ", "no-es-una-clave", KEY[:-2]], ids=range(4))
def test_a_bad_key_is_a_bad_setting(keys: str) -> None:
    with pytest.raises(BadSetting, match="TEMPOFTP_ENCRYPTION_KEY"):
        decrypt_token("x", keys)


def test_decrypt_needs_either_a_token_or_an_id(tempoftp_alone) -> None:
    assert tempoftp_alone("decrypt").code == 2
    assert tempoftp_alone("decrypt", "token", "--id", "x").code == 2


def test_a_dash_reads_the_token_from_standard_input() -> None:
    token = Fernet(KEY).encrypt(b"clave").decode()
    environ = {"TEMPOFTP_ENCRYPTION_KEY": KEY}
    assert CliRunner().invoke(main, ["decrypt", "-"], input=token + "\n", env=environ).stdout == "clave\n"
    assert CliRunner().invoke(main, ["decrypt", "-"], input="", env=environ).exit_code == 6


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


def test_an_unknown_shell_exits_2(tempoftp_alone) -> None:
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
    assert complete(tempoftp_alone, "tempoftp re") == {"request", "restore", "resume", "retry"}
    assert complete(tempoftp_alone, "tempoftp token ") == {"create", "key", "list", "readmit", "revoke"}
    assert "--follow" in complete(tempoftp_alone, "tempoftp log --")
    assert complete(tempoftp_alone, "tempoftp completion ") == {"bash", "zsh", "fish"}


def test_help_says_where_to_put_the_script(tempoftp_alone) -> None:
    shown = tempoftp_alone("completion", "--help").out
    assert ".local/share/bash-completion/completions/tempoftp" in shown
