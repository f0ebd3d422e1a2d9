"""Ways of delivery, and downloads: checksums, links to another share's files, sources on the FTP host itself, and the
count of downloads."""

from __future__ import annotations

import ftplib
import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.support.api_client import ApiClient
from tests.support.ftps import log_in, read_tree, try_upload
from tests.support.stage import Stage

pytestmark = pytest.mark.lab

ARCHIVE = "/srv/acervo"
Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def edit_sources(api: ApiClient, stage: Stage) -> Iterator[Callable[[Edit], None]]:
    """Change the file of the allow-list as its operator would; at the end it is restored."""
    file = stage.control.home / "sources.yml"
    before = file.read_text()

    def edit(change: Edit) -> None:
        content = yaml.safe_load(file.read_text())
        change(content["sources"])
        temporary = file.with_suffix(".new")
        temporary.write_text(yaml.safe_dump(content))
        temporary.replace(file)

    yield edit
    api.delete_all()
    file.write_text(before)


@pytest.fixture
def archive(stage: Stage, edit_sources: Callable[[Edit], None]) -> Iterator[Callable[[str], str]]:
    """Make a folder of the FTP host itself a source with this method of delivery; return the `ruta`."""
    stage.ftp(
        f"mkdir -p {ARCHIVE}/goes/sub && head -c 300000 /dev/urandom > {ARCHIVE}/goes/a.nc && "
        f"echo b > '{ARCHIVE}/goes/sub/b c.txt' && chmod -R a+rX {ARCHIVE} && "
        "{ id lanotadm >/dev/null 2>&1 || useradd --system --no-create-home lanotadm; }"
    )

    def allow(method: str) -> str:
        entry = {"local": True, "method": method, "roots": [{"name": "acervo", "path": ARCHIVE}]}
        edit_sources(lambda sources: sources.update({"acervo": entry}))
        return f"acervo:{ARCHIVE}/goes"

    yield allow
    stage.ftp(f"rm -rf {ARCHIVE}")


def digest_archive(stage: Stage) -> dict[str, str]:
    lines = stage.ftp(f"cd {ARCHIVE}/goes && find . -type f -exec sha256sum {{}} +").splitlines()
    return {line[66:].removeprefix("./"): line[:64] for line in lines}


def fetch(stage: Stage, ready: dict[str, Any]) -> dict[str, str]:
    with log_in(stage.ftp_address, ready["usuario"], stage.decrypt(ready["password"])) as client:
        return read_tree(client, f"/{ready['id']}")


def test_a_share_has_checksums(api: ApiClient, stage: Stage, edit_sources: Callable[[Edit], None]) -> None:
    edit_sources(lambda sources: sources["source1"].update(checksums=True))
    source = stage.make_tree("sumas", files=3)
    api.post("sumas@dominio.example", "sumas_1", f"source1:{source}")
    ready = api.wait_ready("sumas_1")
    # A key that is limited to one root cannot run commands.
    assert ready["entrega"] == {"metodo": "rsync", "sumas": "llegada"}
    digests = fetch(stage, ready)
    told = io.BytesIO()
    with log_in(stage.ftp_address, ready["usuario"], stage.decrypt(ready["password"])) as client:
        client.retrbinary("RETR /sumas_1/SHA256SUMS", told.write)
    lines = told.getvalue().decode().splitlines()
    assert {line[66:].removeprefix("./"): line[:64] for line in lines} == stage.digest_source(source)
    assert digests.pop("SHA256SUMS") == hashlib.sha256(told.getvalue()).hexdigest()
    assert digests == stage.digest_source(source)


def test_a_second_requester_gets_links_to_the_first_copy(
    api: ApiClient, stage: Stage, edit_sources: Callable[[Edit], None]
) -> None:
    edit_sources(lambda sources: sources["source1"].update(reuse=True))
    source = stage.make_tree("comun", files=4, kib=256)
    api.post("primera@dominio.example", "comun_1", f"source1:{source}")
    first = api.wait_ready("comun_1")
    used = int(stage.ftp("df --output=used -k /data | tail -1"))
    api.post("segunda@dominio.example", "comun_2", f"source1:{source}")
    second = api.wait_ready("comun_2")
    assert (first["entrega"]["metodo"], second["entrega"]["metodo"]) == ("rsync", "enlaces")
    assert first["usuario"] != second["usuario"]
    assert int(stage.ftp("df --output=used -k /data | tail -1")) - used < 512, "its megabyte takes no room"
    inodes = [
        stage.ftp(f"cd {share['directorio']} && stat -c '%i %n' archivo_*").splitlines()
        for share in (first, second)
    ]
    assert inodes[0] == inodes[1]
    api.delete("comun_1")
    assert fetch(stage, second) == stage.digest_source(source)
    # A file that has changed is not linked from the first copy.
    stage.source(f"echo changed > {source}/archivo_2.bin")
    api.post("tercera@dominio.example", "comun_3", f"source1:{source}")
    third = api.wait_ready("comun_3")
    assert fetch(stage, third) == stage.digest_source(source) != fetch(stage, second)


