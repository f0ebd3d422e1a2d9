"""Shares that an operator delivered without the service: an audit knows them, and no row is ever theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tempoftp.accounts.map import map_account
from tempoftp.audits.audits import request_audits
from tempoftp.db.engine import Database
from tempoftp.db.models import Share
from tempoftp.settings import SIMULATED_FTP_HOST as HOST
from tempoftp.settings import Settings
from tempoftp.shares.create import create_share
from tempoftp.shares.schemas import ShareRequest
from tempoftp.states import State
from tempoftp.worker.auditor import Auditor
from tests.support.audits import Answering, build, entry, read_audit
from tests.support.findings import list_findings


def operated(share_id: str = "op1", **changes: Any) -> dict[str, Any]:
    return entry(share_id, **{"managed_by": "operator", "ftpuser": "ftp_op", **changes})


def test_they_are_counted_and_are_no_findings(make_share: Any, audit: Any, database: Database) -> None:
    make_share()
    assert audit(build(entry(), operated()), repair=True) == []
    assert read_audit(database).counts == {"shares": 1, "operator_shares": 1, "ended": 0, "accounts": 0}


def test_a_share_that_does_not_say_whose_it_is_counts_as_the_services(audit: Any) -> None:
    assert audit(build(entry("p9"))) == [("share_without_row", "p9", False)]


def test_what_the_host_finds_wrong_with_one_is_reported(audit: Any, database: Database) -> None:
    found = [{"kind": "share_past_expiry", "subject": "op1", "detail": "x", "repair": "safe"}]
    assert audit(build(operated(), findings=found)) == [("share_past_expiry", "op1", False)]


def test_an_id_that_an_operator_took_is_missing_in_its_row(
    make_share: Any, audit: Any, database: Database, read_share: Callable[[str], Share]
) -> None:
    make_share()
    outcome = build(operated("p1", generation=7))
    assert audit(outcome, repair=True) == [("row_without_share", "p1", True)]
    row = read_audit(database)
    assert row.stale_since is None, "a newer generation of an operator holds no host"
    assert "an operator manages" in list_findings(row)[0].detail
    assert read_share("p1").due_at is not None, "the run's refusal is written into the row"


def test_an_id_whose_row_has_ended_may_be_an_operators(make_share: Any, audit: Any) -> None:
    make_share("p1", State.LISTO, State.ELIMINANDO, State.ELIMINADO, generation=2)
    assert audit(build(operated("p1", generation=3)), repair=True) == []
    ended = [{"id": "p1", "generation": 3, "managed_by": "operator"}]
    assert audit(build(facts={"tombstones": ended}), repair=True) == []


def test_a_restore_makes_no_row_of_one(database: Database, audit: Any) -> None:
    with database.write() as session:
        map_account(session, "op@example.org", "ftp_op", HOST)
    assert audit(build(operated()), restore=True) == []
    with database.read() as session:
        assert session.get(Share, "op1") is None


def test_a_request_begins_after_the_generation_that_an_operator_ended(
    make_share: Any, database: Database, settings: Settings
) -> None:
    make_share("p1", State.LISTO, State.ELIMINANDO, State.ELIMINADO, generation=2)
    ended = [{"id": name, "generation": 5, "managed_by": "operator"} for name in ("p1", "p2")]
    with database.write() as session:
        request_audits(session, settings, author="tester")
    provisioner = Answering(settings.state_dir)
    provisioner.outcome = build(facts={"tombstones": ended})
    assert Auditor(settings, database, provisioner).run_due(HOST)
    for name in ("p1", "p2"):
        body = {"usuario": "alguien@dominio", "id": name, "ruta": "source1:/srv/datos/a"}
        with database.write() as session:
            create_share(session, settings, ShareRequest(**body), author="a", request_id="r")
        with database.read() as session:
            assert session.get_one(Share, name).generation == 6
