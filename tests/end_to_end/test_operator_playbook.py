"""`playbooks/share.yml`: shares from a file, without the service."""

from __future__ import annotations

import ftplib
import hashlib
import re
from pathlib import Path

import pytest
import yaml

from tests.support.ftps import log_in, read_tree, try_upload
from tests.support.stage import CREDENTIALS, PROJECT, Stage

pytestmark = pytest.mark.lab


@pytest.fixture
def shares_file(stage: Stage, tmp_path: Path) -> Path:
    stage.make_tree("operador", files=3)
    path = tmp_path / "shares.yml"
    path.write_text(
        "shares:\n"
        "  - id: operador_1\n"
        "    ftpuser: ftp_operador_lab\n"
        "    source: source1:/srv/datos/e2e/operador\n"
        "    lifetime_days: 2\n"
        "  - id: operador_malo\n"
        "    ftpuser: ftp_operador_lab\n"
        "    source: source1:/srv/datos/e2e/{{ lookup('pipe', 'touch /tmp/tempoftp_pwned') }}\n"
    )
    return path


def _count_changed(output: str) -> int:
    return sum(int(n) for n in re.findall(r"changed=(\d+)", output))


def test_check_then_deliver_then_idempotent(stage: Stage, tmp_path: Path) -> None:
    source = stage.make_tree("operador2", files=3)
    shares = tmp_path / "shares.yml"
    shares.write_text(
        f"shares:\n  - {{id: operador_2, ftpuser: ftp_operador2_lab, source: 'source1:{source}', lifetime_days: 2}}\n"
    )
    arguments = ("playbooks/share.yml", "-e", f"shares_file={shares}")
    before = stage.list_host_state()
    checked = stage.run_playbook(*arguments, "--check", "--diff")
    assert "operador_2" in checked
    assert _count_changed(checked) > 0
    assert stage.list_host_state() == before, "--check does nothing"
    passwords = CREDENTIALS
    assert not list(passwords.glob("**/ftp_operador2_lab")), "--check makes no password"

    delivered = stage.run_playbook(*arguments)
    assert _count_changed(delivered) > 0
    password_file = next(passwords.glob("**/ftp_operador2_lab"))
    try:
        assert password_file.stat().st_mode & 0o077 == 0
        password = password_file.read_text().strip()
        assert password not in delivered
        assert str(password_file.relative_to(PROJECT)) in delivered
        with log_in(stage.ftp_address, "ftp_operador2_lab", password) as client:
            assert read_tree(client, "/operador_2") == stage.digest_source(source)
        assert _count_changed(stage.run_playbook(*arguments)) == 0
    finally:
        shares.write_text(shares.read_text().replace("{id:", "{state: absent, id:"))
        assert _count_changed(stage.run_playbook(*arguments)) > 0
        password_file.unlink(missing_ok=True)
    buried = re.compile(r"/data/\.tempoftp/tombstones/.*\n")
    assert buried.sub("", stage.list_host_state()) == buried.sub("", before), "only a tombstone is left"


def test_one_bad_share_affects_no_other_and_is_never_a_template(stage: Stage, shares_file: Path) -> None:
    witness = Path("/tmp/tempoftp_pwned")
    witness.unlink(missing_ok=True)
    try:
        with pytest.raises(AssertionError, match="operador_malo"):
            stage.run_playbook("playbooks/share.yml", "-e", f"shares_file={shares_file}")
        assert not witness.exists()
        assert stage.ftp("ls -d /data/ftp_operador_lab/operador_1").strip()
    finally:
        # Both are ended, because the host knows the failed one too.
        shares_file.write_text(
            shares_file.read_text().replace("    ftpuser:", "    state: absent\n    ftpuser:")
        )
        stage.run_playbook("playbooks/share.yml", "-e", f"shares_file={shares_file}")
        for left in CREDENTIALS.glob("**/ftp_operador_lab"):
            left.unlink()
    assert "ftp_operador_lab" not in stage.list_host_state()


def test_only_a_writable_share_takes_uploads(stage: Stage, tmp_path: Path) -> None:
    source = stage.make_tree("escribible", files=1)
    user, written = "ftp_escribe_lab", b"medido hoy\n"
    common = {"ftpuser": user, "source": f"source1:{source}", "lifetime_days": 2}
    wanted = [{"id": "escribe_1", "writable": True, **common}, {"id": "escribe_2", **common}]
    shares, credentials = tmp_path / "shares.yml", tmp_path / "credentials"
    arguments = ("playbooks/share.yml", "-e", f"shares_file={shares} tempoftp_credentials_dir={credentials}")
    shares.write_text(yaml.safe_dump({"shares": wanted}))
    try:
        stage.run_playbook(*arguments)
        password = next(credentials.glob(f"*/{user}")).read_text().strip()
        delivered = stage.digest_source(source)
        with log_in(stage.ftp_address, user, password) as client:
            try_upload(client, "/escribe_1/resultado.txt", written)
            client.mkd("/escribe_1/nueva")
            try_upload(client, "/escribe_1/nueva/otro.txt", written)
            for outside in (
                "/escribe_2/resultado.txt",
                "/escribe_2/sub carpeta/resultado.txt",
                "/resultado.txt",
            ):
                with pytest.raises(ftplib.error_perm, match="55"):
                    try_upload(client, outside, written)
            digest = hashlib.sha256(written).hexdigest()
            uploaded = {"resultado.txt": digest, "nueva/otro.txt": digest}
            assert read_tree(client, "/escribe_1") == {**delivered, **uploaded}
            assert read_tree(client, "/escribe_2") == delivered
        assert _count_changed(stage.run_playbook(*arguments)) == 0, "what was uploaded is left alone"
        with log_in(stage.ftp_address, user, password) as client:
            assert read_tree(client, "/escribe_1") == {**delivered, **uploaded}
        assert stage.digest_source(source) == delivered, "nothing of it reaches the source"
    finally:
        shares.write_text(yaml.safe_dump({"shares": [{**share, "state": "absent"} for share in wanted]}))
        stage.run_playbook(*arguments)
    assert user not in stage.list_host_state()
