"""When a host is away, `mensaje` says so; when it is back, the share is delivered."""

from __future__ import annotations

import pytest

from tests.support.api_client import ApiClient
from tests.support.ftps import log_in, read_tree
from tests.support.stage import Stage

pytestmark = pytest.mark.lab


def test_source_down_and_back(api: ApiClient, stage: Stage) -> None:
    source = stage.make_tree("apagado", files=2)
    digests = stage.digest_source(source)
    stage.lab("stop", "source1")
    try:
        api.post("apagado@dominio.example", "apagado_1", f"source1:{source}")
        told = api.wait_for("apagado_1", lambda a: "source1" in (a.get("mensaje") or ""), seconds=120)
        assert told["status"] in ("recibido", "preparando", "traslado"), told
    finally:
        stage.lab("start", "source1")
    ready = api.wait_ready("apagado_1", seconds=180)
    with log_in(stage.ftp_address, ready["usuario"], stage.decrypt(ready["password"])) as client:
        assert read_tree(client, "/apagado_1") == digests


def test_mariadb_down_and_back(api: ApiClient, stage: Stage) -> None:
    source = stage.make_tree("sinbase", files=2)
    stage.ftp("systemctl stop mariadb")
    try:
        api.post("sinbase@dominio.example", "sinbase_1", f"source1:{source}")
        told = api.wait_for(
            "sinbase_1",
            lambda a: "MySQL" in (a.get("mensaje") or "") or "MariaDB" in (a.get("mensaje") or ""),
        )
        assert told["status"] in ("preparando", "traslado"), "not listo before its account is"
        health = api.http.get("/health")
        assert health.status_code == 503
    finally:
        stage.ftp("systemctl start mariadb")
    ready = api.wait_ready("sinbase_1", seconds=180)
    with log_in(stage.ftp_address, ready["usuario"], stage.decrypt(ready["password"])) as client:
        assert read_tree(client, "/sinbase_1") == stage.digest_source(source)
