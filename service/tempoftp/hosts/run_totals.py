"""Totals of the ended runs. The worker counts each run in the database, so no process must remember it.

`GET /metrics` reads these few rows, and not all runs since the installation.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tempoftp.db.engine import Database
from tempoftp.db.leases import count_changed
from tempoftp.db.models import RunTotal

logger = logging.getLogger(__name__)

Kind = Literal["shares", "audit", "preview"]
DONE = "done"
ABANDONED = "abandoned"
INFINITY = "+Inf"
TRIES = 3
BUCKETS = ("0.5", "1", "2", "3", "5", "10", "20", "30", "60", "120", "300")
"""Upper bounds in seconds. A run that was started ahead takes 1 to 5 s; every run is stopped after 300 s."""


@dataclass(frozen=True, slots=True)
class RunDurations:
    """The durations of the runs of one host, kind and outcome, as a histogram."""

    ftp_host: str
    kind: str
    outcome: str
    buckets: tuple[tuple[str, int], ...]
    """Upper bound, and how many runs took at most that long; the last bound is `+Inf` and counts all runs."""
    seconds: float
    shares: int


def count_run(
    database: Database, ftp_host: str, kind: Kind, outcome: str, seconds: float, *, shares: int = 0
) -> None:
    """Count a run that has ended. It has its own transaction, so that an error here does not lose the outcome."""
    bucket = next((bound for bound in BUCKETS if seconds <= float(bound)), INFINITY)
    key = {"ftp_host": ftp_host, "kind": kind, "outcome": outcome, "bucket": bucket}
    for _ in range(TRIES):
        try:
            with database.write() as session:
                if not _add(session, key, seconds, shares):
                    session.add(RunTotal(**key, runs=1, seconds=seconds, shares=shares))
            return
        except DBAPIError as error:
            # Another worker inserted the same row at the same moment (a duplicate key, or a deadlock).
            failure = type(error).__name__
    logger.warning("a run was not counted: %s", failure, extra={"host": ftp_host})


def _add(session: Session, key: dict[str, str], seconds: float, shares: int) -> bool:
    statement = (
        update(RunTotal)
        .filter_by(**key)
        .values(runs=RunTotal.runs + 1, seconds=RunTotal.seconds + seconds, shares=RunTotal.shares + shares)
        .execution_options(synchronize_session=False)
    )
    return count_changed(session.execute(statement)) == 1


def read_run_totals(session: Session) -> list[RunDurations]:
    """Return every histogram, by host, kind and outcome."""
    grouped: dict[tuple[str, str, str], list[RunTotal]] = {}
    for row in session.scalars(select(RunTotal)):
        grouped.setdefault((row.ftp_host, row.kind, row.outcome), []).append(row)
    return [_sum_up(key, rows) for key, rows in sorted(grouped.items())]


def _sum_up(key: tuple[str, str, str], rows: Iterable[RunTotal]) -> RunDurations:
    by_bucket = {row.bucket: row for row in rows}
    # A row with a bound of an older release counts only in the total.
    counted, buckets = 0, []
    for bound in BUCKETS:
        counted += by_bucket[bound].runs if bound in by_bucket else 0
        buckets.append((bound, counted))
    buckets.append((INFINITY, sum(row.runs for row in by_bucket.values())))
    return RunDurations(
        *key,
        buckets=tuple(buckets),
        seconds=sum(row.seconds for row in by_bucket.values()),
        shares=sum(row.shares for row in by_bucket.values()),
    )
