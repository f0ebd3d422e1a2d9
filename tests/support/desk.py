"""A desk: one share of one account that a test claims and reports on, as runs do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from tempoftp.db.clock import utc_now, write_time
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, HistoryEntry, Share
from tempoftp.settings import Settings
from tempoftp.shares.apply_result import Claim
from tempoftp.shares.claims import claim_shares
from tempoftp.shares.outcomes import Applied, apply_outcome
from tempoftp.shares.results import Outcome
from tempoftp.states import ENDING, State

USER = "ftp_alguien_dominio"


class Desk:
    """One share of one account, claimed and reported on."""

    def __init__(self, settings: Settings, database: Database, ftp_host: str) -> None:
        self.settings, self.database, self.ftp_host = settings, database, ftp_host
        self.number = 0

    def claim(self) -> Claim:
        self.number += 1
        run_id = f"run{self.number}"
        with self.database.write() as session:
            session.execute(
                update(Share).where(Share.due_at.is_not(None)).values(due_at=utc_now() - timedelta(seconds=1))
            )
            shares = claim_shares(session, self.ftp_host, run_id, 50, 30)
            absent = {share.ftpuser for share in shares if share.state in ENDING}
            passwords = {
                share.ftpuser: session.get_one(Account, share.ftpuser).password_generation for share in shares
            }
            generations = {share.id: share.generation for share in shares}
            return Claim(run_id, self.ftp_host, generations, frozenset(absent), passwords)

    def report(
        self, claim: Claim, *shares: dict[str, Any], users: list[dict[str, Any]] | None = None
    ) -> Applied:
        outcome = {
            "schema": 1,
            "run_id": claim.run_id,
            "shares": [{"id": "p1", "generation": 1, **share} for share in shares],
            "users": users or [],
            "host": {"space_free": 7, "time": write_time(utc_now())},
            "database": {"ok": True},
        }
        with self.database.write() as session:
            return apply_outcome(session, self.settings, claim, Outcome.model_validate(outcome))

    def make_ready(self) -> Share:
        """Bring the share to `listo`, three days from now to live."""
        times = self.write_times()
        share = self.step(
            {"state": "delivered", "path": "/data/x/p1"},
            {"state": "present", "origin": "created", "password_matches": True, "shares": [times]},
        )
        assert share.state == State.LISTO
        return share

    def write_times(
        self, days: float = 3, generation: int = 1, ready_at: datetime | None = None
    ) -> dict[str, Any]:
        """What the FTP host says of the share's times."""
        ready_at = ready_at or self.share().ready_at or utc_now().replace(microsecond=0)
        return {
            "id": "p1",
            "generation": generation,
            "ready_at": ready_at.isoformat(),
            "expires": (ready_at + timedelta(days=days)).isoformat(),
        }

    def read_history(self) -> list[HistoryEntry]:
        with self.database.read() as session:
            query = select(HistoryEntry).where(HistoryEntry.share_id == "p1").order_by(HistoryEntry.number)
            return list(session.scalars(query))

    def step(self, share: dict[str, Any], user: dict[str, Any] | None = None) -> Share:
        self.report(self.claim(), share, users=[{"name": USER, **user}] if user else None)
        return self.share()

    def share(self) -> Share:
        with self.database.read() as session:
            return session.get_one(Share, "p1")

    def account(self) -> Account:
        with self.database.read() as session:
            return session.get_one(Account, USER)
