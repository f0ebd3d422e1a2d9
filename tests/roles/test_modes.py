"""What the roles make can be used by whom it is for, whatever umask root has: no task leaves a mode to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.roles.programs import run_program
from tests.roles.rendering import PLAYBOOKS, ROLES, evaluate, read_yaml

MAKES_FILES = {
    "assemble",
    "blockinfile",
    "copy",
    "file",
    "get_url",
    "git",
    "lineinfile",
    "openssh_keypair",
    "openssl_privatekey",
    "replace",
    "template",
    "unarchive",
    "x509_certificate",
}
RUNS_PROGRAMS = {"command", "expect", "pip", "script", "shell"}
PUBLIC = "service_public_files"
# They change a file that is there; the module keeps its mode.
CHANGE_IN_PLACE = {"Load the rule at boot, after the host's own rules"}
# What the first prints is the result; the task after the second sets the mode.
THEIR_MODE_IS_SET = {"Generate the keys that are missing, once", "Create a self-signed certificate, once"}
MAKE_NO_FILE = {"nft", "restorecon"}
FILES = sorted([*ROLES.glob("*/tasks/*.yml"), *ROLES.glob("*/handlers/*.yml"), *PLAYBOOKS.rglob("*.yml")])


def list_tasks(content: Any) -> Iterator[dict[str, Any]]:
    """Yield every task of a file, also those in plays and blocks."""
    for entry in content or []:
        yield entry
        for part in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            yield from list_tasks(entry.get(part))


def has_own_mode(task: dict[str, Any]) -> bool:
    """Return whether the files that a task makes have modes that do not depend on the umask."""
    for key, options in task.items():
        module = key.rpartition(".")[2]
        if module in MAKES_FILES:
            removes = options.get("state") in ("absent", "link")
            changes = module in ("lineinfile", "replace") and options.get("state") == "absent"
            if not (removes or changes or "mode" in options or task["name"] in CHANGE_IN_PLACE):
                return False
        if module in RUNS_PROGRAMS and task.get("changed_when") is not False:
            argv = options.get("argv") or [""]
            sets_umask = PUBLIC in argv or "service_pip " in argv
            if not (sets_umask or argv[0] in MAKE_NO_FILE or task["name"] in THEIR_MODE_IS_SET):
                return False
    return True


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-3:]))
def test_no_task_leaves_a_mode_to_the_umask(path: Path) -> None:
    tasks = list(list_tasks(yaml.safe_load(path.read_text(encoding="utf-8"))))
    assert [task["name"] for task in tasks if not has_own_mode(task)] == []


@pytest.mark.parametrize(
    "task",
    [
        {"name": "x", "ansible.builtin.copy": {"dest": "/x", "content": "x"}},
        {"name": "x", "ansible.builtin.command": {"argv": ["python3", "-m", "venv", "/x"]}},
        {"name": "x", "ansible.builtin.pip": {"name": "x"}},
        {"name": "x", "ansible.builtin.lineinfile": {"path": "/x", "line": "x"}},
    ],
)
def test_the_search_finds_what_it_looks_for(task: dict[str, Any]) -> None:
    assert not has_own_mode(task)


@pytest.mark.processes
@pytest.mark.parametrize("umask", [0o077, 0o027])
def test_the_virtual_environment_can_be_used_by_everybody(umask: int, tmp_path: Path) -> None:
    """The role's own task, run with root's umask."""
    tasks = read_yaml_list(ROLES / "service/tasks/install_release.yml")
    (task,) = [task for task in tasks if task["name"] == "Create the virtual environment"]
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            "service_python": sys.executable,
            "service_install_dir": str(tmp_path / "opt"),
            PUBLIC: read_yaml(ROLES / "service/vars/main/main.yml")[PUBLIC],
        },
        "tasks": [task],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    (tmp_path / "opt").mkdir()
    before = os.umask(0)
    try:
        os.umask(umask)
        done = run_program(
            tmp_path,
            "ansible-playbook",
            "--inventory=localhost,",
            "--connection=local",
            str(tmp_path / "play.yml"),
        )
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stdout + done.stderr
    closed = [
        path
        for path in (tmp_path / "opt/venv").rglob("*")
        if not path.is_symlink()
        and (path.stat().st_mode & 0o044 != 0o044 or (path.is_dir() and path.stat().st_mode & 0o011 != 0o011))
    ]
    assert closed == []


def test_pip_writes_for_everybody() -> None:
    argv = evaluate("service", "Debian", "service_pip")
    assert argv[:4] == ["/bin/sh", "-c", 'umask 022 && exec "$@"', "sh"]
    assert argv[4:7] == ["/opt/tempoftp/venv/bin/python", "-m", "pip"]


def read_yaml_list(path: Path) -> list[dict[str, Any]]:
    """Return the tasks of a file."""
    return list(yaml.safe_load(path.read_text(encoding="utf-8")))
