"""Bad input gets a clear error and leaves nothing behind; a bad share in a batch does not affect the others."""

from __future__ import annotations

import pytest

from tests.support.api_client import ON_ITS_WAY, ApiClient
from tests.support.stage import Stage

pytestmark = pytest.mark.lab


@pytest.mark.parametrize(
    ("ruta", "status"),
    [
        ("no-es-una-ruta", 422),
        ("-oProxyCommand=touch /tmp/P:/x", 422),
        ("source1:/srv/datos/$(touch /tmp/P)\n", 422),
        ("source1:/srv/datos/../../etc", 422),
        ("rsync://source1/srv/datos", 403),
        ("otro.example:/srv/datos", 403),
        ("localhost:/etc", 403),
        ("root@source1:/srv/datos", 403),
        ("source1:/etc/passwd", 403),
    ],
)
def test_bad_requests_are_refused_before_a_run_starts(
    api: ApiClient, stage: Stage, ruta: str, status: int
) -> None:
    before = stage.list_host_state()
    answer = api.post("malo@dominio.example", "malo_1", ruta)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert api.http.get("/tmpftp/malo_1").status_code == 404
    assert stage.list_host_state() == before


def test_the_same_id_with_another_body_is_refused(api: ApiClient, stage: Stage) -> None:
    source = stage.make_tree("unico", files=1)
    api.post("unico@dominio.example", "unico_1", f"source1:{source}")
    api.wait_ready("unico_1")
    again = api.post("unico@dominio.example", "unico_1", f"source1:{source}")
    assert (again.status_code, again.json()) == (200, {"id": "unico_1", "status": "listo"})
    other = api.post("otro@dominio.example", "unico_1", f"source1:{source}")
    assert other.status_code == 409
    assert api.get("unico_1")["email"] == "unico@dominio.example"


def test_missing_denied_and_too_large_beside_a_good_one(api: ApiClient, stage: Stage) -> None:
    good = stage.make_tree("bueno", files=2)
    denied = stage.make_tree("negado", files=1)
    huge = stage.make_tree("enorme", files=1)
    stage.source(f"truncate -s 20G {huge}/enorme.bin && chown root:root {denied} && chmod 0700 {denied}")
    api.post("mixto@dominio.example", "falta_1", "source1:/srv/datos/no_existe")
    api.post("mixto@dominio.example", "negado_1", f"source1:{denied}")
    api.post("mixto@dominio.example", "enorme_1", f"source1:{huge}")
    api.post("mixto@dominio.example", "bueno_1", f"source1:{good}")
    assert api.wait_ready("bueno_1")["status"] == "listo"
    for share_id, words in (("falta_1", "no_existe"), ("negado_1", "negado"), ("enorme_1", "enorme")):
        answer = api.wait_for(share_id, lambda a: a["status"] not in ON_ITS_WAY)
        assert answer["status"] == "error", answer
        assert words in answer["mensaje"], answer
        assert stage.ftp(f"ls -d /data/*/{share_id} 2>/dev/null || true") == ""
    assert stage.ftp("ls -d /data/*/bueno_1").strip()
