"""Previews: how large a source is and whether it fits, before anything is requested.

A preview is a row, but it promises less than the row of a share. It is measured in runs of its own, never in a run of
shares. A failure is reported once and not tried again. The row is deleted after a day. If two people ask for the same
source at the same time, or within a minute, it is measured once.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from tempoftp.access.tokens import Principal
from tempoftp.db.clock import database_now
from tempoftp.db.leases import is_free, release_leases, take_row
from tempoftp.db.models import Account, FtpHost, Preview
from tempoftp.errors import ShareError
from tempoftp.previews.results import PreviewItem, PreviewOutcome
from tempoftp.refusals import PreviewNotFound, TooManyPreviews
from tempoftp.settings import Settings
from tempoftp.shares.create import choose_ftp_host
from tempoftp.shares.sources import ResolvedSource, read_sources

FRESH_FOR = timedelta(minutes=1)
"""For this long, the answer that one caller got is given to the next one who asks for the same source."""
GIVE_UP_AFTER = timedelta(minutes=10)
"""After this time a source is not measured any more, because nobody waits for the answer now."""
KEPT_FOR = timedelta(days=1)
WAITING_LIMIT = 10
"""Number of previews that may wait at the same time for one principal."""
BATCH = 8
"""Number of sources that one run measures at most."""
_ID = re.compile("[0-9a-f]{32}")
LEASE_MARGIN_SECONDS = 40
"""Seconds that a run needs in addition to the measuring. If it needs more, the source may be measured twice."""


def ask_preview(
    session: Session, settings: Settings, ruta: str, principal: Principal, request_id: str
) -> Preview:
    """Return the preview of a source, in a write transaction.

    It is the caller's own that is unfinished or was not shown yet, or a fresh one of somebody else, else a new row:
    who has seen an answer and asks again has the source measured again.

    Commit, then wake `preview.ftp_host` unless it is answered. Raises InvalidSource, SourceNotAllowed, TooManyPreviews.
    """
    item = build_item(read_sources(settings).resolve_source(ruta))
    key = _digest(item)
    ftp_host = _choose_host(session, settings, principal)
    now = database_now(session)
    known = _find_known(session, ftp_host, key, principal.name, now)
    if known is not None and known.asker == principal.name:
        return known
    if known is None:
        _refuse_flood(session, principal.name, now)
    preview = Preview(
        id=secrets.token_hex(16),
        asker=principal.name,
        ftp_host=ftp_host,
        source_key=key,
        item=item.model_dump(),
        request_id=request_id,
        asked_at=now,
        answered_at=None if known is None else known.answered_at,
        result=None if known is None else known.result,
    )
    session.add(preview)
    session.flush()
    return preview


def build_item(source: ResolvedSource) -> PreviewItem:
    """Return the item of the request file for a source that passed the allow-list."""
    return PreviewItem.model_validate(
        {
            "source": source.canonical,
            "source_root": source.root if source.restricted else None,
            "ssh_user": source.ssh_user,
            "ssh_key_file": source.ssh_key_file,
            "size_probe": source.size_probe,
            "method": source.method,
            "local": source.local,
        }
    )


def _choose_host(session: Session, settings: Settings, principal: Principal) -> str:
    """Return the FTP host that a share of this caller would get: that of the account, if it acts for one person."""
    if principal.emails is not None and len(principal.emails) == 1:
        (email,) = principal.emails
        known = session.scalar(select(Account.ftp_host).where(Account.email == email))
        if known is not None and known in settings.ftp_host_names:
            return known
    return choose_ftp_host(session, settings)


def _find_known(session: Session, ftp_host: str, key: str, asker: str, now: datetime) -> Preview | None:
    """Return a preview that answers the question: the caller's own, else one that tells more than the caller saw."""
    seen = session.scalar(
        select(func.max(Preview.answered_at)).where(
            Preview.ftp_host == ftp_host,
            Preview.source_key == key,
            Preview.asker == asker,
            Preview.shown.is_(True),
        )
    )
    is_own, is_fresh = Preview.asker == asker, Preview.answered_at > now - FRESH_FOR
    is_untold = _is_waiting(now) | (is_fresh & Preview.shown.is_(False))
    is_news = is_fresh if seen is None else is_fresh & (Preview.answered_at > seen)
    query = (
        select(Preview)
        .where(Preview.ftp_host == ftp_host, Preview.source_key == key, Preview.error_class.is_(None))
        .where(or_(is_own & is_untold, (Preview.asker != asker) & is_news))
        .order_by((Preview.asker == asker).desc(), Preview.answered_at.desc())
        .limit(1)
    )
    return session.scalar(query)


def _refuse_flood(session: Session, asker: str, now: datetime) -> None:
    waiting = session.scalar(
        select(func.count()).select_from(Preview).where(Preview.asker == asker, _is_waiting(now))
    )
    if (waiting or 0) >= WAITING_LIMIT:
        raise TooManyPreviews("too_many_previews", count=WAITING_LIMIT)


def _is_waiting(now: datetime) -> ColumnElement[bool]:
    return Preview.answered_at.is_(None) & (Preview.asked_at > now - GIVE_UP_AFTER)


