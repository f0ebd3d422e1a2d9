"""Attacks that need real hosts: a real sshd and its shell, rrsync, systemd and pure-ftpd."""

from __future__ import annotations

import ftplib
import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.api_client import ApiClient
from tests.support.ftps import log_in, read_tree
from tests.support.run_modules import run_modules
from tests.support.stage import CREDENTIALS, PROJECT, Stage

pytestmark = pytest.mark.lab

# Each attack would make a file of this name if a shell ran it. The tests look for it everywhere.
WITNESS = "tempoftp_pwned"
ROOT = "/srv/datos/e2e/ataques"
STRANGE = [
    f"$(touch {WITNESS})",
    f"`touch {WITNESS}`",
    f"x;touch {WITNESS};",
    f"x' && touch {WITNESS} && 'x",
    f'x" || touch {WITNESS} || "x',
    f"x | touch {WITNESS} &",
    "-rf",
    "--delete",
    "~root",
    "${HOME}..",
    "%h%n",
    "a b  c ",
]


@pytest.fixture
def attacked(stage: Stage) -> Iterator[Callable[[str], str]]:
    """Make folders of any name below ROOT with one file in each. At the end no name may have been run."""

    def make(name: str) -> str:
        path = f"{ROOT}/{name}"
        stage.source(f"mkdir -p -- {shlex.quote(path)} && printf %s x > {shlex.quote(path)}/dato")
        return path

    stage.source(f"rm -rf {ROOT} && mkdir -p {ROOT}/private && echo secret > {ROOT}/private/secret")
    yield make
    look = f"find / -xdev -name '*{WITNESS}*' -not -path '{ROOT}/*' -not -path '/data/*' 2>/dev/null || true"
    found = stage.source(look) + stage.ftp(look)
    found += "".join(
        str(path) for path in (Path.cwd(), Path("/tmp"), Path("/root"), PROJECT) if (path / WITNESS).exists()
    )
    stage.source(f"rm -rf {ROOT}")
    assert found == "", f"somebody ran it: {found}"


@pytest.fixture
def shell_key(stage: Stage) -> Iterator[str]:
    """The path of a key on the FTP host that opens a shell on the source, as sites without rrsync have it."""
    path = "/etc/tempoftp/ssh/source1-shell"
    stage.ftp(f"rm -f {path}* && ssh-keygen -q -t ed25519 -N '' -C shell-key -f {path}")
    public = stage.ftp(f"cat {path}.pub").strip()
    stage.source(f"echo {shlex.quote(public)} >> ~lanotadm/.ssh/authorized_keys")
    yield path
    stage.source("sed -i '/shell-key$/d' ~lanotadm/.ssh/authorized_keys")
    stage.ftp(f"rm -f {path}*")


def test_a_strange_path_is_taken_literally(
    api: ApiClient, stage: Stage, attacked: Callable[[str], str]
) -> None:
    shares = {}
    for number, name in enumerate(STRANGE):
        if set(name) & set("{}"):
            continue  # the API refuses these; the test of the modules has them
        shares[f"raro_{number}"] = path = attacked(name)
        answer = api.post(f"raro{number}@dominio.example", f"raro_{number}", f"source1:{path}")
        assert answer.status_code == 202, answer.text
        measured = api.preview(f"source1:{path}")
        assert (measured["archivos"], measured["bytes"]) == (1, 1), measured
    for share_id in shares:
        ready = api.wait_ready(share_id, seconds=120)
        with log_in(stage.ftp_address, ready["usuario"], stage.decrypt(ready["password"])) as client:
            assert list(read_tree(client, f"/{share_id}")) == ["dato"]
    # systemd or a shell would expand this to a path that exists, but that is not the requested one.
    assert api.preview(f"source1:{ROOT}/pub/$X../private")["error"] == "source_not_found"
    api.post("raro@dominio.example", "raro_x", f"source1:{ROOT}/pub/$X../private")
    failed = api.wait_for("raro_x", lambda a: a["status"] not in ("recibido", "preparando", "traslado"))
    assert (failed["status"], failed["error"]) == ("error", "source_not_found")


def test_no_shell_or_glob_expands_a_path(
    stage: Stage, attacked: Callable[[str], str], shell_key: str, tmp_path: Path
) -> None:
    common = {"generation": 1, "ftpuser": "ftp_ataque", "ssh_user": "lanotadm", "ssh_key_file": shell_key}
    items = []
    for number, name in enumerate(STRANGE):
        for probe in ("du", "rsync"):
            items.append(
                {
                    "id": f"{probe}_{number}",
                    "source": f"lanotadm@source1:{attacked(name)}",
                    "size_probe": probe,
                    **common,
                }
            )
    refused = [
        {"id": f"mal_{number}", "source": source, **common}
        for number, source in enumerate(
            (
                f"source1:{ROOT}/pri*",
                f"source1:{ROOT}/[p]rivate",
                f"source1:{ROOT}/private\ntouch {WITNESS}",
                f"-oProxyCommand=touch {WITNESS}:/x",
                f"lanotadm@-oProxyCommand=touch {WITNESS}:/x",
                "root@source1:/etc/shadow",
                "localhost:/etc",
            )
        )
    ]
    try:
        results = run_modules(stage, tmp_path, *items, *refused)
        for result in results[: len(items)]:
            assert (result["state"], result["error"]) == ("delivered", None), result
            assert stage.ftp(f"find /data/ftp_ataque/{result['id']} -type f -printf '%P\\n'") == "dato\n"
        assert {result["error"]["class"] for result in results[len(items) :]} == {"invalid"}
        assert "secret" not in stage.ftp("find /data/ftp_ataque")
    finally:
        gone = [{"id": item["id"], "generation": 2, "state": "absent"} for item in items]
        run_modules(stage, tmp_path, *gone)


