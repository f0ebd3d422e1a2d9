"""How a source is delivered: from the sources file and the settings, by the row, into the request file."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tempoftp.db.engine import Database
from tempoftp.db.models import Account, Share
from tempoftp.settings import Settings
from tempoftp.shares.create import create_share
from tempoftp.shares.schemas import ShareRequest
from tempoftp.worker.request import RunRequest, build_share_item

AcceptShare = Callable[..., Share]
KEYS = ("source_root", "ssh_key_file", "size_probe", "local", "method", "reuse", "checksums")


def write_item(database: Database, share_id: str = "p1") -> dict[str, object]:
    """Return a share as it stands in the request file; what stands not there is None."""
    with database.read() as session:
        share = session.get_one(Share, share_id)
        item = build_share_item(share, session.get_one(Account, share.ftpuser))
    request = RunRequest(run_id="r", ftp_host="f", wait_timeout=1, shares=[item])
    (written,) = json.loads(request.write_json())["shares"]
    return {key: written.get(key) for key in KEYS}


@pytest.mark.parametrize(
    ("ruta", "expected"),
    [
        (
            "source1:/srv/datos/a",
            ("/srv/datos", "/etc/tempoftp/ssh/source1-datos", "rsync", False, "auto", False, False),
        ),
        # A key that is restricted to no root gets whole paths, and `du` a shell.
        ("plain:/archivo/a", (None, None, "du", False, "auto", False, False)),
        ("here:/archivo/a", (None, None, "rsync", True, "auto", False, False)),
    ],
)
def test_the_sources_file_says_it(
    database: Database, accept_share: AcceptShare, ruta: str, expected: tuple[object, ...]
) -> None:
    accept_share(ruta=ruta)
    assert tuple(write_item(database).values()) == expected


def test_the_settings_say_it_for_all(settings: Settings, database: Database) -> None:
    changed = settings.model_copy(update={"local_method": "bind", "reuse_copies": True, "checksums": True})
    for share_id, ruta in (("p1", "here:/archivo/a"), ("p2", "source1:/srv/datos/a")):
        request = ShareRequest(usuario="alguien@dominio", id=share_id, ruta=ruta, vigencia=3)
        with database.write() as session:
            create_share(session, changed, request, "tester", "r")
    local, remote = write_item(database, "p1"), write_item(database, "p2")
    assert (local["method"], local["reuse"], local["checksums"]) == ("bind", True, False)
    assert (remote["method"], remote["reuse"], remote["checksums"]) == ("auto", True, True)


def test_a_share_stays_as_it_was_asked_for(
    settings: Settings, database: Database, accept_share: AcceptShare
) -> None:
    """A setting that changes later is for those who ask later: nothing that is delivered becomes something else."""
    accept_share(ruta="here:/archivo/a")
    before = write_item(database)
    settings.sources_file.write_text(
        "sources: {here: {local: true, method: bind, reuse: true, roots: [{name: todo, path: /archivo}]}}"
    )
    accept_share(ruta="here:/archivo/a")
    assert write_item(database) == before
