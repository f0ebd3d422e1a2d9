"""Gives shares to the modules of the stage's FTP host without the service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.stage import Stage


def run_modules(stage: Stage, folder: Path, *shares: dict[str, Any], wait: int = 120) -> list[dict[str, Any]]:
    """Give shares to the modules as the worker does, but without the service; return the results after *wait* s."""
    request = {
        "schema": 1,
        "run_id": "run-ataque",
        "ftp_host": "ftp1",
        "wait_timeout": wait,
        "shares": shares,
        "users": [],
    }
    (folder / "request.json").write_text(json.dumps(request))
    (folder / "outcome.json").unlink(missing_ok=True)
    files = {name + "_file": str(folder / f"{name}.json") for name in ("request", "outcome")}
    stage.run_playbook("lanot.tempoftp.run_request", "--limit", "ftp1", "-e", json.dumps(files))
    results: list[dict[str, Any]] = json.loads((folder / "outcome.json").read_text())["shares"]
    return results
