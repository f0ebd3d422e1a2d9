# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A source that answers with something else than rsync: the copy fails in time and in words, and harms nothing.

On real hosts, in the sandbox of the units, tests/end_to_end/test_adversary.py tries the same.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.source_run import run_source_info
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.stream import LINE_LIMIT, Stream

SENDER = Path(__file__).parents[2] / "hostile_sender.py"
# What each attack ends with. `source_shell`: for rsync it looks like a login shell that prints something.
ENDS = {
    "noise": {"source_shell"},
    "noise after the greeting": {"source_shell", "copy_failed"},
    "noise after the opening": {"source_shell", "copy_failed"},
    "endless noise": {"source_shell"},
    "an endless line": {"source_shell"},
    "a name that leads upwards": {"copy_failed"},
    "a name that leads upwards later": {"copy_failed"},
    "an absolute name": {"copy_failed"},
    "nothing": {"copy_failed"},
}
# Attacks that go on while the source likes. They must not take what others need.
ENDLESS = ["an endless message", "an endless list"]


def force(host: Any, mode: str) -> None:
    host.force(f"exec {shlex.quote(sys.executable)} {shlex.quote(str(SENDER))} {mode.replace(' ', '_')}")


def list_tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize(("mode", "classes"), ENDS.items(), ids=ENDS.keys())
def test_the_copy_ends_with_a_class_and_writes_nothing_elsewhere(
    host: Any, tmp_path: Path, mode: str, classes: set[str]
) -> None:
    (host.source / "goes").mkdir()
    (host.source / "goes" / "a").write_bytes(b"a" * 5000)
    (good,) = host.run(host.share("good", "goes"))
    assert good["state"] == "delivered"
    before = list_tree(host.root / "ftp_good")

    force(host, mode)
    (bad,) = host.run(host.share("bad", "goes"), wait_timeout=100)
    assert bad["error"] is not None, bad
    assert bad["error"]["class"] in classes
    assert bad["error"]["message"].isprintable()
    assert list_tree(host.root / "ftp_good") == before
    assert not (host.root / "ftp_bad" / "bad").exists()
    assert not list(tmp_path.rglob("*escape*")) and not Path("/tmp/escape").exists()

    # The source is honest again.
    (host.folder / "forced").unlink()
    (again,) = host.run(host.share("bad", "goes"), wait_timeout=60)
    assert (again["state"], again["error"]) == ("delivered", None)


@pytest.mark.parametrize("mode", ["silence", "silence after the opening"])
def test_a_source_that_says_nothing_more_is_given_up(host: Any, mode: str) -> None:
    (host.folder / "silence").write_text("3")
    (host.source / "goes").mkdir()
    force(host, mode)
    (bad,) = host.run(host.share("bad", "goes"), wait_timeout=100)
    assert bad["error"] is not None and bad["error"]["class"] == "source_unreachable", bad
    assert "timeout" in bad["error"]["message"]


def test_a_list_without_end_ends_in_bounded_memory(host: Any) -> None:
    (host.folder / "memory").write_text(str(400 * 1024**2))
    (host.source / "goes").mkdir()
    force(host, "an endless list")
    (bad,) = host.run(host.share("bad", "goes"), wait_timeout=100)
    assert bad["error"] is not None and bad["error"]["class"] == "too_large", bad
    assert "out of memory" in bad["error"]["message"]
    assert not host.tree.data("bad").exists()


@pytest.mark.parametrize("mode", [*ENDS, *ENDLESS, "silence", "silence after the opening"])
def test_a_measurement_ends_in_time_and_in_bounded_memory(host: Any, mode: str) -> None:
    (host.source / "goes").mkdir()
    force(host, mode)
    program = (
        "import json, resource, sys\n"
        f"from {run_source_info.__module__} import run_source_info\n"
        "answer = run_source_info(*json.loads(sys.argv[1]))\n"
        "most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))\n"
        "print(json.dumps([most, answer]))\n"
    )
    options = {
        "root": str(host.root),
        "time_limit": 15,
        "max_probes": 1,
        "reserve_bytes": 0,
        "reserve_inodes": 0,
    }
    sources = [{"source": f"source1:{host.source}/goes"}]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps([sources, options])],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[8])},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    most, answer = json.loads(done.stdout)
    (result,) = answer["sources"]
    assert result["timed_out"] or result["error"] is not None
    assert time.monotonic() - started < 60
    assert most < 2_200_000, "KiB of one process"


def test_a_line_without_end_takes_no_memory() -> None:
    lines: list[str] = []
    program = (
        f"import sys; sys.stdout.write('x' * {20 * LINE_LIMIT} + '\\nafter\\n' + 'y' * {LINE_LIMIT} + '\\n')"
    )
    with Stream([sys.executable, "-c", program], lines.append) as stream:
        ended = stream.read()
    assert ended is not None and ended.rc == 0
    assert [line for line in lines if len(line) < LINE_LIMIT] == ["after"]
    assert sum(map(len, lines)) <= 3 * LINE_LIMIT
