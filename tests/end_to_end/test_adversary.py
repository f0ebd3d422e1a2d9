"""With what others may have, nobody comes further: the shared key, a client's token, a source of their own.

Two persons have shares on real hosts. The adversary never gets a password or data of theirs. What a shell as the API's
user reaches is tried where the service's units run, by molecule/single_host/verify_privileges.yml.
"""

from __future__ import annotations

import ftplib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from cryptography.fernet import Fernet

from tests.support.api_client import ApiClient
from tests.support.forger import list_guesses, read_link, sign_link, sign_session
from tests.support.ftps import log_in, read_tree
from tests.support.run_modules import run_modules
from tests.support.stage import PROJECT, Stage

pytestmark = pytest.mark.lab

ADVERSARY, ANA, BETO = "malo@dominio.example", "ana@dominio.example", "beto@dominio.example"
SENDER = PROJECT / "collections/ansible_collections/lanot/tempoftp/tests/unit/plugins/hostile_sender.py"
# What each attack of a source ends with, also after it was tried again.
HOSTILE = {
    "noise": {"source_shell"},
    "noise_after_the_greeting": {"source_shell", "copy_failed"},
    "noise_after_the_opening": {"source_shell", "copy_failed"},
    "endless_noise": {"source_shell"},
    "an_endless_line": {"source_shell"},
    "a_name_that_leads_upwards": {"copy_failed"},
    "a_name_that_leads_upwards_later": {"copy_failed"},
    "an_absolute_name": {"copy_failed"},
    "nothing": {"copy_failed", "source_shell"},
}
ENDLESS = ("an_endless_message", "silence_after_the_opening")


# Everything of the FTP host but what its services write all the time.
LOOK = r"""
find / -xdev \( -path /proc -o -path /run -o -path /var/log -o -path /var/lib/mysql -o -path /root/.ansible \
  -o -path /var/lib/systemd -o -path /data/.tempoftp \) -prune -o -type f -printf '%p %s %T@\n' | sort
find /data -path /data/.tempoftp -prune -o -printf '%p %u %g %m %s\n' | sort
"""
# The most that each process of each running copy has had, and the bound of its unit.
MEMORY = r"""
for unit in $(systemctl list-units --plain --no-legend 'tempoftp-copy-*' | cut -d' ' -f1); do
  systemctl show --property MemoryMax --value $unit
  group=$(systemctl show --property ControlGroup --value $unit)
  for pid in $(cat /sys/fs/cgroup/systemd/$group/cgroup.procs /sys/fs/cgroup/$group/cgroup.procs 2>/dev/null); do
    grep VmHWM /proc/$pid/status
  done
done
"""


class Victim(NamedTuple):
    """One person's share that is ready, as its FTP host delivers it."""

    id: str
    user: str
    password: str
    tree: dict[str, str]


class Scene(NamedTuple):
    """The persons, and how the adversary asks."""

    ana: Victim
    beto: Victim
    adversary: ApiClient
    links: list[str]
    """Links to the shares of the two, which the adversary saw before they were withdrawn."""


def decrypt_shared(stage: Stage, token: str) -> str:
    """Return the password in the answer to a token without a key of its own."""
    return Fernet(stage.encryption_key).decrypt(token.encode()).decode()


