"""Quotas: how many shares, open requests and bytes one person, and one token, may have at the same time.

They keep one careless script from filling every disk. Operators may go beyond them. A share counts until it is
`expirado` or `eliminado`; its bytes count once they are measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, case, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session

from tempoftp.db.models import Caller, Share
from tempoftp.refusals import QuotaReached
from tempoftp.settings import Settings
from tempoftp.states import ON_ITS_WAY, TERMINAL

GIGABYTE = 10**9
NEAR = 0.8
"""From this part of a quota on, the overview shows who has it."""
NEAR_LISTED = 50


@dataclass(frozen=True, slots=True)
class Numbers:
    """What somebody has, or may have: shares, shares on their way, bytes. 0 as a limit: no limit."""

    shares: int
    open: int
    bytes: int

    def measure(self, limits: Numbers) -> float:
        """Return the largest part of a limit that is used: 1.0 when one is reached."""
        pairs = ((self.shares, limits.shares), (self.open, limits.open), (self.bytes, limits.bytes))
        return max((used / limit for used, limit in pairs if limit), default=0.0)


def read_limits(settings: Settings) -> dict[str, Numbers]:
    """Return the limits of a person and of a token."""
    return {
        "person": Numbers(
            settings.quota_person_shares,
            settings.quota_person_open,
            round(settings.quota_person_gb * GIGABYTE),
        ),
        "token": Numbers(
            settings.quota_token_shares,
            settings.quota_token_open,
            round(settings.quota_token_gb * GIGABYTE),
        ),
    }


_HOLDERS: dict[str, InstrumentedAttribute[str]] = {"person": Share.email, "token": Share.author}


def lock_callers(session: Session, *names: str) -> None:
    """Let other requests of the same person and token wait until this write transaction ends.

    Otherwise two requests at the limit could both count before either is written. SQLite has one write transaction
    at a time anyway.
    """
    for name in sorted(set(names)):
        locked = select(Caller).where(Caller.name == name).with_for_update()
        if session.scalar(locked) is not None:
            continue
        try:
            with session.begin_nested():
                session.execute(insert(Caller).values(name=name))
        except IntegrityError:
            session.scalar(locked)  # another request has just written it


def check_quotas(session: Session, settings: Settings, email: str, author: str) -> None:
    """Refuse one more share for this person or by this caller. After `lock_callers`. Raises QuotaReached."""
    limits = read_limits(settings)
    for kind, holder in (("person", email), ("token", author)):
        _check(kind, _count(session, _HOLDERS[kind] == holder), limits[kind])


_CODES = {
    "person": ("quota_person_open", "quota_person_shares", "quota_person_bytes"),
    "token": ("quota_token_open", "quota_token_shares", "quota_token_bytes"),
}


def _check(kind: str, used: Numbers, limits: Numbers) -> None:
    open_code, shares_code, bytes_code = _CODES[kind]
    if limits.open and used.open >= limits.open:
        raise QuotaReached(open_code, count=used.open, most=limits.open)
    if limits.shares and used.shares >= limits.shares:
        raise QuotaReached(shares_code, count=used.shares, most=limits.shares)
    if limits.bytes and used.bytes >= limits.bytes:
        sizes = {"used": round(used.bytes / GIGABYTE, 1), "most": round(limits.bytes / GIGABYTE, 1)}
        raise QuotaReached(bytes_code, **sizes)


def _select_numbers() -> tuple[ColumnElement[Any], ...]:
    is_open = case((Share.state.in_(ON_ITS_WAY), 1), else_=0)
    return func.count(), func.sum(is_open), func.sum(func.coalesce(Share.bytes_total, 0))


def _count(session: Session, holder: ColumnElement[bool]) -> Numbers:
    row = session.execute(select(*_select_numbers()).where(holder, Share.state.not_in(TERMINAL))).one()
    return Numbers(*(int(value or 0) for value in row))


def list_near(session: Session, settings: Settings) -> list[dict[str, Any]]:
    """Return who uses most of a quota, the nearest first, as `GET /health` shows it to operators."""
    found = []
    for kind, limits in read_limits(settings).items():
        column = _HOLDERS[kind]
        query = select(column, *_select_numbers()).where(Share.state.not_in(TERMINAL)).group_by(column)
        for name, *values in session.execute(query):
            used = Numbers(*(int(value or 0) for value in values))
            part = used.measure(limits)
            if part >= NEAR:
                found.append((part, _describe(kind, str(name), used, limits, part)))
    found.sort(key=lambda entry: (-entry[0], entry[1]["nombre"]))
    return [entry for _part, entry in found[:NEAR_LISTED]]


def _describe(kind: str, name: str, used: Numbers, limits: Numbers, part: float) -> dict[str, Any]:
    return {
        "de": "persona" if kind == "person" else "token",
        "nombre": name,
        "porcentaje": round(100 * part, 1),
        "solicitudes": {"hay": used.shares, "limite": limits.shares or None},
        "abiertas": {"hay": used.open, "limite": limits.open or None},
        "bytes": {"hay": used.bytes, "limite": limits.bytes or None},
    }
