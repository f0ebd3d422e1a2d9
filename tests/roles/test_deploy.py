"""The files in `deploy/` and the catalogue of settings are current: the generator would make the same."""

from __future__ import annotations

from pathlib import Path

import generate_deploy
import pytest

from tempoftp.settings import Settings, variable_of


@pytest.mark.parametrize("path", sorted(generate_deploy.build_all()), ids=lambda path: path.name)
def test_generated_file_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generate_deploy.build_all()[path], (
        "run python deploy/generate_deploy.py"
    )


def test_example_has_every_setting_with_its_default() -> None:
    text = (generate_deploy.DEPLOY / "tempoftp.env.example").read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        lines = [line.lstrip("#") for line in text.splitlines()]
        assert any(line.startswith(f"{variable_of(name)}=") for line in lines), name
        if field.default == 9043:
            assert "#TEMPOFTP_PORT=9043" in text.splitlines()


def test_check_names_files_that_are_not_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate_deploy, "DEPLOY", tmp_path)
    monkeypatch.setattr(generate_deploy, "CATALOGUE", tmp_path / "settings.yml")
    monkeypatch.setattr(generate_deploy, "RENDERED", {"tempoftp.service.j2": tmp_path / "tempoftp.service"})
    monkeypatch.setattr(generate_deploy, "DEPLOY", tmp_path / "deploy")
    assert generate_deploy.main(["--check"]) == 1
    assert "tempoftp.service is not current" in capsys.readouterr().err
    assert generate_deploy.main([]) == 0
    assert generate_deploy.main(["--check"]) == 0
