"""The smoke test of the seed's section 5, exactly as written, on real hosts."""

from __future__ import annotations

import contextlib
import datetime as dt
import ftplib
from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet

from tests.support.api_client import ON_ITS_WAY, ApiClient
from tests.support.ftps import log_in, read_tree, try_upload
from tests.support.stage import Stage

pytestmark = pytest.mark.lab


@pytest.fixture
def keyless(api: ApiClient, stage: Stage) -> Iterator[ApiClient]:
    """A client of the seed's contract: its token has no key of its own, so it holds the service's."""
    (token,) = stage.control.create_token("seed", "--role", "operador")
    client = ApiClient(stage.control.url, token)
    yield client
    client.http.close()


def test_seed_section_5(keyless: ApiClient, stage: Stage) -> None:
    api, source = keyless, stage.make_tree("proyecto_real", files=25)
    answer = api.post("alguien@dominio.example", "proyecto_real_1", f"lanotadm@source1:{source}", 3)
    assert (answer.status_code, answer.json()) == (202, {"id": "proyecto_real_1", "status": "recibido"})
    assert answer.headers["Location"].endswith("/tmpftp/proyecto_real_1")
    assert int(answer.headers["Retry-After"]) >= 1

    seen: list[str] = []

    def record(state: dict[str, str]) -> bool:
        if not seen or seen[-1] != state["status"]:
            seen.append(state["status"])
        return state["status"] not in ON_ITS_WAY

    ready = api.wait_for("proyecto_real_1", record)
    assert ready["status"] == "listo", ready
    order = ["recibido", "preparando", "traslado", "listo"]
    assert seen == sorted(seen, key=order.index), "states only go forward"

    user = ready["usuario"]
    assert ready["ftpuser"] == user
    assert ready["password_tipo"] == "fernet"
    assert ready["homedir"] == f"/data/{user}"
    assert ready["vigencia"] == 3
    expires = dt.datetime.fromisoformat(ready["expira"])
    assert abs(expires - dt.datetime.now(dt.UTC) - dt.timedelta(days=3)) < dt.timedelta(minutes=5)

    password = Fernet(stage.encryption_key).decrypt(ready["password"].encode()).decode()
    with log_in(stage.ftp_address, user, password, certificate=stage.certificate) as client:
        assert read_tree(client, "/proyecto_real_1") == stage.digest_source(source)
        with pytest.raises(ftplib.error_perm):
            try_upload(client, "/proyecto_real_1/intruso")
        with pytest.raises(ftplib.error_perm):
            client.delete("/proyecto_real_1/" + next(iter(stage.digest_source(source))))


def test_wrong_password_and_clear_text_are_refused(api: ApiClient, stage: Stage) -> None:
    source = stage.make_tree("claro", files=2)
    assert api.post("claro@dominio.example", "claro_1", f"source1:{source}").status_code == 202
    ready = api.wait_ready("claro_1")
    with pytest.raises(ftplib.error_perm, match="530"):
        log_in(stage.ftp_address, ready["usuario"], "no-es-esta")
    password = stage.decrypt(ready["password"])
    with (
        ftplib.FTP(stage.ftp_address, timeout=20) as plain,
        pytest.raises(ftplib.Error, match=r"TLS|cleartext"),
    ):
        plain.login(ready["usuario"], password)


def test_a_deleted_share_cannot_be_reached(api: ApiClient, stage: Stage) -> None:
    source = stage.make_tree("borrar", files=3)
    api.post("borrar@dominio.example", "borrar_1", f"source1:{source}")
    ready = api.wait_ready("borrar_1")
    password = stage.decrypt(ready["password"])
    with contextlib.closing(log_in(stage.ftp_address, ready["usuario"], password)) as session:
        api.delete("borrar_1")
        with pytest.raises((ftplib.Error, EOFError, OSError)):
            read_tree(session, "/borrar_1")
    with pytest.raises(ftplib.error_perm, match="530"):
        log_in(stage.ftp_address, ready["usuario"], password)
    assert (
        stage.ftp("ls -A /data/.tempoftp/trash /data/.tempoftp/staging | grep -c borrar_1 || true").strip()
        == "0"
    )
    assert stage.ftp(f"ls -d /data/{ready['usuario']} 2>/dev/null || true") == ""
    assert stage.digest_source(source), "the source is untouched"


def test_a_request_after_a_delete_makes_a_new_share(api: ApiClient, stage: Stage) -> None:
    source = stage.make_tree("otravez", files=2)
    api.post("otravez@dominio.example", "otravez_1", f"source1:{source}")
    api.wait_ready("otravez_1")
    api.delete("otravez_1")
    assert api.post("otravez@dominio.example", "otravez_1", f"source1:{source}").status_code == 202
    ready = api.wait_ready("otravez_1")
    with log_in(stage.ftp_address, ready["usuario"], stage.decrypt(ready["password"])) as client:
        assert read_tree(client, "/otravez_1") == stage.digest_source(source)


def test_second_share_of_the_same_person(api: ApiClient, stage: Stage) -> None:
    source = stage.make_tree("dos", files=2)
    api.post("dos@dominio.example", "dos_1", f"source1:{source}")
    first = api.wait_ready("dos_1")
    password = stage.decrypt(first["password"])
    api.post("dos@dominio.example", "dos_2", f"source1:{source}")
    second = api.wait_ready("dos_2")
    assert second["usuario"] == first["usuario"]
    assert second["password_tipo"] == "hash"
    assert second["password"] == stage.read_password_hash(first["usuario"])
    with log_in(stage.ftp_address, first["usuario"], password) as client:
        assert read_tree(client, "/dos_1") == read_tree(client, "/dos_2") == stage.digest_source(source)
    assert stage.decrypt(api.get("dos_1")["password"]) == password, "the first answer stays as it was"
