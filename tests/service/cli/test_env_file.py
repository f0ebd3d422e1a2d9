"""Commands read the settings file of the service as systemd does, which reads it for the service."""

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
        # Only a whole line is a comment. A # behind a value belongs to the value.
        ("# A=b", {}),
        ("; A=b", {}),
        ("A=b # c", {"A": "b # c"}),
        ("A=b#c", {"A": "b#c"}),
        ('A="#b"', {"A": "#b"}),
        # Variables are not replaced, and a backslash has no meaning.
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
def test_a_written_value_is_read_back(file: Path, value: str) -> None:
    """Also a password that contains a space and a #."""
    file.write_text(f"A={value}\n", encoding="utf-8")
    assert service.read_env_file() == {"A": value.strip()}
