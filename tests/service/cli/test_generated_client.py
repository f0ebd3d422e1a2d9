"""A generator makes a complete client from `/openapi.json`; the tests of the lab use it to fetch a share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.generated_client import GeneratedClient

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def generated(service, tmp_path_factory: pytest.TempPathFactory) -> GeneratedClient:
    return GeneratedClient(service.url, tmp_path_factory.mktemp("generated"))


@pytest.fixture
def client(generated: GeneratedClient, service) -> Iterator[Any]:
    with generated.sign_in(service.environ["TEMPOFTP_TOKEN"]) as client:
        yield client


def test_every_generated_module_can_be_imported(generated: GeneratedClient) -> None:
    names = generated.list_modules()
    assert len(names) > 40
    for name in names:
        generated.load(name)


def test_the_client_requests_waits_and_deletes(generated: GeneratedClient, client: Any) -> None:
    load, models = generated.load, generated.load("models")
    body = models.ShareRequest(
        usuario="generado@dominio", id="generado_1", ruta="source1:/srv/datos/tarda-1", vigencia=3
    )
    asked = load("api.solicitudes.post_share").sync_detailed(client=client, body=body)
    assert (asked.status_code, asked.parsed.status.value) == (202, "recibido")
    assert asked.headers["Location"] == "/tmpftp/generado_1"

    share = generated.wait_until_settled(client, "generado_1")
    assert (share.status.value, share.usuario) == ("listo", "ftp_generado_dominio")
    assert share.password_tipo == "fernet"
    assert share.progreso.porcentaje == 100
    assert share.servidor.host == "ftp.simulado.invalid"

    page = load("api.solicitudes.get_shares").sync(client=client, usuario="generado@dominio")
    assert [row.id for row in page.solicitudes] == ["generado_1"]
    longer = load("api.solicitudes.patch_share").sync(
        id="generado_1", client=client, body=models.LifetimeRequest(vigencia=7)
    )
    assert (longer.vigencia, longer.pendiente) == (7, [])
    events = load("api.solicitudes.get_events").sync(id="generado_1", client=client)
    assert events.eventos[0].a.value == "recibido"
    gone = load("api.solicitudes.delete_share").sync(id="generado_1", client=client)
    assert gone.status == "deleted"


def test_a_refusal_is_parsed_as_a_problem_document(generated: GeneratedClient, client: Any) -> None:
    answer = generated.load("api.solicitudes.get_share").sync_detailed(id="no_hay", client=client)
    assert answer.status_code == 404
    assert answer.parsed.title == "Solicitud no encontrada"
