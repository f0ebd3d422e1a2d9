"""A network of its own and an /etc of its own on this machine, where a role may write and load firewall rules."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
SETUP = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
ip link set lo up
echo ready
exec sleep infinity
"""


class PrivateHost:
    """Commands that run in these namespaces. What they write into /etc is gone afterwards."""

    def __init__(self, pid: int, folder: Path) -> None:
        self._enter = ["nsenter", "--target", str(pid), "--net", "--mount"]
        self._folder = folder

    def run(self, *argv: str, stdin: str | None = None, timeout: float = 60) -> str:
        """Return the output of a command that must succeed."""
        done = self.try_run(*argv, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"{argv}\n{done.stdout}{done.stderr}"
        return done.stdout

    def try_run(
        self, *argv: str, stdin: str | None = None, timeout: float = 60, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the project's folder."""
        return subprocess.run(
            [*self._enter, *argv],
            input=stdin if stdin is not None else "",
            cwd=PROJECT,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *argv: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a command; the caller ends it."""
        return subprocess.Popen([*self._enter, *argv], stdin=subprocess.DEVNULL, **options)

    def run_tasks(
        self, role: str, tasks: str, *flags: str, **variables: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run one file of tasks of a role of the collection, with Ansible, on this host."""
        argv = build_run(self._folder, role, [tasks], {"here": variables})
        return self.try_run(*argv, *flags, timeout=150, **build_environ(self._folder))


def build_run(folder: Path, role: str, tasks: list[str], hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the command that runs files of tasks of a role here, once for the variables of each of `hosts`."""
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    family = PROJECT / "collections/ansible_collections/lanot/tempoftp/roles" / role / "vars"
    includes: list[dict[str, Any]] = [
        {"ansible.builtin.include_vars": f"{family}/{{{{ ansible_facts['os_family'] }}}}.yml"}
    ]
    includes += [
        {
            "ansible.builtin.include_role": {
                "name": f"lanot.tempoftp.{role}",
                "tasks_from": name,
                "rolespec_validate": False,
            }
        }
        for name in tasks
    ]
    play = {
        "hosts": "all",
        "gather_facts": True,
        "gather_subset": ["!all", "!min", "distribution", "pkg_mgr", "service_mgr"],
        "tasks": includes,
    }
    playbook, inventory = folder / f"{role}.yml", folder / f"{role}-hosts.yml"
    playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
    entries = {name: {**local, **variables} for name, variables in hosts.items()}
    inventory.write_text(yaml.safe_dump({"all": {"hosts": entries}}), encoding="utf-8")
    program = Path(sys.executable).with_name("ansible-playbook")
    return [str(program), "-i", str(inventory), str(playbook)]


def build_environ(folder: Path) -> dict[str, str]:
    """Return what Ansible needs of the environment. Its files are in `folder`."""
    return {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "ansible")}


@contextlib.contextmanager
def run_private_host(folder: Path) -> Iterator[PrivateHost]:
    """Keep the namespaces until the block ends."""
    space = folder / "etc"
    space.mkdir()
    with subprocess.Popen(
        ["unshare", "--net", "--mount", "sh", "-c", SETUP, "sh", str(space)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            yield PrivateHost(process.pid, folder)
        finally:
            process.kill()
