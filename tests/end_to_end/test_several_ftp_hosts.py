"""Two FTP hosts in one inventory: the placement of accounts and shares, and the server that recipients see."""

from __future__ import annotations

import ftplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.support.api_client import ApiClient
from tests.support.ftps import log_in, read_tree
from tests.support.stage import LAB_DIR, PROJECT, Stage

pytestmark = pytest.mark.lab

SECOND = "ftp2"
LAST_OCTET = 12
PUBLIC_NAME = "descargas.dominio.example"


@pytest.fixture
def two_hosts(api: ApiClient, stage: Stage, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Add a second FTP host with a public name to the stage and the service; yield name → address of both."""
    stage.lab("up", f"{SECOND}={LAST_OCTET}")
    inventory = tmp_path / "hosts.yml"
    hosts = yaml.safe_load((PROJECT / "inventories/lab/hosts.yml").read_text(encoding="utf-8"))
    ftp_hosts = hosts["all"]["children"]["lab_hosts"]["children"]["ftp_hosts"]["hosts"]
    ftp_hosts[SECOND] = {"lab_address": LAST_OCTET, "tempoftp_public_host": PUBLIC_NAME}
    inventory.write_text(yaml.safe_dump(hosts))
    (tmp_path / "group_vars").symlink_to(PROJECT / "inventories/lab/group_vars")
    stage.run_playbook("playbooks/site.yml", "--limit", f"{SECOND},source1", inventory=inventory, timeout=900)
    settings = (
        f"TEMPOFTP_INVENTORY={inventory}\n"
        f"TEMPOFTP_LAB_DIR={LAB_DIR}\n"
        f"TEMPOFTP_FTP_HOSTS={stage.ftp_host},{SECOND}\n"
    )
    with stage.with_settings(settings):
        yield {
            stage.ftp_host: stage.ftp_address,
            SECOND: f"{stage.ftp_address.rpartition('.')[0]}.{LAST_OCTET}",
        }
        api.delete_all()
    stage.lab("stop", SECOND)


def test_accounts_are_placed_and_each_host_serves_its_own(
    api: ApiClient, stage: Stage, two_hosts: dict[str, str]
) -> None:
    source = stage.make_tree("repartida", files=3)
    digests = stage.digest_source(source)
    roomiest = wait_for_roomiest(api)
    (other,) = set(two_hosts) - {roomiest}

    ready = {roomiest: deliver(api, "amplia", "amplia_1", source)}
    paused = api.http.post("/pausar", json={"host": roomiest, "razon": "una prueba"})
    assert paused.status_code == 200, paused.text
    ready[other] = deliver(api, "pausada", "pausada_1", source)
    resumed = api.http.post("/reanudar", json={"host": roomiest})
    assert resumed.status_code == 200, resumed.text
    assert_told(stage, ready)

    for name, share in ready.items():
        password = stage.decrypt(share["password"])
        for host, address in two_hosts.items():
            if host != name:
                with pytest.raises(ftplib.error_perm, match="530"):
                    log_in(address, share["usuario"], password)
                continue
            certificate = stage.read_certificate(host)
            with log_in(address, share["usuario"], password, certificate=certificate) as client:
                assert read_tree(client, f"/{share['id']}") == digests
    # An account stays on its host, although the other one has more free space.
    again = deliver(api, "pausada", "pausada_2", source)
    assert again["usuario"] == ready[other]["usuario"]
    assert again["servidor"] == ready[other]["servidor"]


def wait_for_roomiest(api: ApiClient) -> str:
    """Wait until the service has seen both hosts; return the one with most free space."""
    health = api.wait_for_health(
        lambda answer: (
            len(answer["hosts"]) == 2
            and all(host["space_free"] is not None for host in answer["hosts"].values())
        )
    )
    hosts = health["hosts"]
    return max(hosts, key=lambda name: int(hosts[name]["space_free"]))


def deliver(api: ApiClient, person: str, share_id: str, source: str) -> dict[str, Any]:
    answer = api.post(f"{person}@dominio.example", share_id, f"source1:{source}")
    assert answer.status_code == 202, answer.text
    return api.wait_ready(share_id, seconds=180)


def assert_told(stage: Stage, ready: dict[str, dict[str, Any]]) -> None:
    """Check what recipients see of each server: its public name if it has one, and its own certificate."""
    told = {name: share["servidor"] for name, share in ready.items()}
    assert told[SECOND]["host"] == PUBLIC_NAME
    assert told[stage.ftp_host]["host"] == stage.ftp_address
    for name, server in told.items():
        certificate = x509.load_pem_x509_certificate(stage.read_certificate(name).encode())
        fingerprint = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
        assert server["huella"] == f"sha256:{fingerprint}"
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert server["host"] in [str(name.value) for name in names], "the certificate is made for that name"
