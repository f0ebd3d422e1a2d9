"""A program with a client made from `/openapi.json` requests data, waits, fetches it and deletes the share."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.support.api_client import ApiClient
from tests.support.ftps import log_in, read_tree
from tests.support.generated_client import GeneratedClient
from tests.support.stage import Stage

pytestmark = pytest.mark.lab


def test_the_client_requests_fetches_and_deletes(api: ApiClient, stage: Stage, tmp_path: Path) -> None:
    source = stage.make_tree("generado", files=5)
    generated = GeneratedClient(stage.control.url, tmp_path)
    load, models = generated.load, generated.load("models")
    with generated.sign_in(stage.control.token) as client:
        body = models.ShareRequest(
            usuario="generado@dominio.example", id="generado_1", ruta=f"source1:{source}", vigencia=3
        )
        asked = load("api.solicitudes.post_share").sync_detailed(client=client, body=body)
        assert (asked.status_code, asked.parsed.status.value) == (202, "recibido")

        share = generated.wait_until_settled(client, "generado_1")
        assert share.status.value == "listo"
        with closing(log_in(share.servidor.host, share.usuario, stage.decrypt(share.password))) as session:
            assert read_tree(session, "/generado_1") == stage.digest_source(source)

        blocked = load("api.solicitudes.block_share").sync_detailed(
            id="generado_1", client=client, body=models.BlockRequest(razon="prueba")
        )
        assert blocked.status_code in (200, 202)
        events = load("api.solicitudes.get_events").sync(id="generado_1", client=client)
        # Few files may be delivered before the first poll, so that no answer has `traslado`.
        ways = [event.a.value for event in events.eventos if event.a.value != "traslado"]
        assert ways[:3] == ["recibido", "preparando", "listo"]
        gone = load("api.solicitudes.delete_share").sync_detailed(id="generado_1", client=client)
        assert gone.status_code in (200, 202)
    api.delete("generado_1")
