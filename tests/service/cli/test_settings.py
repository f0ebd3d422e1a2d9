"""`tempoftp settings check`, and the start of API and worker: every mistake is said at once, before a start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

GOOD_SOURCES = "sources: {a: {roots: [{name: x, path: /srv/x}]}}"
BAD_SOURCES = """\
sources:
  nodo1: {roots: [{name: x, path: datos}]}
  nodo2: {roots: [], aliases: [nodo1], metodo: copy}
"""
BAD_PLACES = ("sources.nodo1.roots.0.path", "sources.nodo2.roots", "sources.nodo2.metodo", "names both")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    path = tmp_path / "sources.yml"
    path.write_text(GOOD_SOURCES)
    return path


@pytest.fixture
def good(sources: Path) -> dict[str, str]:
    return {
        "TEMPOFTP_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "TEMPOFTP_SECRET_KEY": Fernet.generate_key().decode(),
        "TEMPOFTP_FTP_HOSTS": "ftp1",
        "TEMPOFTP_SOURCES_FILE": str(sources),
    }


def write_env(tmp_path: Path, values: dict[str, str]) -> str:
    path = tmp_path / "default"
    path.write_text("# settings\n" + "".join(f"{name}={value}\n" for name, value in values.items()))
    return str(path)


def test_a_right_file_has_no_mistake(tempoftp_alone, tmp_path: Path, good) -> None:
    ended = tempoftp_alone("settings", "check", write_env(tmp_path, good))
    assert (ended.code, ended.out) == (0, "no mistake found\n")


def test_a_right_sources_file_has_no_mistake(tempoftp_alone, sources: Path) -> None:
    assert tempoftp_alone("settings", "check", "--sources", str(sources)).code == 0


def test_says_all_mistakes_of_a_settings_file_at_once(tempoftp_alone, tmp_path: Path, good, sources) -> None:
    sources.write_text(BAD_SOURCES)
    wrong = good | {
        "TEMPOFTP_PORT": "90430",
        "TEMPOFTP_BIND": "0.0.0.0",
        "TEMPOFTP_LIFETIME_MIN": "20",
        "TEMPOFTP_SMTP_HOST": "mail.example.org",
        "TEMPOFTP_OPERATOR_EMAIL": "nobody",
        "TEMPOFTP_VIGENCIA": "3",
        "FTP_DB_PORT": "mysql",
    }
    ended = tempoftp_alone("settings", "check", write_env(tmp_path, wrong))
    assert ended.code == 2
    named = ("TEMPOFTP_PORT", "TEMPOFTP_BIND", "TEMPOFTP_LIFETIME_MIN", "TEMPOFTP_SMTP_FROM")
    for part in (*named, "TEMPOFTP_OPERATOR_EMAIL", "TEMPOFTP_VIGENCIA", "FTP_DB_PORT", *BAD_PLACES):
        assert part in ended.err, part
    assert good["TEMPOFTP_ENCRYPTION_KEY"] not in ended.err


def test_a_comparison_with_a_wrong_value_is_left_out(tempoftp_alone, tmp_path: Path, good) -> None:
    wrong = good | {"TEMPOFTP_LIFETIME_DEFAULT": "ten", "TEMPOFTP_LIFETIME_MAX": "5"}
    ended = tempoftp_alone("settings", "check", write_env(tmp_path, wrong))
    assert ended.code == 2
    assert "does not hold" not in ended.err


def test_the_environment_of_the_shell_counts_for_nothing(tempoftp_alone, tmp_path: Path, good) -> None:
    """A shell may hold settings that the service will not have."""
    del good["TEMPOFTP_ENCRYPTION_KEY"]
    path = write_env(tmp_path, good)
    ended = tempoftp_alone("settings", "check", path, TEMPOFTP_PORT="0")
    assert ended.code == 2
    assert "TEMPOFTP_ENCRYPTION_KEY is required" in ended.err
    assert "TEMPOFTP_PORT" not in ended.err


def test_the_files_that_it_names_are_read(tempoftp_alone, tmp_path: Path, good) -> None:
    (tmp_path / "hooks.yml").write_text("webhooks: [{name: a}]")
    (tmp_path / "hooks.yml").chmod(0o640)
    (tmp_path / "api.pem").write_text("no certificate")
    wrong = good | {
        "TEMPOFTP_WEBHOOKS_FILE": str(tmp_path / "hooks.yml"),
        "TEMPOFTP_TLS_CERTIFICATE": str(tmp_path / "api.pem"),
        "TEMPOFTP_TLS_KEY": str(tmp_path / "api.pem"),
    }
    ended = tempoftp_alone("settings", "check", write_env(tmp_path, wrong))
    assert ended.code == 2
    assert "hooks.yml" in ended.err
    assert "TEMPOFTP_TLS_CERTIFICATE" in ended.err


def test_a_line_that_systemd_would_leave_out_is_a_mistake(tempoftp_alone, tmp_path: Path, good) -> None:
    path = Path(write_env(tmp_path, good))
    path.write_text(path.read_text() + "TEMPOFTP_PORT 9044\n")
    ended = tempoftp_alone("settings", "check", str(path))
    assert ended.code == 2
    assert "line 6" in ended.err


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read(tempoftp_alone, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "default"
    if content is not None:
        path.write_bytes(content)
    ended = tempoftp_alone("settings", "check", str(path))
    assert ended.code == 2
    assert str(path) in ended.err
    assert "Traceback" not in ended.err


def test_json_lists_the_mistakes(tempoftp_alone, sources: Path) -> None:
    sources.write_text(BAD_SOURCES)
    ended = tempoftp_alone("settings", "check", "--sources", str(sources), "--json")
    assert ended.code == 2
    answer = json.loads(ended.out)
    assert answer["file"] == str(sources)
    assert len(answer["mistakes"]) == len(BAD_PLACES)


def test_sources_needs_a_file(tempoftp_alone) -> None:
    assert tempoftp_alone("settings", "check", "--sources").code == 2


@pytest.mark.parametrize("program", ["serve", "worker"])
@pytest.mark.parametrize("content", [BAD_SOURCES, "sources: [", "", None])
def test_the_service_does_not_start_with_a_wrong_sources_file(
    tempoftp_alone, tmp_path: Path, program: str, content: str | None
) -> None:
    path = tmp_path / "orígenes.yml"
    if content is not None:
        path.write_text(content)
    ended = tempoftp_alone(program, TEMPOFTP_SOURCES_FILE=str(path), TEMPOFTP_PORT="0")
    assert ended.code == 2
    assert "TEMPOFTP_PORT" in ended.err  # what else is wrong is said too
    assert str(path) in ended.err
    for part in BAD_PLACES if content == BAD_SOURCES else ():
        assert part in ended.err


@pytest.mark.parametrize("program", ["serve", "worker"])
def test_a_wrong_sources_file_alone_is_enough(tempoftp_alone, tmp_path: Path, program: str) -> None:
    path = tmp_path / "sources-2.yml"
    path.write_text("sources: {nodo: {roots: [{name: x, path: /}]}}")
    ended = tempoftp_alone(program, TEMPOFTP_SOURCES_FILE=str(path))
    assert ended.code == 2
    assert "sources.nodo.roots.0.path" in ended.err


def test_says_a_key_that_stands_twice_with_its_line(tempoftp_alone, sources: Path) -> None:
    sources.write_text("sources:\n  a: {roots: [{name: x, path: /x}]}\n  a: {roots: [{name: y, path: /y}]}\n")
    ended = tempoftp_alone("settings", "check", "--sources", str(sources))
    assert ended.code == 2
    assert "key 'a' in line 3 stands in line 2 already" in ended.err + ended.out
