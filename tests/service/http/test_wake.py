from __future__ import annotations

import logging

from flask.testing import FlaskClient

from tempoftp.hosts.wake_ups import open_wake_ups


def test_a_new_share_wakes_its_host_once(client: FlaskClient, body, settings) -> None:
    client.post("/tmpftp", json=body)
    client.post("/tmpftp", json=body)
    queue = open_wake_ups(settings.state_dir, "reads-nothing", lambda _host: None)
    assert queue.huey.pending_count() == 1


def test_a_lost_wake_up_fails_nobodys_request(
    client: FlaskClient, body, settings, count_rows, caplog
) -> None:
    (settings.state_dir / "wakeups.sqlite3").mkdir()
    with caplog.at_level(logging.WARNING):
        assert client.post("/tmpftp", json=body).status_code == 202
    assert "was lost" in caplog.text
    assert count_rows() == (1, 1)
