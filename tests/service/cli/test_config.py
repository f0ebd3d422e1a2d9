"""Configuration files: which value wins, which files are refused, and what `tempoftp config` shows of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tempoftp.cli import config as config_module
from tempoftp.cli.config import ClientConfig, Value


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write the user's file, or the machine's."""
    files = {
        "user": tmp_path / "home" / "tempoftp" / "config.toml",
        "system": tmp_path / "etc" / "config.toml",
    }
    monkeypatch.setattr(config_module, "SYSTEM_FILE", files["system"])
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))

    def write_file(which: str, content: str, mode: int = 0o600) -> Path:
        files[which].parent.mkdir(parents=True, exist_ok=True)
        files[which].write_text(content)
        files[which].chmod(mode)
        return files[which]

    return write_file


def test_the_environment_wins_over_the_users_file_and_that_over_the_machines(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ClientConfig().find("url") == Value("http://127.0.0.1:9043", "default")
    assert ClientConfig().find("token") is None
    system = write("system", 'url = "https://etc"\ntoken = "e"', 0o640)
    assert ClientConfig().find("url") == Value("https://etc", str(system))
    user = write("user", 'url = "https://casa"')
    assert ClientConfig().find("url") == Value("https://casa", str(user))
    assert ClientConfig().find("token") == Value("e", str(system))
    monkeypatch.setenv("TEMPOFTP_URL", "https://entorno")
    assert ClientConfig().find("url") == Value("https://entorno", "TEMPOFTP_URL")
    monkeypatch.setenv("TEMPOFTP_URL", "")
    assert ClientConfig().find("url") == Value("https://casa", str(user))


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("url = ", 0o600, "is not TOML"),
        ('tokken = "x"', 0o600, "tokken is unknown"),
        ("url = 7", 0o600, "in quotes"),
        ('token = "x"', 0o644, "chmod 600"),
        ('encryption_key = "x"', 0o604, "chmod 600"),
    ],
)
def test_an_unusable_file_is_named_in_the_error(
    write: Callable[..., Path], tempoftp_alone, tmp_path: Path, content: str, mode: int, said: str
) -> None:
    path = write("user", content, mode)
    ended = tempoftp_alone("list", XDG_CONFIG_HOME=str(tmp_path / "home"))
    assert ended.code == 2
    assert said in ended.err
    assert str(path) in ended.err


def test_a_file_with_only_an_address_may_be_readable_by_everybody(write: Callable[..., Path]) -> None:
    write("user", 'url = "https://casa"', 0o644)
    assert ClientConfig().find("url") is not None


@pytest.mark.processes
def test_commands_use_the_file(write: Callable[..., Path], tempoftp, service, tmp_path: Path) -> None:
    token, key = service.environ["TEMPOFTP_TOKEN"], service.environ["TEMPOFTP_ENCRYPTION_KEY"]
    write("user", f'url = "{service.url}"\ntoken = "{token}"\nencryption_key = "{key}"')
    here = {
        "XDG_CONFIG_HOME": str(tmp_path / "home"),
        "TEMPOFTP_URL": "",
        "TEMPOFTP_TOKEN": "",
        "TEMPOFTP_ENCRYPTION_KEY": "",
    }
    argv = ("request", "toml@dominio", "toml_1", "source1:/srv/datos/tarda-0", "--watch")
    assert tempoftp(*argv, **here).code == 0
    shown = json.loads(tempoftp("decrypt", "--id", "toml_1", "--json", **here).out)
    assert set(shown) == {"password"}
    assert len(shown["password"]) >= 16


def test_config_shows_origins_and_no_secrets(
    write: Callable[..., Path], tempoftp_alone, tmp_path: Path
) -> None:
    path = write("user", 'url = "https://casa"\ntoken = "secreto-de-prueba"')
    ended = tempoftp_alone("config", XDG_CONFIG_HOME=str(tmp_path / "home"), TEMPOFTP_ENCRYPTION_KEY=None)
    assert ended.code == 0
    rows = [line.split("\t") for line in ended.out.splitlines()]
    assert rows[0] == ["url", "https://casa", str(path)]
    assert rows[1] == ["token", "(set)", str(path)]
    assert rows[2][1] == "-" and "TEMPOFTP_ENCRYPTION_KEY" in rows[2][2]
    assert "secreto" not in ended.out
    answer = json.loads(tempoftp_alone("config", "--json", XDG_CONFIG_HOME=str(tmp_path / "home")).out)
    assert answer["origins"]["token"] == str(path)


def test_a_connection_error_names_where_the_address_is_from(
    write: Callable[..., Path], tempoftp_alone, tmp_path: Path
) -> None:
    path = write("user", 'url = "http://127.0.0.1:1"')
    ended = tempoftp_alone("list", XDG_CONFIG_HOME=str(tmp_path / "home"))
    assert ended.code == 3
    assert f"from {path}" in ended.err
    assert "systemctl status tempoftp" in ended.err


@pytest.mark.processes
def test_a_refused_or_missing_token_is_explained(tempoftp) -> None:
    wrong = tempoftp("list", TEMPOFTP_TOKEN="de-otro-servicio")
    assert wrong.code == 4
    assert "token from TEMPOFTP_TOKEN does not open" in wrong.err
    assert "de-otro-servicio" not in wrong.err
    missing = tempoftp("list", TEMPOFTP_TOKEN="")
    assert missing.code == 4
    assert "No token was sent" in missing.err and "config.toml" in missing.err
