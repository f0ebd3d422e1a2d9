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
from typing import NamedTuple

import httpx
import pytest
from cryptography.fernet import Fernet

from tests.support.api_client import ApiClient
from tests.support.forger import list_guesses, read_link, sign_link, sign_session
from tests.support.ftps import log_in, read_tree
from tests.support.hostile_source import (
    HONEST,
    MEMORY,
    ROOT,
    TREE,
    answer_by,
    build_shares,
    unharmed,
    wait_less,
)
from tests.support.run_modules import run_modules
from tests.support.stage import Stage

pytestmark = pytest.mark.lab

ADVERSARY, ANA, BETO = "malo@dominio.example", "ana@dominio.example", "beto@dominio.example"
# What each attack of a source ends with, also after it was tried again.
HOSTILE = {
    "noise": {"source_shell"},
    "noise_after_the_greeting": {"source_shell", "copy_failed"},
    "noise_after_the_opening": {"source_shell", "copy_failed"},
    "endless_noise": {"source_shell"},
    "an_endless_line": {"source_shell"},
    "an_endless_list": {"too_large"},
    "a_name_that_leads_upwards": {"copy_failed"},
    "a_name_that_leads_upwards_later": {"copy_failed"},
    "an_absolute_name": {"copy_failed"},
    "nothing": {"copy_failed", "source_shell"},
}
ENDLESS = ("an_endless_message", "silence_after_the_opening")
# What a name that nobody asked for ends with; None: it is delivered, as a part of the adversary's own share.
NAMES = {
    "names_upwards": {"copy_failed"},
    "names_upwards_later": {"copy_failed"},
    "names_absolute": {"copy_failed"},
    "names_elsewhere": {"copy_failed"},
    "names_keys": {"copy_failed"},
    "names_behind_a_link": {"copy_failed", None},
    "names_other/nombre_1": {"copy_failed"},
}
SEEDS = range(8)
SURE_CLASSES = {
    "copy_failed",
    "source_shell",
    "source_changing",
    "source_unreachable",
    "source_not_found",
    "too_large",
}


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


def test_a_hostile_source_harms_only_its_own_share(
    api: ApiClient, stage: Stage, scene: Scene, tmp_path: Path
) -> None:
    shares = build_shares((*HOSTILE, *ENDLESS))
    ending, endless = shares[: len(HOSTILE)], shares[len(HOSTILE) :]
    with answer_by(stage, "hostile_sender.py"), unharmed(stage, tmp_path, shares):
        run_modules(stage, tmp_path, *endless, wait=5)
        results = {result["id"]: result for result in run_modules(stage, tmp_path, *ending, wait=300)}
        for share, classes in zip(ending, HOSTILE.values(), strict=True):
            result = results[share["id"]]
            assert result["error"] is not None and result["error"]["class"] in classes, result
        # The two that go on are still bounded; other shares are delivered beside them.
        memory = stage.ftp(MEMORY)
        assert memory and "infinity" not in memory
        assert all(int(found) < 400_000 for found in re.findall(r"VmHWM:\s+(\d+) kB", memory)), memory
    check_unharmed(api, stage, scene)


def test_an_answer_with_other_names_or_bits_harms_only_its_own_share(
    api: ApiClient, stage: Stage, scene: Scene, tmp_path: Path
) -> None:
    """A real rsync answers, and a filter changes names or flips bits behind it."""
    modes = [*NAMES, *(f"flips_{seed}" for seed in SEEDS)]
    for mode in modes:
        stage.source(TREE.format(f"{ROOT}/e2e/hostil/{mode.partition('/')[0]}"))
    stage.source(f"cd {ROOT}/e2e/hostil/names_other && rm -r nombre_1 && echo uno > nombre_1")
    shares = build_shares(modes)
    since = stage.ftp("date +@%s").strip()
    with (
        answer_by(stage, "hostile_filter.py", HONEST),
        wait_less(stage, 5),
        unharmed(stage, tmp_path, shares),
    ):
        results = {result["id"]: result for result in run_modules(stage, tmp_path, *shares, wait=150)}
        ends = [(results[share["id"]]["error"] or {}).get("class") for share in shares]
        for mode, end in zip(modes, ends, strict=True):
            assert end in NAMES.get(mode, SURE_CLASSES | {None}), (mode, end)
        # Two rsyncs may wait for each other and say that they are alive: for so long as the unit may run.
        assert "infinity" not in stage.ftp(MEMORY)
        assert "Traceback" not in json.dumps(results)
    assert "Traceback" not in stage.ftp(f"journalctl --since {since} -u 'tempoftp-*' --no-pager")
    stage.source(f"rm -rf {ROOT}/e2e/hostil")
    check_unharmed(api, stage, scene)
