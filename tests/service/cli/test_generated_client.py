"""A client that a generator makes of `/openapi.json`, and of nothing else, takes a share from the request to ready."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.processes

PACKAGE = "cliente_generado"


@pytest.fixture(scope="module")
def client_package(service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Generate the client from the document of the running service."""
    folder = tmp_path_factory.mktemp("generated")
    document = folder / "openapi.json"
    document.write_bytes(httpx.get(f"{service.url}/openapi.json", trust_env=False).content)
    options = folder / "options.json"
    options.write_text(json.dumps({"post_hooks": []}))
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "openapi_python_client",
                "generate",
                "--meta",
                "none",
                "--fail-on-warning",
            ),
            *("--path", str(document), "--config", str(options), "--output-path", str(folder / PACKAGE)),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield importlib.import_module(PACKAGE)
    sys.path.remove(str(folder))


def load(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.{name}")


@pytest.fixture
def client(client_package: ModuleType, service) -> Iterator[Any]:
    token = service.environ["TEMPOFTP_TOKEN"]
    with client_package.AuthenticatedClient(base_url=service.url, token=token) as client:
        yield client


def test_every_module_of_it_can_be_imported(client_package: ModuleType) -> None:
    root = Path(str(client_package.__file__)).parent
    names = [".".join(path.relative_to(root).with_suffix("").parts) for path in root.rglob("*.py")]
    assert len(names) > 40
    for name in names:
        load(name.removesuffix(".__init__")) if name != "__init__" else None


def test_from_the_request_to_ready_and_gone(client: Any) -> None:
    models = load("models")
    body = models.ShareRequest(
        usuario="generado@dominio", id="generado_1", ruta="source1:/srv/datos/tarda-1", vigencia=3
    )
    asked = load("api.solicitudes.post_share").sync_detailed(client=client, body=body)
    assert (asked.status_code, asked.parsed.status.value) == (202, "recibido")
    assert asked.headers["Location"] == "/tmpftp/generado_1"

    share = wait_until_settled(client, "generado_1")
    assert (share.status.value, share.usuario, share.password_tipo) == (
        "listo",
        "ftp_generado_dominio",
        "fernet",
    )
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


def wait_until_settled(client: Any, share_id: str) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = load("api.solicitudes.get_share").sync_detailed(id=share_id, client=client)
        if answer.status_code == 200:
            return answer.parsed
        assert answer.status_code == 202
        time.sleep(min(int(answer.headers["Retry-After"]), 1))
    raise AssertionError("it did not become ready")


def test_a_refusal_is_a_problem_document(client: Any) -> None:
    answer = load("api.solicitudes.get_share").sync_detailed(id="no_hay", client=client)
    assert answer.status_code == 404
    assert answer.parsed.title == "Solicitud no encontrada"
