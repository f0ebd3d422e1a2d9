"""Accepting a share wakes the workers of its host, and never fails for want of one."""

from __future__ import annotations

import logging

import pytest
from flask.testing import FlaskClient

from tempoftp.hosts import wake_ups
from tempoftp.http.changes import wake_host
from tempoftp.settings import SIMULATED_FTP_HOST


def test_a_new_share_wakes_its_host_once(client: FlaskClient, body, settings) -> None:
    messages: list[bytes] = []
    receiver = wake_ups.SocketReceiver(settings.state_dir, messages.append)
    with receiver._bind() as worker:
        worker.settimeout(0)
        client.post("/tmpftp", json=body)
        client.post("/tmpftp", json=body)
        assert worker.recv(1000) == SIMULATED_FTP_HOST.encode()
        with pytest.raises(BlockingIOError):
            worker.recv(1000)


def test_without_a_worker_a_request_is_accepted_all_the_same(
    client: FlaskClient, body, count_rows, caplog
) -> None:
    with caplog.at_level(logging.DEBUG, "tempoftp"):
        assert client.post("/tmpftp", json=body).status_code == 202
    said = [record for record in caplog.records if "no worker was reached" in record.getMessage()]
    assert [record.levelno for record in said] == [logging.DEBUG]
    assert count_rows() == (1, 1)


def test_a_worker_that_takes_nothing_delays_no_request(client: FlaskClient, body, settings) -> None:
    receiver = wake_ups.SocketReceiver(settings.state_dir, lambda _message: None)
    with receiver._bind():  # its buffer fills up, and nothing reads it
        while wake_ups.send_to_sockets(settings.state_dir, b"ftp1"):
            pass
        assert client.post("/tmpftp", json=body).status_code == 202


def test_a_wake_up_that_cannot_be_sent_is_reported_and_raises_nothing(settings, tmp_path, caplog) -> None:
    no_folder = tmp_path / "file"
    no_folder.touch()
    wake_host(settings.model_copy(update={"state_dir": no_folder}), "ftp1")
    assert "wake-up for ftp1 was lost" in caplog.text
