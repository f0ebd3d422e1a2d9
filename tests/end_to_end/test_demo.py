"""`make demo` on a net of its own: the first run makes one share, the second changes nothing, then it is removed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.stage import PROJECT, Stage

pytestmark = pytest.mark.lab

NET = "demotest"
SHARE_ID = "proyecto_real_1"
FILES = 109


@dataclass(frozen=True)
class Demo:
    """A demo that was just made: its hosts and control host, only for reading, and the output of `make demo`."""

    stage: Stage
    printed: str

    @property
    def url(self) -> str:
        return f"{self.stage.control.url}/tmpftp/{SHARE_ID}"


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """Run `make demo` without any host before; everything is removed at the end."""
    stage = Stage(NET, subnet="10.117.6", port=19046)
    remove(stage)
    try:
        yield Demo(stage, make("demo"))
    finally:
        remove(stage)


def remove(stage: Stage) -> None:
    """Take the demo down and remove its files in var/."""
    make("lab-down")
    stage.control.forget()
    shutil.rmtree(PROJECT / "var" / NET, ignore_errors=True)
    (PROJECT / "var" / f"{NET}.env").unlink(missing_ok=True)


def make(target: str) -> str:
    """Run `make TARGET` as a person does, with the net in the environment; return its output without colours."""
    done = subprocess.run(
        ["make", "--no-print-directory", target],
        cwd=PROJECT,
        env={**os.environ, "TEMPOFTP_LAB_NET": NET, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, f"make {target} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)


def read_recaps(printed: str) -> dict[str, int]:
    """Return host → number of tasks that changed something, for each host without a failed task."""
    found = re.findall(r"^(\w+) +: ok=\d+ +changed=(\d+) .*failed=0", printed, re.MULTILINE)
    return {host: int(changed) for host, changed in found}


def read_last_lines(printed: str) -> dict[str, str]:
    """Return the last lines of the demo, by their first word."""
    return dict(re.findall(r"^(Portal|API|lftp|A host|Stop) {2,}(.+)$", printed, re.MULTILINE))


def read_url(url: str, token: str) -> str:
    answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=20)
    answer.raise_for_status()
    return answer.text


def read_traces(stage: Stage) -> str:
    """Return what a second demo must not change: each delivered file with its times, the manifest, the account."""
    return stage.query("SELECT * FROM users") + stage.ftp(
        f"find /data/ftp_* /data/.tempoftp/shares -printf '%p %i %s %T@\\n' | sort; "
        f"cat /data/.tempoftp/shares/{SHARE_ID}.json"
    )


def test_demo_delivers_a_share_and_says_how_to_continue(demo: Demo, tmp_path: Path) -> None:
    changed = read_recaps(demo.printed)
    assert set(changed) == {"ftp1", "source1"}
    assert min(changed.values()) > 0
    assert f"{FILES} files fetched over FTPS are equal to the source, byte for byte" in demo.printed

    said, control = read_last_lines(demo.printed), demo.stage.control
    assert said["A host"] == "make lab-ssh HOST=ftp1"
    assert said["Stop"] == "make lab-down"
    assert said["Portal"] == f"{control.url}/portal/   sign in with this token: {control.token}"
    assert said["API"] == f"{demo.url}   (settings for a client: var/{NET}.env)"
    settings = PROJECT / "var" / f"{NET}.env"
    assert settings.stat().st_mode & 0o077 == 0
    assert f"TEMPOFTP_TOKEN={control.token}\n" in settings.read_text()
    # A client gets the key of its own token, never the service's.
    assert f"TEMPOFTP_ENCRYPTION_KEY={control.client_key}\n" in settings.read_text()
    assert demo.stage.encryption_key not in settings.read_text()
    assert '"status":"listo"' in read_url(demo.url, control.token)
    subprocess.run(shlex.split(said["lftp"]), cwd=tmp_path, check=True, timeout=120)
    assert sum(path.is_file() for path in (tmp_path / SHARE_ID).rglob("*")) == FILES


def test_second_demo_changes_nothing(demo: Demo) -> None:
    before = read_traces(demo.stage)
    again = make("demo")
    assert read_recaps(again) == {"ftp1": 0, "source1": 0}
    assert f"{FILES} files fetched over FTPS are equal to the source, byte for byte" in again
    assert read_last_lines(again) == read_last_lines(demo.printed)
    assert read_traces(demo.stage) == before


def test_lab_down_removes_the_demo(demo: Demo) -> None:
    """This test must be the last one of this module, because it removes the demo."""
    token = demo.stage.control.token
    make("lab-down")
    with pytest.raises(httpx.ConnectError, match="refused"):
        read_url(demo.url, token)
    assert "ftp1" not in demo.stage.lab("status")