@pytest.mark.parametrize(("method", "words"), [("copy", {"copia"}), ("auto", {"copia", "reflink"})])
def test_a_source_on_the_ftp_host_is_copied_without_ssh(
    api: ApiClient, stage: Stage, archive: Callable[[str], str], method: str, words: set[str]
) -> None:
    api.post("local@dominio.example", f"local_{method}", archive(method))
    ready = api.wait_ready(f"local_{method}")
    assert ready["entrega"]["metodo"] in words
    assert fetch(stage, ready) == digest_archive(stage)


def test_a_mounted_source_is_read_only_and_survives_its_share(
    api: ApiClient, stage: Stage, archive: Callable[[str], str]
) -> None:
    ruta = archive("bind")
    before = digest_archive(stage)
    api.post("montaje@dominio.example", "montaje_1", ruta)
    ready = api.wait_ready("montaje_1")
    assert ready["entrega"]["metodo"] == "montaje"
    assert fetch(stage, ready) == before
    with log_in(stage.ftp_address, ready["usuario"], stage.decrypt(ready["password"])) as client:
        for attempt in (
            lambda: try_upload(client, "/montaje_1/nuevo"),
            lambda: client.delete("/montaje_1/a.nc"),
        ):
            with pytest.raises(ftplib.error_perm):
                attempt()
    options = stage.ftp(f"findmnt --noheadings --output OPTIONS {ready['directorio']}")
    assert "ro" in options.strip().split(","), "root cannot write there either"
    api.http.post("/tmpftp/montaje_1/bloquear", json={"razon": "una prueba"})
    api.wait_for("montaje_1", lambda a: a["status"] == "bloqueado" and not a["pendiente"])
    assert stage.ftp(f"findmnt {ready['directorio']} || true") == ""
    api.http.post("/tmpftp/montaje_1/desbloquear", json={})
    again = api.wait_for("montaje_1", lambda a: a["status"] == "listo")
    assert fetch(stage, again) == before
    api.delete("montaje_1")
    assert digest_archive(stage) == before, "nothing reaches through the mount"
    assert stage.ftp("grep -c /data/.tempoftp/binds /proc/self/mountinfo || true").strip() == "0"


END_NOW = (
    "import json, pathlib; path = pathlib.Path('/data/.tempoftp/shares/montaje_2.json'); "
    "past = {'ready_at': '2025-11-01T00:00:00Z', 'expires': '2025-11-11T00:00:00Z', 'lifetime_days': 10}; "
    "path.write_text(json.dumps({**json.loads(path.read_text()), **past}))"
)


def test_the_sweep_unmounts_a_source_whose_share_is_over(
    api: ApiClient, stage: Stage, archive: Callable[[str], str]
) -> None:
    """It runs in a mount namespace of its own, so it has systemd unmount what the host has mounted."""
    ruta = archive("bind")
    before = digest_archive(stage)
    api.post("montaje@dominio.example", "montaje_2", ruta)
    ready = api.wait_ready("montaje_2")
    stage.ftp(f'systemctl stop tempoftp-expire.timer && python3 -c "{END_NOW}"')
    try:
        stage.ftp("systemctl start tempoftp-expire.service")
    finally:
        stage.ftp("systemctl start tempoftp-expire.timer")
    assert stage.ftp("systemctl show --property Result --value tempoftp-expire.service").strip() == "success"
    assert stage.ftp("grep -c -e montaje_2 /proc/self/mountinfo || true").strip() == "0"
    assert stage.ftp(f"ls -d {ready['directorio']} 2>/dev/null || true") == ""
    assert digest_archive(stage) == before, "nothing reaches through the mount"


def test_downloads_are_counted(api: ApiClient, stage: Stage) -> None:
    source = stage.make_tree("contadas", files=2, kib=4096)
    api.post("contadas@dominio.example", "contadas_1", f"source1:{source}")
    ready = api.wait_ready("contadas_1")
    with log_in(stage.ftp_address, ready["usuario"], stage.decrypt(ready["password"])) as client:
        client.retrbinary("RETR /contadas_1/archivo_1.bin", lambda _data: None)
        # A download that the client breaks off after a part.
        data = client.transfercmd("RETR /contadas_1/archivo_2.bin", rest=4096 * 1024 - 100_000)
        while data.recv(65536):
            pass
        data.close()
        client.voidresp()
    counted = api.wait_for("contadas_1", lambda a: (a["descargas"]["total_descargas"] or 0) >= 2, seconds=60)[
        "descargas"
    ]
    assert (counted["completos"], counted["parciales"]) == (1, 1)
    assert (counted["archivos_total"], counted["archivos_completos"]) == (3, 1)
    assert [file["nombre"] for file in counted["archivos"] if file["completas"]] == ["archivo_1.bin"]
    assert counted["sin_descargar"] == {"total": 1, "lista": ["sub carpeta/año ñandú.nc"]}
    assert counted["ultima_descarga"] is not None
    assert fetch(stage, ready) == stage.digest_source(source)
    whole = api.wait_for("contadas_1", lambda a: a["descargas"]["archivos_completos"] == 3, seconds=60)
    assert whole["descargas"]["sin_descargar"] == {"total": 0, "lista": []}
