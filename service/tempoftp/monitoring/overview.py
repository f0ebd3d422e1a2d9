"""The overview for operators: shares by state, copies that are going on, failures by class."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now
from tempoftp.db.models import Run, Share
from tempoftp.errors import ERROR_CLASSES
from tempoftp.shares.serializers import describe_progress
from tempoftp.states import ON_ITS_WAY, TERMINAL, State

COPIES_LIMIT = 50
RUNS_HOURS = 24


def read_overview(session: Session) -> dict[str, Any]:
    """Return `estados`, `copias` (oldest first, at most COPIES_LIMIT), and `fallos` by class, transient or not."""
    counted = select(Share.state, func.count()).where(Share.state.not_in(TERMINAL)).group_by(Share.state)
    found = {state: count for state, count in session.execute(counted)}
    return {
        "estados": {state.value: found[state] for state in State if state in found},
        "copias": _list_copies(session),
        "fallos": _count_failures(session),
    }


def _list_copies(session: Session) -> list[dict[str, Any]]:
    query = select(Share).where(Share.state.in_(ON_ITS_WAY)).order_by(Share.created_at, Share.id)
    return [
        {
            "id": share.id,
            "email": share.email,
            "estado": share.state,
            "host": share.ftp_host,
            "error": share.error_class,
            "progreso": describe_progress(share),
        }
        for share in session.scalars(query.limit(COPIES_LIMIT))
    ]


def _count_failures(session: Session) -> list[dict[str, Any]]:
    """Return for each error class how many shares it delays now and how many runs it ended in the last day."""
    since = database_now(session) - timedelta(hours=RUNS_HOURS)
    shares = select(Share.error_class, func.count()).where(
        Share.error_class.is_not(None), Share.state.not_in(TERMINAL)
    )
    runs = select(Run.error_class, func.count()).where(Run.error_class.is_not(None), Run.started_at >= since)
    by_share = {str(name): count for name, count in session.execute(shares.group_by(Share.error_class))}
    by_run = {str(name): count for name, count in session.execute(runs.group_by(Run.error_class))}
    return [
        {
            "clase": name,
            "transitorio": name in ERROR_CLASSES and ERROR_CLASSES[name].transient,
            "solicitudes": by_share.get(name, 0),
            "corridas": by_run.get(name, 0),
        }
        for name in sorted(set(by_share) | set(by_run))
    ]


def count_living_shares(session: Session) -> dict[str, int]:
    """Return how many shares of each account have not ended."""
    query = select(Share.ftpuser, func.count()).where(Share.state.not_in(TERMINAL)).group_by(Share.ftpuser)
    return {name: count for name, count in session.execute(query)}


def list_living_shares(session: Session, ftpuser: str) -> list[str]:
    """Return the ids of an account's shares that have not ended."""
    query = select(Share.id).where(Share.ftpuser == ftpuser, Share.state.not_in(TERMINAL))
    return list(session.scalars(query.order_by(Share.id)))
