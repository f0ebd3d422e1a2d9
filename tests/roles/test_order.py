"""Two runs with the same inventory write the same files: nothing depends on the order in which Python keeps a set."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.roles.rendering import COLLECTION, PROJECT, ROLES

HOSTS = ["ftp3", "ftp1", "alfa", "ftp2", "beta"]
# Ansible makes a Python set of the list, whose order is another one in each process.
UNORDERED = re.compile(
    r"\|\s*(difference|union|intersect|symmetric_difference)\b\([^|{}]*\)(?!\s*\|\s*(sort|length)\b)"
)

PROGRAM = """
from tests.roles.rendering import evaluate, render
hosts = {hosts}
print(evaluate("service", "Debian", "service_remote_ftp_hosts", service_ftp_hosts=hosts))
names = {{host: {{}} for host in hosts}}
print(render("service", "inventory.yml.j2", "Debian", service_ftp_hosts=hosts, hostvars=names))
"""


def test_no_role_and_no_playbook_depends_on_the_order_of_a_set() -> None:
    found = [
        f"{path.relative_to(COLLECTION)}: {match[0]}"
        for folder in (ROLES, COLLECTION / "playbooks")
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".yml", ".j2"}
        for match in UNORDERED.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("{{ a | difference(b) }}", True),
        ("{{ a | union(['x', 'y']) | map('upper') }}", True),
        ("{{ a | difference(b) | sort }}", False),
        ("{{ a | intersect(b) | length > 0 }}", False),
        ("{{ a | reject('in', b) }}", False),
    ],
)
def test_the_search_finds_them(text: str, refused: bool) -> None:
    assert bool(UNORDERED.search(text)) is refused


@pytest.mark.processes
def test_the_files_for_several_ftp_hosts_are_the_same_in_each_process() -> None:
    answers = set()
    for seed in range(6):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(hosts=HOSTS)],
            cwd=PROJECT,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        answers.add(done.stdout)
    assert len(answers) == 1
    assert answers.pop().splitlines()[0] == str(HOSTS)