def read_preview(session: Session, preview_id: str, asker: str) -> Preview:
    """Return a preview of this principal. Raises PreviewNotFound, also for the preview of another principal."""
    preview = session.get(Preview, preview_id) if _ID.fullmatch(preview_id) else None
    if preview is None or preview.asker != asker or preview.asked_at <= database_now(session) - KEPT_FOR:
        raise PreviewNotFound("preview_not_found")
    return preview


def note_shown(session: Session, preview_id: str) -> None:
    """Write that the asker got the answer of a preview; in a write transaction."""
    session.execute(
        update(Preview).where(Preview.id == preview_id, Preview.answered_at.is_not(None)).values(shown=True)
    )


def is_known_empty(session: Session, settings: Settings, ruta: str, asker: str) -> bool:
    """Whether the last preview of a source that this caller asked for found not one file."""
    key = _digest(build_item(read_sources(settings).resolve_source(ruta)))
    last = session.scalar(
        select(Preview)
        .where(Preview.source_key == key, Preview.asker == asker, Preview.answered_at.is_not(None))
        .where(Preview.asked_at > database_now(session) - KEPT_FOR)
        .order_by(Preview.answered_at.desc())
        .limit(1)
    )
    return last is not None and last.result is not None and is_empty(last.result["source"])


def is_empty(source: Mapping[str, Any]) -> bool:
    """Whether a source that was measured to its end has no file that can be delivered."""
    return source.get("files") == 0 and not source.get("timed_out")


def _digest(item: PreviewItem) -> str:
    return hashlib.sha256(item.model_dump_json().encode()).hexdigest()


def find_hosts_to_ask(session: Session) -> set[str]:
    """Return the FTP hosts, without the paused ones, that must measure a source."""
    now = database_now(session)
    paused = select(FtpHost.name).where(FtpHost.paused.is_(True))
    query = select(Preview.ftp_host).where(_is_free(now), Preview.ftp_host.not_in(paused)).distinct()
    return set(session.scalars(query))


def _is_free(now: datetime) -> ColumnElement[bool]:
    return _is_waiting(now) & is_free(Preview, now)


def claim_previews(session: Session, settings: Settings, ftp_host: str, run_id: str) -> list[Preview]:
    """Lease what waits for an FTP host; returns one row for each source to measure. In a write transaction."""
    host = session.get(FtpHost, ftp_host)
    if host is not None and host.paused:
        return []
    now = database_now(session)
    waits = (Preview.ftp_host == ftp_host, _is_free(now))
    first_asked = func.min(Preview.asked_at)
    keys = list(
        session.scalars(
            select(Preview.source_key)
            .where(*waits)
            .group_by(Preview.source_key)
            .order_by(first_asked)
            .limit(BATCH)
        )
    )
    candidates = select(Preview.id).where(*waits, Preview.source_key.in_(keys)).order_by(Preview.asked_at)
    claimed: dict[str, Preview] = {}
    for preview_id in session.scalars(candidates).all():
        still_waits = (Preview.id == preview_id, _is_waiting(now))
        seconds = settings.preview_limit_seconds + LEASE_MARGIN_SECONDS
        if take_row(session, Preview, *still_waits, holder=run_id, now=now, seconds=seconds):
            row = session.get_one(Preview, preview_id, populate_existing=True)
            claimed.setdefault(row.source_key, row)
    return list(claimed.values())


def apply_previews(session: Session, ftp_host: str, keys: list[str], outcome: PreviewOutcome) -> None:
    """Answer all previews that wait for these sources; `keys` are in the order of the request."""
    now = database_now(session)
    for key, measured in zip(keys, outcome.sources, strict=True):
        if measured.error is not None:
            error = measured.error.to_share_error()
            _answer(session, ftp_host, key, now, error_class=error.error_class, error_message=error.message)
        else:
            found = {"source": measured.model_dump(by_alias=True), "host": outcome.host.model_dump()}
            _answer(session, ftp_host, key, now, result=found)


def fail_previews(session: Session, ftp_host: str, keys: list[str], error: ShareError) -> None:
    """Answer all previews that wait for these sources with the run's failure. They are not tried again."""
    now = database_now(session)
    for key in keys:
        _answer(session, ftp_host, key, now, error_class=error.error_class, error_message=error.message)


def _answer(session: Session, ftp_host: str, key: str, now: datetime, **values: object) -> None:
    waits = (Preview.ftp_host == ftp_host, Preview.source_key == key, Preview.answered_at.is_(None))
    session.execute(
        update(Preview)
        .where(*waits)
        .values(answered_at=now, **values)
        .execution_options(synchronize_session=False)
    )


def release_previews(session: Session, run_id: str) -> None:
    """Release what an abandoned run had leased."""
    release_leases(session, Preview, run_id)


def is_any_old(session: Session) -> bool:
    """Whether a preview is older than a day."""
    query = select(Preview.id).where(Preview.asked_at <= database_now(session) - KEPT_FOR).limit(1)
    return session.scalar(query) is not None


def forget_old(session: Session) -> None:
    """Delete the previews that are older than a day; in a write transaction."""
    session.execute(delete(Preview).where(Preview.asked_at <= database_now(session) - KEPT_FOR))


def is_settled(session: Session, preview_id: str) -> bool:
    """Whether a preview is answered, or cannot be answered soon because its host is paused."""
    preview = session.get_one(Preview, preview_id)
    host = session.get(FtpHost, preview.ftp_host)
    return preview.answered_at is not None or (host is not None and bool(host.paused))
