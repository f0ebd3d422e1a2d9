"""Operators' passwords are outside of the checkout; those that an earlier release left in it are moved."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from tests.roles.programs import run_program
from tests.roles.rendering import PLAYBOOKS

pytestmark = pytest.mark.processes


def _run(tmp_path: Path, include: str, **variables: object) -> str:
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": variables,
        "tasks": [{"ansible.builtin.include_tasks": str(PLAYBOOKS / "tasks" / include)}],
    }
    playbook = tmp_path / "play.yml"
    playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = run_program(tmp_path, "ansible-playbook", "-i", "localhost,", str(playbook))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_passwords_in_the_checkout_are_moved_and_none_is_overwritten(tmp_path: Path) -> None:
    former, place = tmp_path / "checkout/var/credentials/ftp1", tmp_path / "config/credentials/ftp1"
    former.mkdir(parents=True)
    place.mkdir(parents=True)
    (former / "ftp_uno").write_text("de antes\n", encoding="utf-8")
    (former / "ftp_dos").write_text("de antes\n", encoding="utf-8")
    (place / "ftp_dos").write_text("la de hoy\n", encoding="utf-8")
    _run(
        tmp_path,
        "move_credentials.yml",
        share_former_credentials=str(former),
        share_credentials=str(place),
    )
    assert (place / "ftp_uno").read_text(encoding="utf-8") == "de antes\n"
    assert (place / "ftp_dos").read_text(encoding="utf-8") == "la de hoy\n"
    assert stat.S_IMODE((place / "ftp_uno").stat().st_mode) == 0o600
    assert not former.exists()


def test_the_folder_is_not_in_the_checkout() -> None:
    play = yaml.safe_load((PLAYBOOKS / "share.yml").read_text(encoding="utf-8"))[0]
    folder = play["vars"]["share_credentials"]
    assert "share_config" in folder
    assert "share_project" not in folder
    assert "share_project" not in play["vars"]["share_config"]
