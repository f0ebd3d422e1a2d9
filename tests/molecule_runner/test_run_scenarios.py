"""What the runner of the scenarios makes of a molecule that passes, fails, skips a step or never ends."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
import run_scenarios


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the runner with a `molecule` whose words and exit status come from the file `script`."""
    monkeypatch.setattr(run_scenarios, "BIN", tmp_path)
    return run_scenarios


def write_molecule(folder: Path, body: str) -> None:
    program = folder / "molecule"
    program.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    program.chmod(0o755)


def test_output_is_passed_on_and_nothing_raised_when_it_passes(
    runner: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_molecule(tmp_path, "print('seen', *sys.argv[1:])\nprint('actions=2 missing=0 failed=0')")
    runner.run_molecule(["test", "-s", "default"], seconds=30)
    assert "seen test -s default\n" in capfd.readouterr().out


def test_failure_is_named(runner: ModuleType, tmp_path: Path) -> None:
    write_molecule(tmp_path, "sys.exit(3)")
    with pytest.raises(runner.ScenarioError, match="molecule test ended with 3"):
        runner.run_molecule(["test"], seconds=30)


def test_step_without_playbook_fails_though_molecule_passes(runner: ModuleType, tmp_path: Path) -> None:
    write_molecule(tmp_path, r"print('actions=2 \x1b[35mmissing=1\x1b[0m failed=0')")
    with pytest.raises(runner.ScenarioError, match="missing=1"):
        runner.run_molecule(["test"], seconds=30)


def test_run_without_end_is_stopped_with_what_it_started(runner: ModuleType, tmp_path: Path) -> None:
    grandchild = "import subprocess; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    write_molecule(tmp_path, grandchild)
    start = time.monotonic()
    with pytest.raises(runner.ScenarioError, match="longer than 1 s"):
        runner.run_molecule(["test"], seconds=1)
    assert time.monotonic() - start < 30  # the output's other end is closed: nobody holds it any more


def test_unknown_scenario_is_refused_with_those_there_are(
    runner: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runner.main(["no_such"]) == 2
    assert "there are default, " in capsys.readouterr().err


def test_nothing_asked_for_is_refused(runner: ModuleType) -> None:
    assert runner.main([]) == 2
