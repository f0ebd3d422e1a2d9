"""The commands of the pages, run unchanged in a shell, as by a user who has just run `make demo`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.api_client import ApiClient
from tests.support.documents import read_pair
from tests.support.ftps import log_in, read_tree
from tests.support.stage import BIN, CREDENTIALS, OPERATOR_HOME, PROJECT, Stage

pytestmark = pytest.mark.lab

# Only the English pages: tests/docs checks that the Spanish ones have the same blocks.
BLOCKS = read_pair("docs/api")[0].blocks | read_pair("docs/without-the-service")[0].blocks
SHARE_ID = "proyecto_real_2"
DATA = "/srv/datos/ejemplo"
ACCOUNTS = ("ftp_alguien_ejemplo", "ftp_otra_ejemplo")


class Terminal:
    """A shell in the checkout. Its environment has the settings of a stage instead of those of the demo."""

    def __init__(self, stage: Stage) -> None:
        self._environment = {
            **{name: value for name, value in os.environ.items() if name != "XDG_CONFIG_HOME"},
            "HOME": str(OPERATOR_HOME),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "TEMPOFTP_URL": stage.control.url,
            "TEMPOFTP_TOKEN": stage.control.token,
            "TEMPOFTP_ENCRYPTION_KEY": stage.control.client_key,
            "TEMPOFTP_LAB_NET": stage.net,
            "ANSIBLE_HOME": str(PROJECT / "var" / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
        }

    def paste(self, *names: str) -> str:
        """Run blocks one after the other in one shell and return what they print. Every `# →` must be in it."""
        script = "\n".join(BLOCKS[name] for name in names)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=PROJECT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{names} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        for promised in re.findall(r"^# → (.+)$", script, re.MULTILINE):
            assert promised in done.stdout, f"{names} promises {promised!r} and prints:\n{done.stdout}"
        return done.stdout


@pytest.fixture
def terminal(stage: Stage, api: ApiClient) -> Iterator[Terminal]:
    """A terminal without files of an earlier run. The source has a few of the demo's files."""
    api.delete(SHARE_ID)
    stage.source(
        f"mkdir -p '{DATA}/con espacios' {DATA}/goes16/2026 && echo 'Datos' > '{DATA}/con espacios/léeme.txt' && "
        f"head -c 300000 /dev/urandom > {DATA}/goes16/2026/banda_1.nc && "
        f"head -c 700 /dev/urandom > {DATA}/goes16/indice_1.bin && chmod -R a+rX {DATA}"
    )
    _forget()
    yield Terminal(stage)
    stage.source(f"rm -rf {DATA}")
    _forget()


def _forget() -> None:
    shutil.rmtree(PROJECT / "var" / SHARE_ID, ignore_errors=True)
    for name in (f"{SHARE_ID}.json", "servidor.pem"):
        (PROJECT / "var" / name).unlink(missing_ok=True)


@pytest.fixture
def operator(stage: Stage, terminal: Terminal, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal without shares and passwords of the example; they are removed again at the end."""
    example = yaml.safe_load((PROJECT / "docs" / "examples" / "shares.yml").read_text(encoding="utf-8"))
    ended = tmp_path / "ended.yml"
    ended.write_text(yaml.dump({"shares": [{**share, "state": "absent"} for share in example["shares"]]}))
    folder = CREDENTIALS / stage.ftp_host
    kept = {name: (folder / name).read_text() for name in ACCOUNTS if (folder / name).exists()}
    try:
        stage.run_playbook("playbooks/share.yml", "-e", f"shares_file={ended}")
        for name in ACCOUNTS:
            (folder / name).unlink(missing_ok=True)
        yield terminal
    finally:
        stage.run_playbook("playbooks/share.yml", "-e", f"shares_file={ended}")
        for name in ACCOUNTS:
            (folder / name).unlink(missing_ok=True)
        for name, password in kept.items():  # the passwords of a demo that runs at the same time
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(password)


def test_smoke_test_with_curl(stage: Stage, terminal: Terminal) -> None:
    terminal.paste("smoke test")
    answer = json.loads((PROJECT / "var" / f"{SHARE_ID}.json").read_text())
    assert answer["servidor"]["host"] == stage.ftp_address

    terminal.paste("fetch")
    fetched = PROJECT / "var" / SHARE_ID
    names = {str(path.relative_to(fetched)) for path in fetched.rglob("*") if path.is_file()}
    assert names == set(stage.digest_source(f"{DATA}/goes16"))
    password = stage.decrypt(answer["password"])
    with log_in(stage.ftp_address, answer["usuario"], password, certificate=stage.certificate) as client:
        assert read_tree(client, f"/{SHARE_ID}") == stage.digest_source(f"{DATA}/goes16")

    terminal.paste("delete")
    assert stage.query(f"SELECT User FROM users WHERE User = '{answer['usuario']}'") == ""
    assert stage.ftp(f"ls -d {answer['directorio']} 2>/dev/null || true") == ""


def test_fetch_refuses_another_certificate(stage: Stage, terminal: Terminal, tmp_path: Path) -> None:
    """The block compares the fingerprint and stops when it differs."""
    terminal.paste("smoke test")
    told = PROJECT / "var" / f"{SHARE_ID}.json"
    told.write_text(re.sub(r'"huella":"sha256:..', '"huella":"sha256:zz', told.read_text()))
    try:
        with pytest.raises(AssertionError, match="ended with 1"):
            terminal.paste("fetch")
        assert not (PROJECT / "var" / SHARE_ID).exists()
    finally:
        terminal.paste("delete")


def test_operator_delivers_without_the_service(stage: Stage, operator: Terminal) -> None:
    first = operator.paste("operator")
    checked, delivered = re.findall(r"changed=(\d+)", first)
    assert int(checked) > 0
    assert int(delivered) > 0
    password = operator.paste("operator password").strip()
    assert password
    assert password not in first
    with log_in(stage.ftp_address, "ftp_alguien_ejemplo", password, certificate=stage.certificate) as client:
        assert read_tree(client, "/ejemplo_operador") == stage.digest_source(DATA)
    again = operator.paste("operator")
    assert re.findall(r"changed=(\d+)", again) == ["0", "0"]
