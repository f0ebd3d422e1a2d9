"""A share of 500 MB; every process that works on it is killed during the copy."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api_client import ApiClient
from tests.support.ftps import log_in, read_tree
from tests.support.stage import Stage

pytestmark = pytest.mark.lab

FILES = 10
FILE_MB = 50
# The whole copy takes over a minute, so that it still runs when a slow run ends.
SLOW = "tc qdisc replace dev host0 root tbf rate 60mbit burst 256kbit latency 400ms"
QUICK = "tc qdisc del dev host0 root 2>/dev/null || true"


@pytest.fixture
def big_source(stage: Stage) -> Iterator[str]:
    """500 MB behind a slow link, so that there is time to kill processes during the copy."""
    path = "/srv/datos/e2e/grande"
    stage.source(
        f"rm -rf {path}; mkdir -p {path} && cd {path} && for n in $(seq {FILES}); do "
        f"head -c {FILE_MB}000000 /dev/urandom > parte_$n.bin; done && chmod -R a+rX {path} && {SLOW}"
    )
    yield path
    stage.source(f"{QUICK}; rm -rf {path}")


def _wait_bytes(api: ApiClient, share_id: str, at_least: int) -> int:
    answer = api.wait_for(share_id, lambda a: (a["progreso"]["bytes"] or 0) >= at_least)
    done: int = answer["progreso"]["bytes"]
    return done


def _count_copiers(stage: Stage, share_id: str) -> int:
    units = stage.ftp(f"systemctl list-units --no-legend --plain 'tempoftp-copy-{share_id}*' | wc -l")
    return int(units)


def test_the_share_is_delivered_though_every_process_was_killed(
    api: ApiClient, stage: Stage, big_source: str
) -> None:
    total = FILES * FILE_MB * 1_000_000
    api.post("grande@dominio.example", "grande_1", f"source1:{big_source}")
    _wait_bytes(api, "grande_1", total // 20)

    stage.control.kill("worker")
    assert _count_copiers(stage, "grande_1") == 1, "the copy does not care"
    stage.control.start_program("worker")
    _wait_bytes(api, "grande_1", total // 5)

    deadline = time.monotonic() + 60
    while not (playbooks := stage.find_playbooks()):
        assert time.monotonic() < deadline, "no ansible-playbook was seen"
    for pid in playbooks:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    done = _wait_bytes(api, "grande_1", 2 * total // 5)

    before = stage.ftp("stat -c '%n %Y %s' /data/.tempoftp/staging/grande_1/data/* | sort")
    finished = [line for line in before.splitlines() if line.endswith(f" {FILE_MB}000000")]
    inodes = stage.ftp("stat -c '%n %i' /data/.tempoftp/staging/grande_1/data/* | sort").splitlines()
    stage.ftp("pkill -KILL -x rsync")
    stage.source(QUICK)
    ready = api.wait_ready("grande_1", seconds=180)

    assert ready["progreso"]["bytes"] >= done
    delivered = stage.ftp(f"stat -c '%n %i' /data/{ready['usuario']}/grande_1/* | sort")
    after = {Path(line.rsplit(" ", 1)[0]).name: line.rsplit(" ", 1)[1] for line in delivered.splitlines()}
    kept = {Path(line.rsplit(" ", 1)[0]).name: line.rsplit(" ", 1)[1] for line in inodes}
    assert finished, "some parts were whole before the kill"
    assert {name: after[name] for name in kept} == kept, "what was there was gone on with, not made anew"
    received = json.loads(stage.ftp("cat /data/.tempoftp/shares/grande_1.json"))
    assert received["bytes_total"] == total
    with log_in(stage.ftp_address, ready["usuario"], stage.decrypt(ready["password"])) as client:
        assert read_tree(client, "/grande_1") == stage.digest_source(big_source)


def test_a_late_run_after_a_delete_changes_nothing(api: ApiClient, stage: Stage, tmp_path: Path) -> None:
    source = stage.make_tree("tarde", files=2)
    api.post("tarde@dominio.example", "tarde_1", f"source1:{source}")
    ready = api.wait_ready("tarde_1")
    manifest = json.loads(stage.ftp("cat /data/.tempoftp/shares/tarde_1.json"))
    api.delete("tarde_1")
    before = stage.list_host_state()
    # The request of a run that lost its lease, as it was before the DELETE.
    request = {
        "schema": 1,
        "run_id": "run-tarde",
        "ftp_host": "ftp1",
        "wait_timeout": 3,
        "shares": [
            {
                "id": "tarde_1",
                "generation": manifest["generation"],
                "state": "present",
                "ftpuser": ready["usuario"],
                "source": manifest["source"],
                "source_root": manifest["source_root"],
                "ssh_user": manifest["ssh_user"],
                "ssh_key_file": manifest["ssh_key_file"],
                "size_probe": "rsync",
                "lifetime_days": 3,
                "writable": False,
            }
        ],
        "users": [
            {
                "name": ready["usuario"],
                "state": "present",
                "password_hash": "$2b$12$" + "a" * 53,
                "home": f"/data/{ready['usuario']}",
                "end_sessions": True,
            }
        ],
    }
    (tmp_path / "request.json").write_text(json.dumps(request))
    stage.run_playbook(
        "lanot.tempoftp.run_request",
        "--limit",
        "ftp1",
        "-e",
        json.dumps(
            {"request_file": str(tmp_path / "request.json"), "outcome_file": str(tmp_path / "outcome.json")}
        ),
    )
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert outcome["shares"][0]["error"]["class"] == "stale"
    assert stage.list_host_state() == before
    assert api.http.get("/tmpftp/tarde_1").status_code == 404


def test_a_worker_killed_while_idle_loses_no_request(api: ApiClient, stage: Stage) -> None:
    source = stage.make_tree("dormido", files=1)
    stage.control.kill("worker")
    answer = api.post("dormido@dominio.example", "dormido_1", f"source1:{source}")
    assert answer.status_code == 202
    stage.control.start_program("worker")
    assert api.wait_ready("dormido_1")["status"] == "listo"