def test_a_template_in_a_name_is_not_evaluated(
    api: ApiClient, stage: Stage, attacked: Callable[[str], str], tmp_path: Path
) -> None:
    """Names from the source pass through module results, the outcome file, the database and the answer."""
    template = f"{{{{ lookup('pipe', 'touch /tmp/{WITNESS}') }}}}"
    path = attacked("plantilla")
    stage.source(
        f"ln -s {shlex.quote('/' + template)} {path}/enlace && ln -s / {path}/{shlex.quote(template.replace('/', ':'))}"
    )
    api.post("plantilla@dominio.example", "plantilla_1", f"source1:{path}")
    ready = api.wait_ready("plantilla_1")
    told = ready["omitidos"]["lista"]
    assert ready["omitidos"]["total"] == 2
    assert any(template in line for line in told) and any(template.replace("/", ":") in line for line in told)

    shares = tmp_path / "shares.yml"
    entry = {"id": "plantilla_2", "ftpuser": "ftp_plantilla", "source": f"source1:{path}", "lifetime_days": 1}
    password = CREDENTIALS / stage.ftp_host / "ftp_plantilla"
    try:
        for state in ("present", "present", "absent"):
            shares.write_text(json.dumps({"shares": [entry | {"state": state}]}))
            said = stage.run_playbook("playbooks/share.yml", "-v", "-e", f"shares_file={shares}")
            assert state == "absent" or template in said.replace("\\'", "'")
    finally:
        password.unlink(missing_ok=True)


def test_only_plain_data_arrives(api: ApiClient, stage: Stage, attacked: Callable[[str], str]) -> None:
    path = attacked("arbol")
    stage.source(
        f"cd {path} && mknod disco b 7 0 && mknod nulo c 1 3 && mkfifo tubo && ln -s / afuera && "
        "ln -s ../../.. arriba && ln -s /etc/shadow sombra && ln -s bucle bucle && ln -s dato adentro && "
        "cp /bin/true raiz && chmod 6755 raiz && "
        "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('enchufe')\" && ln dato duro"
    )
    api.post("arbol@dominio.example", "arbol_1", f"source1:{path}")
    ready = api.wait_ready("arbol_1")
    told = " ".join(ready["omitidos"]["lista"])
    for name in ("disco", "nulo", "tubo", "enchufe", "afuera", "arriba", "sombra"):
        assert name in told, f"{name} is not named in {told}"
    there = f"/data/{ready['usuario']}/arbol_1"
    assert stage.ftp(f"find {there} -mindepth 1 -printf '%f %y %m\\n' | sort").splitlines() == [
        "adentro l 777",
        "bucle l 777",
        "dato f 640",
        "duro f 640",
        "raiz f 640",
    ]
    with log_in(stage.ftp_address, ready["usuario"], stage.decrypt(ready["password"])) as client:
        for outside in (
            "/../../etc/passwd",
            "arbol_1/../../../etc/passwd",
            "/.tempoftp/lock",
            "arbol_1/afuera/etc/passwd",
        ):
            with pytest.raises(ftplib.error_perm):
                client.retrbinary(f"RETR {outside}", lambda _: None)


def test_no_login_name_is_run_as_sql(api: ApiClient, stage: Stage, attacked: Callable[[str], str]) -> None:
    api.post("entrada@dominio.example", "entrada_1", f"source1:{attacked('entrada')}")
    ready = api.wait_ready("entrada_1")
    user, password = ready["usuario"], stage.decrypt(ready["password"])
    before = stage.query("SELECT * FROM users ORDER BY User")
    names = [
        "' OR 1=1 -- ",
        f"{user}' -- ",
        f"{user}' OR '1'='1",
        f"{user}\\",
        "%",
        f"{user[:-1]}_",
        user.upper(),
        f"{user} ",
    ]
    for name in names:
        with pytest.raises(ftplib.error_perm, match="530"):
            log_in(stage.ftp_address, name, password)
    for wrong in ("' OR 1=1 -- ", stage.read_password_hash(user), password.swapcase(), password + " "):
        with pytest.raises(ftplib.error_perm, match="530"):
            log_in(stage.ftp_address, user, wrong)
    log_in(stage.ftp_address, user, password).close()
    assert stage.query("SELECT * FROM users ORDER BY User") == before
