"""One playbook execution: what its events say, and how its folder is removed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tempoftp.worker.playbook import classify_event, remove_folder


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