def make_token(stage: Stage, name: str, email: str) -> str:
    """Make a token of a client, as the service's administrator does."""
    command = [stage.control.command, "token", "create", name, "--role", "cliente", "--email", email]
    environment = stage.control.environment()
    done = subprocess.run(
        command, env=environment, cwd=stage.control.home, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def scene(api: ApiClient, stage: Stage) -> Iterator[Scene]:
    path = stage.make_tree("ajeno", files=3)
    victims, links = [], []
    for email, share_id in ((ANA, "ana_1"), (BETO, "beto_1")):
        api.post(email, share_id, f"source1:{path}")
        ready = api.wait_ready(share_id)
        password = stage.decrypt(ready["password"])
        with log_in(stage.ftp_address, ready["usuario"], password) as client:
            tree = read_tree(client, f"/{share_id}")
        victims.append(Victim(share_id, ready["usuario"], password, tree))
        links.append(api.http.post(f"/tmpftp/{share_id}/enlace", json={}).json()["enlace"].rpartition("/")[2])
        assert api.http.delete(f"/tmpftp/{share_id}/enlace").status_code == 200
    name = f"adversario-{time.time_ns()}"
    token = make_token(stage, name, ADVERSARY)
    client = ApiClient(stage.control.url, token)
    yield Scene(*victims, client, links)
    client.http.close()


def check_unharmed(api: ApiClient, stage: Stage, scene: Scene) -> None:
    """Both persons still have their share, their password and their data."""
    for victim in (scene.ana, scene.beto):
        share = api.get(victim.id)
        assert (share["status"], stage.decrypt(share["password"])) == ("listo", victim.password)
        with log_in(stage.ftp_address, victim.user, victim.password) as client:
            assert read_tree(client, f"/{victim.id}") == victim.tree


def test_the_shared_key_opens_nothing(api: ApiClient, stage: Stage, scene: Scene) -> None:
    """It decrypts a password that its holder was given. It makes no link, session or token."""
    # Refused as too many, an attempt would tell nothing.
    with (
        stage.with_settings("TEMPOFTP_RATE_STRANGERS=100000/minute\nTEMPOFTP_RATE_LINKS=100000/minute\n"),
        httpx.Client(base_url=stage.control.url, timeout=20, trust_env=False) as stranger,
    ):
        ends = int(time.time()) + 3600
        keys = list(list_guesses([stage.encryption_key]))
        answers = set()
        for link, victim in zip(scene.links, (scene.ana, scene.beto), strict=True):
            _id, nonce, _ends = read_link(link)
            for key, nonce_guess in product(keys, (nonce, "", 0, 1, None)):
                forged = sign_link(key, victim.id, nonce_guess, ends)
                answers.add(stranger.get(f"/enlace/{forged}").status_code)
                answers.add(stranger.post(f"/enlace/{forged}/password", json={}).status_code)
        for key in keys:
            content = {"_permanent": True, "token": "operador", "marca": "0" * 16, "desde": int(time.time())}
            stranger.cookies.set("tempoftp_portal", sign_session(key, content), path="/portal")
            answers.add(stranger.get("/portal/solicitudes", follow_redirects=False).status_code)
            header = {"Authorization": f"Bearer {stage.encryption_key}"}
            answers.add(stranger.get(f"/tmpftp/{scene.ana.id}", headers=header).status_code)
    assert answers <= {302, 303, 401, 404}, answers
    check_unharmed(api, stage, scene)


def test_a_client_token_reaches_nothing_of_others(api: ApiClient, stage: Stage, scene: Scene) -> None:
    """Every route of the OpenAPI document, with the other's id, account and link."""
    document = scene.adversary.http.get("/openapi.json").json()
    asked = 0
    for path, methods in document["paths"].items():
        if "{" not in path:
            continue
        for method, victim in product(methods, (scene.ana, scene.beto)):
            values = {
                "id": victim.id,
                "ftpuser": victim.user,
                "vista": "1",
                "archivo": "x",
                "token": scene.links[0],
            }
            target = re.sub(r"{(\w+)}", lambda found: values[found[1]], path)  # noqa: B023
            answer = scene.adversary.http.request(method.upper(), target, json={})
            assert answer.status_code in (403, 404, 405, 422), f"{method} {target}: {answer.text}"
            assert victim.password not in answer.text and victim.user not in answer.text.replace(target, "")
            asked += 1
    assert asked >= 30
    for target in (
        "/tmpftp",
        f"/tmpftp?usuario={ANA}",
        "/tmpftp/prorrogas",
        "/metrics",
        "/tmpftp/auditoria",
        "/health",
    ):
        text = scene.adversary.http.get(target).text
        assert scene.ana.id not in text and scene.ana.user not in text, target
    path = stage.make_tree("propio", files=1)
    assert scene.adversary.post(ANA, "malo_1", f"source1:{path}").status_code == 403
    assert scene.adversary.post(ADVERSARY, scene.ana.id, f"source1:{path}").status_code in (403, 409)

    # With an account of its own it finds no way to the homes of others either.
    scene.adversary.post(ADVERSARY, "malo_2", f"source1:{path}")
    own = scene.adversary.wait_ready("malo_2")
    with log_in(stage.ftp_address, own["usuario"], decrypt_shared(stage, own["password"])) as client:
        for place in (
            f"/../{scene.ana.user}",
            f"../../{scene.ana.user}/{scene.ana.id}",
            f"/data/{scene.ana.user}",
        ):
            with pytest.raises(ftplib.error_perm):
                client.cwd(place)
        assert {name.strip("/") for name in client.nlst("/")} - {".", ".."} == {"malo_2"}
    with pytest.raises(ftplib.error_perm):
        log_in(stage.ftp_address, scene.ana.user, decrypt_shared(stage, own["password"]))
    check_unharmed(api, stage, scene)


def test_an_id_that_ended_shows_nothing_of_the_share_before(
    api: ApiClient, stage: Stage, scene: Scene
) -> None:
    api.delete(scene.ana.id)
    for answer in (
        scene.adversary.http.get(f"/tmpftp/{scene.ana.id}"),
        scene.adversary.http.get(f"/tmpftp/{scene.ana.id}/eventos"),
        scene.adversary.http.get(f"/tmpftp/{scene.ana.id}/log"),
        scene.adversary.http.post(f"/tmpftp/{scene.ana.id}/restaurar", json={}),
        scene.adversary.http.post(f"/tmpftp/{scene.ana.id}/reintentar", json={}),
    ):
        assert answer.status_code in (403, 404), answer.text
    path = stage.make_tree("propio", files=1)
    assert scene.adversary.post(ADVERSARY, scene.ana.id, f"source1:{path}").status_code == 202
    own = scene.adversary.wait_ready(scene.ana.id)
    assert decrypt_shared(stage, own["password"]) != scene.ana.password
    for route in ("", "/eventos", "/log"):
        text = scene.adversary.http.get(f"/tmpftp/{scene.ana.id}{route}").text
        assert scene.ana.user not in text and ANA not in text and "ajeno" not in text


@pytest.fixture
def hostile(stage: Stage) -> Iterator[None]:
    """The source answers every request by the program of the adversary, as the name of the folder says."""
    keys = "/home/lanotadm/.ssh/authorized_keys"
    stage.source(
        f"cp -p {keys} {keys}.honest && cat > /usr/local/bin/hostile <<'EOF'\n{SENDER.read_text()}\nEOF"
    )
    stage.source(
        rf"sed -i 's#command=\"[^\"]*\"#command=\"/usr/bin/python3 /usr/local/bin/hostile\"#' {keys}"
    )
    # A connection that copies share keeps the command that its key was bound to.
    stage.ftp("systemctl stop 'tempoftp-ssh-*'")
    yield
    stage.ftp("systemctl stop 'tempoftp-ssh-*'")
    stage.source(f"mv {keys}.honest {keys}; rm -f /usr/local/bin/hostile; pkill -u lanotadm python3 || true")


def test_a_hostile_source_harms_only_its_own_share(
    api: ApiClient, stage: Stage, scene: Scene, hostile: None, tmp_path: Path
) -> None:
    root, run = "/srv/datos", time.time_ns() % 10**9
    common = {
        "generation": 1,
        "ftpuser": "ftp_hostil",
        "ssh_user": "lanotadm",
        "ssh_key_file": "/etc/tempoftp/ssh/source1-datos",
        "source_root": root,
    }
    shares: list[dict[str, Any]] = [
        {"id": f"hostil_{run}_{number}", "source": f"lanotadm@source1:{root}/e2e/hostil/{mode}", **common}
        for number, mode in enumerate((*HOSTILE, *ENDLESS))
    ]
    before = stage.ftp(LOOK)
    try:
        results = {result["id"]: result for result in run_modules(stage, tmp_path, *shares)}
        for number, classes in enumerate(HOSTILE.values()):
            result = results[f"hostil_{run}_{number}"]
            assert result["error"] is not None and result["error"]["class"] in classes, result
        # The two that go on are still bounded; other shares are delivered beside them.
        memory = stage.ftp(MEMORY)
        assert "infinity" not in memory
        assert all(int(found) < 400_000 for found in re.findall(r"VmHWM:\s+(\d+) kB", memory)), memory
    finally:
        gone = [{"id": share["id"], "generation": 2, "state": "absent"} for share in shares]
        ended = run_modules(stage, tmp_path, *gone)
    assert {result["state"] for result in ended} == {"absent"}, json.dumps(ended)
    assert stage.ftp("systemctl list-units --plain --no-legend 'tempoftp-copy-*'") == ""
    after = stage.ftp(LOOK)
    strange = set(before.splitlines()) ^ set(after.splitlines())
    assert [
        line for line in strange if "/data/ftp_hostil" not in line and not line.startswith("/data d")
    ] == []
    check_unharmed(api, stage, scene)
