"""A row that names another source than the sources file allows reaches no FTP host, whoever wrote the row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tempoftp.db.engine import Database
from tempoftp.db.models import Share
from tempoftp.shares.messages import say_message
from tempoftp.states import State
from tempoftp.worker.run_host import HostRunner
from tests.support.runs import Recording, work_until

FORGED: list[dict[str, Any]] = [
    {"source": "root@here:/etc", "ssh_user": "root", "local": True, "source_root": "", "ssh_key_file": None},
    {"source": "lanotadm@source1:/etc/shadow"},
    {"source": "lanotadm@source1:/srv/datos/../../etc"},
    {"source": "lanotadm@10.0.0.1:/srv/datos/goes16"},
    {"source": "-oProxyCommand=id:/srv/datos"},
    {"source": ""},
    {"ssh_user": "root"},
    {"ssh_key_file": "/root/.ssh/id_ed25519"},
    {"source_root": "/"},
    {"local": True},
]


def forge(database: Database, values: dict[str, Any], share_id: str = "forged") -> None:
    with database.write() as session:
        share = session.get_one(Share, share_id)
        for name, value in values.items():
            setattr(share, name, value)


@pytest.mark.parametrize("values", FORGED, ids=str)
def test_a_forged_source_is_never_sent(
    values: dict[str, Any],
    runner: HostRunner,
    database: Database,
    accept_share: Callable[..., Share],
    ftp_host: str,
    recording: Recording,
) -> None:
    accept_share("forged", "source1:/srv/datos/goes16")
    accept_share("good", "source1:/srv/datos/goes17", "otra@dominio")
    forge(database, values)
    share = work_until(runner, database, ftp_host, "forged", State.ERROR)
    assert share.error_class == "source_denied"
    assert "sources file" in say_message(share)
    work_until(runner, database, ftp_host, "good", State.LISTO)
    sent = {item.id for request in recording.requests for item in request.shares}
    assert sent == {"good"}
