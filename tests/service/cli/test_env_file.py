"""The settings file of the service as a command reads it: as systemd does, which gives the same file to the service."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tempoftp.cli import service


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "default"
    monkeypatch.setattr(service, "ENV_FILES", (path,))
    return path


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=b", {"A": "b"}),
        ('A="b c"', {"A": "b c"}),
        ("A='b c'", {"A": "b c"}),
        ("A=b c", {"A": "b c"}),
        (" A = b ", {"A": "b"}),
        ("A=", {"A": ""}),
        ("A=b=c", {"A": "b=c"}),
        ("A=ñ", {"A": "ñ"}),
        # A comment is a line of its own: behind a value it belongs to the value.
        ("# A=b", {}),
        ("; A=b", {}),
        ("A=b # c", {"A": "b # c"}),
        ("A=b#c", {"A": "b#c"}),
        ('A="#b"', {"A": "#b"}),
        # Nothing is put in for a variable, and no letter stands for another.
        ("A=${B}", {"A": "${B}"}),
        ("A=$B", {"A": "$B"}),
        ('A="a\\nb"', {"A": "a\\nb"}),
        ("A='b\\c'", {"A": "b\\c"}),
        ("A='b\"c'", {"A": 'b"c'}),
        ("no value", {}),
        ("A=1\n\nB=2\nA=3\n", {"A": "3", "B": "2"}),
    ],
)
def test_lines_are_read_as_systemd_reads_them(file: Path, text: str, values: dict[str, str]) -> None:
    file.write_text(text, encoding="utf-8")
    assert service.read_env_file() == values


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters="'\"\\")))
@example("abc #1")
@example("mysql://u:p#w@db/tempoftp")
@example("${HOME}")
def test_what_is_written_is_read(file: Path, value: str) -> None:
    """A password with a blank and a # in it, too."""
    file.write_text(f"A={value}\n", encoding="utf-8")
    assert service.read_env_file() == {"A": value.strip()}
