"""One playbook execution: what its events say, and how its folder is removed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tempoftp.errors import ShareError
from tempoftp.settings import Settings
from tempoftp.worker.playbook import PlaybookRun, classify_event, remove_folder, write_all
from tempoftp.worker.provisioner import RunAbandoned, RunFailed
from tempoftp.worker.request import RunRequest


@pytest.mark.processes
def test_a_process_that_waits_for_its_request_ends_with_the_folder(tmp_path: Path) -> None:
    """A playbook of a dead worker would wait for ever."""
    folder = tmp_path / "run"
    folder.mkdir()
    os.mkfifo(folder / "request.json")
    reader = subprocess.Popen(
        [sys.executable, "-c", "open(__import__('sys').argv[1]).read()", folder / "request.json"]
    )
    wait_channel = Path(f"/proc/{reader.pid}/wchan")
    deadline = time.monotonic() + 20
    while wait_channel.read_text() != "wait_for_partner" and time.monotonic() < deadline:
        time.sleep(0.02)
    remove_folder(folder)
    assert reader.wait(10) == 0
    assert not folder.exists()
    remove_folder(folder)  # twice does no harm


def start_reader(tmp_path: Path, program: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a process that opens a pipe and then does what `program` says with it; return it, and our end."""
    os.mkfifo(tmp_path / "request.json")
    text = f"import sys, time; pipe = open(sys.argv[1], 'rb'); {program}"
    reader = subprocess.Popen([sys.executable, "-c", text, tmp_path / "request.json"], stdout=subprocess.PIPE)
    descriptor = os.open(tmp_path / "request.json", os.O_WRONLY)
    os.set_blocking(descriptor, False)
    return reader, descriptor


@pytest.mark.processes
def test_a_large_request_that_is_not_read_is_given_up(tmp_path: Path) -> None:
    """The playbook has opened its request and hangs: the pipe is full after 64 KiB."""
    reader, descriptor = start_reader(tmp_path, "time.sleep(60)")
    deadline = time.monotonic() + 1

    def check() -> None:
        if time.monotonic() > deadline:
            raise RunFailed(ShareError.of("run_timeout", "stopped"))

    try:
        with pytest.raises(RunFailed) as failed:
            write_all(descriptor, b"x" * 300_000, check)
        assert failed.value.error.error_class == "run_timeout"
        assert time.monotonic() < deadline + 20
    finally:
        os.close(descriptor)
        reader.kill()
        reader.communicate()


@pytest.mark.processes
@pytest.mark.parametrize("size", [0, 5, 65_536, 65_537, 900_000])
def test_a_request_that_is_read_slowly_arrives_whole(tmp_path: Path, size: int) -> None:
    program = "time.sleep(.2); content = pipe.read(); print(len(content), set(content) <= {120, 121})"
    reader, descriptor = start_reader(tmp_path, program)
    write_all(descriptor, b"xy" * (size // 2) + b"x" * (size % 2), lambda: None)
    os.close(descriptor)
    assert reader.communicate(timeout=30)[0].split() == [str(size).encode(), b"True"]


@pytest.mark.processes
def test_a_reader_that_ends_is_an_error(tmp_path: Path) -> None:
    reader, descriptor = start_reader(tmp_path, "pipe.read(10)")
    with pytest.raises(BrokenPipeError):
        write_all(descriptor, b"x" * 300_000, lambda: None)
    os.close(descriptor)
    reader.communicate(timeout=30)


@pytest.mark.processes
def test_a_run_whose_playbook_does_not_take_its_request_ends_in_time(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(**options: Any) -> Any:
        """Open the request as the playbook does, and read nothing of it until the run is stopped."""
        with Path(options["extravars"]["request_file"]).open("rb"):
            while not options["cancel_callback"]():
                time.sleep(0.02)
        return SimpleNamespace(rc=1)

    monkeypatch.setattr("tempoftp.worker.playbook.ansible_runner.run", hang)
    hurried = settings.model_copy(update={"run_timeout_seconds": 1.0})
    run = PlaybookRun(hurried, {}, "run1", "ftp1")
    request = RunRequest(run_id="run1", ftp_host="ftp1", wait_timeout=0, shares=[], users=[])
    monkeypatch.setattr(RunRequest, "write_json", lambda _self: "x" * 300_000)
    begun = time.monotonic()
    with pytest.raises(RunFailed) as failed:
        run.feed(request, begun + 1, lambda: False)
    assert failed.value.error.error_class == "run_timeout"
    assert time.monotonic() - begun < 20
    with pytest.raises(RunAbandoned):
        run.feed(request, begun + 60, lambda: True)
    run.stop()
    run.join(20)
    assert not run.is_alive


@pytest.mark.parametrize(
    ("event", "error_class", "part"),
    [
        (
            {"event": "runner_on_unreachable", "event_data": {"res": {"msg": "ssh: no route"}}},
            "ftp_host_unreachable",
            "no route",
        ),
        (
            {"event": "runner_on_failed", "event_data": {"task": "Shares", "res": {"msg": "boom"}}},
            "run_failed",
            "boom",
        ),
        (
            {
                "event": "runner_on_failed",
                "event_data": {
                    "task": "Say why",
                    "res": {"msg": "Audit: " + "mount it " * 90 + "[root_missing]"},
                },
            },
            "root_missing",
            "ftp1: Audit: mount it",
        ),
        (
            {"event": "runner_on_failed", "event_data": {"task": "T", "res": {"msg": "no root [invalid]"}}},
            "run_failed",
            "no root",
        ),
        (
            {
                "event": "runner_on_failed",
                "event_data": {"task": "T", "res": {"msg": "what [unknown_class]"}},
            },
            "run_failed",
            "what",
        ),
        ({"event": "runner_on_failed", "event_data": {"task": "Shares", "res": {}}}, "run_failed", "hidden"),
        ({"event": "runner_on_failed", "event_data": {"ignore_errors": True}}, None, ""),
        ({"event": "runner_on_ok", "event_data": {"res": {"msg": "x"}}}, None, ""),
        ({}, None, ""),
    ],
)
def test_events_are_classified(event: dict[str, object], error_class: str | None, part: str) -> None:
    found = classify_event(event, "ftp1")
    assert (found.error_class if found else None) == error_class
    assert found is None or part in found.message
