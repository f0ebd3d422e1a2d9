"""Schemathesis sends what the OpenAPI document allows and what it forbids; every answer is a documented one."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

TEMPOFTP = str(Path(sys.executable).with_name("tempoftp"))
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)


def test_no_answer_is_undocumented(tmp_path: Path, make_environ, wait_for_answer) -> None:
    environ = make_environ(
        tmp_path,
        TEMPOFTP_DELETION_WAIT_SECONDS="0",
        TEMPOFTP_AUDIT_WAIT_SECONDS="0",
        TEMPOFTP_PREVIEW_WAIT_SECONDS="0",
        TEMPOFTP_RATE_READS="1000000/minute",
        TEMPOFTP_RATE_WRITES="1000000/minute",
        TEMPOFTP_RATE_STRANGERS="1000000/minute",
        TEMPOFTP_RATE_LINKS="1000000/minute",
    )
    url = f"http://127.0.0.1:{environ['TEMPOFTP_PORT']}"
    log = tmp_path / "log"
    with log.open("w") as file, ExitStack() as stack:
        processes = []
        for command in ("serve", "worker"):
            process = subprocess.Popen([TEMPOFTP, command], env=environ, stdout=file, stderr=file)
            stack.callback(process.wait, 60)
            stack.callback(process.terminate)
            processes.append(process)
        wait_for_answer(f"{url}/health", processes, log)
        done = run_schemathesis(f"{url}/openapi.json", environ["TEMPOFTP_TOKEN"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Authentication failed" not in done.stdout
    assert "Rate limited" not in done.stdout
    assert "Traceback" not in log.read_text()


def run_schemathesis(url: str, token: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("schemathesis"))
    return subprocess.run(
        [
            *(
                program,
                "--no-color",
                "run",
                url,
                "--checks",
                ",".join(CHECKS),
                "--phases",
                "examples,coverage,fuzzing",
            ),
            *(
                "--max-examples",
                "4",
                "--generation-deterministic",
                "--header",
                f"Authorization: Bearer {token}",
            ),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
