"""`site.yml --check --diff` on hosts that nobody has set up yet: it shows no failure, and changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stage import Stage

pytestmark = pytest.mark.lab

HOSTS = {"ftp1": "ftp1", "source1": "source1=21", "svc1": "svc1=41"}
# Everything that somebody could miss or find later. Left out is what each login and `apt-get update` write.
SNAPSHOT = r"""
find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/tmp -o -path /var/log \
  -o -path /var/lib/apt -o -path /var/cache -o -path /var/lib/systemd -o -path /root/.ansible \) -prune -o \
  -type f -printf '%p %u %g %m %s %T@\n' -o -printf '%p %u %g %m %l\n' | sort
getent passwd; getent group; dpkg-query --show; systemctl list-unit-files --no-legend --plain | grep -v transient
"""


@pytest.fixture(scope="module")
def fresh() -> Iterator[Stage]:
    stage = Stage("labtest", subnet="10.117.9", port=19046)
    stage.lab("down")
    try:
        stage.lab("up", *HOSTS.values(), timeout=900)
        yield stage
    finally:
        stage.lab("down")


@pytest.fixture
def service_host(tmp_path: Path) -> Path:
    """An inventory beside that of the lab: the service has a machine of its own."""
    path = tmp_path / "hosts.json"
    groups = {"lab_hosts": {"children": {"service_hosts": {"hosts": {"svc1": {"lab_address": 41}}}}}}
    path.write_text(json.dumps({"all": {"children": groups}}))
    return path


def test_on_fresh_hosts_it_shows_no_failure_and_changes_nothing(fresh: Stage, service_host: Path) -> None:
    before = {host: fresh.on_host(host, SNAPSHOT) for host in HOSTS}
    # A status that is not 0 raises.
    said = fresh.run_playbook(
        f"--inventory={service_host}", "playbooks/site.yml", "--check", "--diff", timeout=900
    )
    recap = re.findall(
        r"^(\w+) +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=0 +skipped=\d+ +rescued=0 +ignored=0",
        said,
        re.M,
    )
    assert sorted(name for name, _changed in recap) == sorted(HOSTS), said
    assert all(int(changed) for _name, changed in recap), "each host has something to be set up"
    assert [
        line for line in said.splitlines() if re.match(r"fatal:|failed:|\[ERROR\]|\.\.\.ignoring", line)
    ] == []
    for host in HOSTS:
        after = fresh.on_host(host, SNAPSHOT)
        assert sorted(set(before[host].splitlines()) ^ set(after.splitlines())) == []
