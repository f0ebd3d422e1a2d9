"""A source host of an adversary: what it answers, and how an FTP host looks before and after that."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.run_modules import run_modules
from tests.support.stage import PROJECT, Stage

PROGRAMS = PROJECT / "collections/ansible_collections/lanot/tempoftp/tests/unit/plugins"
ROOT = "/srv/datos"
HONEST = r"\1"
# Everything of the FTP host but what its services write all the time.
LOOK = r"""
find / -xdev \( -path /proc -o -path /run -o -path /var/log -o -path /var/lib/mysql -o -path /root/.ansible \
  -o -path /var/lib/systemd -o -path /data/.tempoftp \) -prune -o -type f -printf '%p %s %T@\n' | sort
find /data -path /data/.tempoftp -prune -o -printf '%p %u %g %m %s\n' | sort
"""
# The most that each process of each running copy has had, and the bounds of its unit.
MEMORY = r"""
for unit in $(systemctl list-units --plain --no-legend 'tempoftp-copy-*' | cut -d' ' -f1); do
  systemctl show --property MemoryMax,LimitAS,RuntimeMaxUSec --value $unit
  group=$(systemctl show --property ControlGroup --value $unit)
  for pid in $(cat /sys/fs/cgroup/systemd/$group/cgroup.procs /sys/fs/cgroup/$group/cgroup.procs 2>/dev/null); do
    grep VmHWM /proc/$pid/status
  done
done
"""
# What a name becomes (hostile_filter.py). The folder "nombre_1" takes the place of a link that leads out.
TREE = (
    "rm -rf {0} && mkdir -p {0}/nombre_1 && cd {0} && echo dentro > nombre_1/dentro.txt && ln -s /tmp enlace_1 && "
    "for n in $(seq 12); do head -c 20000 /dev/urandom > archivo_$n; done && chmod -R a+rX {0}"
)


@contextmanager
def answer_by(stage: Stage, program: str, *arguments: str) -> Iterator[None]:
    """Have the source answer every request by a program of the adversary. The argument HONEST is the honest command."""
    keys = "/home/lanotadm/.ssh/authorized_keys"
    path = f"/usr/local/bin/{program}"
    command = " ".join(("/usr/bin/python3", path, *arguments))
    stage.source(
        f"cp -p {keys} {keys}.honest && cat > {path} <<'EOF'\n{(PROGRAMS / program).read_text()}\nEOF"
    )
    stage.source(rf"sed -Ei 's#command=\"([^\"]*)\"#command=\"{command}\"#' {keys}")
    # A connection that copies share keeps the command that its key was bound to.
    stage.ftp("systemctl stop 'tempoftp-ssh-*'")
    try:
        yield
    finally:
        stage.ftp("systemctl stop 'tempoftp-ssh-*'")
        stage.source(f"mv {keys}.honest {keys}; rm -f {path}; pkill -u lanotadm python3 || true")


@contextmanager
def wait_less(stage: Stage, seconds: int) -> Iterator[None]:
    """Have copies give up a source after this silence, instead of half an hour."""
    stage.ftp(f"systemctl set-environment TEMPOFTP_SILENCE_SECONDS={seconds}")
    try:
        yield
    finally:
        stage.ftp("systemctl unset-environment TEMPOFTP_SILENCE_SECONDS")


def build_shares(paths: Iterable[str]) -> list[dict[str, Any]]:
    """Return one share for each path below the adversary's folder."""
    run = time.time_ns() % 10**9
    common = {
        "generation": 1,
        "ftpuser": "ftp_hostil",
        "ssh_user": "lanotadm",
        "ssh_key_file": "/etc/tempoftp/ssh/source1-datos",
        "source_root": ROOT,
    }
    return [
        {"id": f"hostil_{run}_{number}", "source": f"lanotadm@source1:{ROOT}/e2e/hostil/{path}", **common}
        for number, path in enumerate(paths)
    ]


@contextmanager
def unharmed(stage: Stage, folder: Path, shares: list[dict[str, Any]]) -> Iterator[None]:
    """End the shares, and compare the FTP host with what it was before: nothing remains."""
    before = stage.ftp(LOOK)
    try:
        yield
    finally:
        gone = [{"id": share["id"], "generation": 2, "state": "absent"} for share in shares]
        ended = run_modules(stage, folder, *gone)
    assert {result["state"] for result in ended} == {"absent"}, json.dumps(ended)
    assert stage.ftp("systemctl list-units --plain --no-legend 'tempoftp-copy-*'") == ""
    strange = set(before.splitlines()) ^ set(stage.ftp(LOOK).splitlines())
    assert [
        line for line in strange if "/data/ftp_hostil" not in line and not line.startswith("/data d")
    ] == []
    left = stage.ftp("find /data -path '/data/ftp_hostil/*' -o -path '*/staging/hostil_*'")
    assert left == "", left
