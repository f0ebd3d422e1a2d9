"""Correct the rows from an FTP host, after the database came from a backup.

The host is right about every row that is not newer than the host: shares that ended there have ended, shares that live
there live. A row that somebody changed after the restore is newer than the host, and its change is carried out. A share
that has no row gets one if its account has a row. The other shares are only listed, because their owner must not be
guessed: the operator runs `tempoftp account map`, and then this once more.
"""

from __future__ import annotations

import hashlib
from collections import deque
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import forget_account
from tempoftp.audits.results import Finding, HostAccount, HostFacts, HostShare, HostTombstone
from tempoftp.audits.rows import SeenRows
from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, HistoryEntry, Share
from tempoftp.phrases import Phrase
from tempoftp.shares.desired_state import DesiredState
from tempoftp.shares.expiry import SWEEPER
from tempoftp.shares.lifecycle import record_birth, record_change, transition
from tempoftp.states import CLAIMABLE, ENDING, TERMINAL, TRANSITIONS, State

AUTHOR = "restore"


def find_candidates(rows: SeenRows, facts: HostFacts, stale_since: datetime | None) -> list[str]:
    """Return the ids of rows that may have to be corrected, and of shares without a row; nothing is locked.

    `correct_shares` decides under the lock of each row. A row that changes meanwhile has been made due by its change.
    """
    wrong = [share_id for share_id in facts.live if share_id not in rows.known_ids]
    for row in rows.shares.values():
        entry, end = facts.live.get(row.id), facts.ended.get(row.id)
        has_ended = row.state in ENDING | TERMINAL
        if entry is not None:
            is_settled = not has_ended and row.state != State.ERROR and entry.generation == row.generation
            is_newer = stale_since is not None and row.wished_at > stale_since
            if entry.generation >= row.generation and (is_newer or not is_settled):
                wrong.append(row.id)
        elif end is not None:
            if end.generation >= row.generation and not (has_ended and end.generation == row.generation):
                wrong.append(row.id)
        elif row.state not in TERMINAL:
            wrong.append(row.id)
    return wrong


def correct_accounts(
    session: Session, ftp_host: str, facts: HostFacts, stale_since: datetime | None
) -> list[Finding]:
    """Correct the accounts of one FTP host, inside a write transaction; the accounts come before the shares."""
    restore = _Restore(session, ftp_host, facts, stale_since)
    findings: list[Finding] = []
    accounts = select(Account).where(Account.ftp_host == ftp_host).order_by(Account.name).with_for_update()
    for account in session.scalars(accounts):
        findings += restore.correct_account(account)
    return findings


def correct_shares(
    session: Session, ftp_host: str, facts: HostFacts, stale_since: datetime | None, share_ids: list[str]
) -> list[Finding]:
    """Correct these shares, inside a write transaction; returns what was corrected, and what cannot be."""
    restore = _Restore(session, ftp_host, facts, stale_since)
    findings: list[Finding] = []
    query = select(Share).where(Share.id.in_(share_ids)).order_by(Share.id).with_for_update()
    shares = {share.id: share for share in session.scalars(query)}
    for share in shares.values():
        if share.ftp_host == ftp_host:
            findings += restore.correct_share(share)
    session.flush()
    for share_id in share_ids:
        if share_id in facts.live and share_id not in shares:
            findings.append(restore.adopt(facts.live[share_id]))
    return findings


class _Restore:
    """The correction of one host's rows."""

    def __init__(
        self, session: Session, ftp_host: str, facts: HostFacts, stale_since: datetime | None
    ) -> None:
        self._session = session
        self._ftp_host = ftp_host
        self._facts = facts
        self._stale_since = stale_since
        self._live = facts.live
        self._ended = facts.ended
        self._live_of: dict[str, list[HostShare]] = {}
        for share in facts.live.values():
            self._live_of.setdefault(share.ftpuser, []).append(share)
        self._accounts = {account.name: account for account in facts.accounts or ()}
        self._now = database_now(session)

    def correct_share(self, share: Share) -> list[Finding]:
        """Bring one row to what the host knows of the share."""
        entry, end = self._live.get(share.id), self._ended.get(share.id)
        if entry is not None and entry.generation >= share.generation:
            return self._take_live(share, entry)
        if end is not None and entry is None and end.generation >= share.generation:
            return self._take_end(share, end)
        if entry is None and end is None and share.state not in TERMINAL:
            share.due_at = self._now  # a run brings the host to what the row says
        return []

    def _take_end(self, share: Share, end: HostTombstone) -> list[Finding]:
        if share.state in TERMINAL or share.state in ENDING:
            if end.generation == share.generation:
                return []
            share.generation = end.generation
            record_change(self._session, share, reason=_give_reason("the FTP host ended it"), author=AUTHOR)
        else:
            share.generation = end.generation
            to = _choose_ending(State(share.state), end.reason)
            why = _give_reason(f"the FTP host ended it ({end.reason or 'deleted'})")
            transition(self._session, share, to, reason=why, author=AUTHOR)
            share.wanted = DesiredState.ABSENT
        self._settle(share)
        # A run must verify that account, sessions and data are gone, before the row says so.
        share.due_at = None if share.state in TERMINAL else self._now
        return [
            _report_corrected(
                share.id, f"ended on the FTP host with generation {end.generation}: {share.state}"
            )
        ]

    def _take_live(self, share: Share, entry: HostShare) -> list[Finding]:
        if self._is_newer_desired(share):
            share.generation = entry.generation + 1
            self._settle(share)
            share.due_at = self._now
            record_change(
                self._session, share, reason=_give_reason("wished for after the restore"), author=AUTHOR
            )
            return [_report_corrected(share.id, f"a change after the restore is carried out: {share.state}")]
        target = _choose_state(entry)
        same = entry.generation == share.generation
        if same and share.state not in ENDING | TERMINAL and share.state != State.ERROR:
            return []
        owner = self._session.get(Account, entry.ftpuser)
        if entry.ftpuser != share.ftpuser and owner is None:
            return [_report_ownerless(entry, "its id has a row of another account")]
        share.generation = entry.generation
        self._fill(share, entry)
        if owner is not None:
            share.ftpuser, share.email = owner.name, owner.email
        self._move(share, target)
        return [
            _report_corrected(
                share.id, f"it is on the FTP host with generation {entry.generation}: {share.state}"
            )
        ]

    def _is_newer_desired(self, share: Share) -> bool:
        """Whether a person changed this row after the restore was noticed. The sweep is not a person."""
        if self._stale_since is None or share.wished_at <= self._stale_since:
            return False
        query = (
            select(HistoryEntry.author)
            .where(HistoryEntry.share_id == share.id)
            .order_by(HistoryEntry.number.desc())
            .limit(1)
        )
        return self._session.scalar(query) not in (SWEEPER, AUTHOR)

    def adopt(self, entry: HostShare) -> Finding:
        """Create the row of a share that has none, if its account has a row."""
        owner = self._session.get(Account, entry.ftpuser)
        if owner is None or owner.ftp_host != self._ftp_host:
            return _report_ownerless(entry, f"account {entry.ftpuser} has no row")
        share = Share(
            id=entry.id,
            generation=entry.generation,
            state=State.RECIBIDO,
            state_changed_at=self._now,
            email=owner.email,
            ftpuser=owner.name,
            ftp_host=self._ftp_host,
            author=AUTHOR,
            request_id=f"{AUTHOR}-{entry.id}"[:64],
            message="",
            attempt=0,
            created_at=entry.created_at or self._now,
            wished_at=self._now,
            source="",
            source_root="",
            ssh_user=entry.ssh_user,
            size_probe=entry.size_probe,
            lifetime_days=entry.lifetime_days,
        )
        self._fill(share, entry)
        self._session.add(share)
        self._session.flush()
        record_birth(self._session, share, reason=_give_reason("the FTP host has it"), author=AUTHOR)
        self._move(share, _choose_state(entry))
        return _report_corrected(entry.id, f"it had no row; its owner is {owner.email}: {share.state}")

    def correct_account(self, account: Account) -> list[Finding]:
        """Correct an account from the host. A password that is newer on the host stays."""
        if self._facts.accounts is None:
            return []
        seen = self._accounts.get(account.name)
        on_host = seen.password_generation if seen is not None else 0
        if seen is None or seen.state == "absent":
            if account.exists_since is not None:
                rotated = self._is_newer_password(account, on_host)
                token, password_hash = account.token, account.password_hash
                forget_account(account)
                if rotated:  # somebody has been told this password: the account gets it when it is made again
                    account.token, account.password_hash = token, password_hash
            account.password_generation = max(account.password_generation, on_host)
            return []
        account.exists_since = account.exists_since or self._now
        account.origin = seen.origin or account.origin
        account.status = seen.state
        if seen.origin == "adopted" and account.name in self._live_of:
            account.adopt = True  # an operator had allowed it: otherwise the account would have no share
        return [*self._correct_password(account, seen), *self._correct_block(account, seen)]

    def _correct_password(self, account: Account, seen: HostAccount) -> list[Finding]:
        if self._is_newer_password(account, seen.password_generation):
            return self._carry_out_password(account, seen.password_generation)
        newer = seen.password_generation > account.password_generation
        account.password_generation = max(account.password_generation, seen.password_generation)
        known = account.password_hash
        if not newer and known is not None and _digest(known) == seen.password_digest:
            return []
        # The stored token is of another password. The next run of one of its shares reports the hash.
        account.token = account.password_hash = None
        account.password_confirmed = account.password_generation
        return [
            _report_corrected(
                account.name, "its password on the FTP host is newer and stays; it can be rotated"
            )
        ]

    def _is_newer_password(self, account: Account, on_host: int) -> bool:
        """Whether a person asked for a password that the host does not have yet, before or after the restore."""
        if account.token is None or account.password_generation <= 1:
            return False
        since = account.password_since
        after_restore = self._stale_since is not None and since is not None and since > self._stale_since
        return after_restore or account.password_generation > on_host

    def _carry_out_password(self, account: Account, on_host: int) -> list[Finding]:
        """Keep a password that is newer than the host's, and have the next run set it."""
        if account.password_generation > on_host and account.password_confirmed <= on_host:
            return []  # the next run does it anyway
        account.password_generation = max(account.password_generation, on_host + 1)
        account.password_confirmed = on_host
        due = select(Share).where(Share.ftpuser == account.name, Share.state.in_(CLAIMABLE))
        for share in self._session.scalars(due.order_by(Share.id).with_for_update()):
            share.due_at = self._now
        detail = "a password that was asked for is newer than that of the FTP host: it is set there"
        return [_report_corrected(account.name, detail)]

    def _correct_block(self, account: Account, seen: HostAccount) -> list[Finding]:
        shares = self._live_of.get(account.name, [])
        visible = any(share.state == "delivered" for share in shares)
        blocked = seen.state == "blocked" and visible and account.origin == "created"
        if blocked == account.blocked or not visible:
            return []
        account.blocked = blocked
        account.block_reason = "restored: the FTP host blocks it" if blocked else None
        return [
            _report_corrected(
                account.name, "blocked, as on the FTP host" if blocked else "open, as on the FTP host"
            )
        ]

    def _fill(self, share: Share, entry: HostShare) -> None:
        copied = ("source", "ssh_user", "ssh_key_file", "size_probe", "local", "method", "reuse", "checksums")
        for name in (*copied, "writable"):
            setattr(share, name, getattr(entry, name))
        share.asked_generation = entry.generation  # it is not known to whom older links were sent
        share.body_digests = (
            None  # the host does not know the body; this may be another request than the row's
        )
        share.source_root = entry.source_root or ""
        share.lifetime_days = share.lifetime_confirmed = entry.lifetime_days
        share.ready_at, share.expires, share.path = entry.ready_at, entry.expires, entry.path
        share.bytes_total, share.files_total = entry.bytes_total, entry.files_total
        if entry.state != "copying":
            share.bytes_done, share.files_done, share.percent = entry.bytes_total, entry.files_total, 100.0
        share.wanted = DesiredState.BLOCKED if entry.state == "blocked" else DesiredState.PRESENT
        share.confirmed_generation = entry.generation
        self._settle(share)
        share.due_at = self._now

    def _settle(self, share: Share) -> None:
        share.message, share.error_class = (), None
        share.attempt, share.retry_until = 0, None
        share.clear_lease()

    def _move(self, share: Share, target: State) -> None:
        for state in find_path(State(share.state), target):
            # The states between did not really happen: there is no notice about them.
            why = _give_reason("the FTP host has it")
            transition(self._session, share, state, reason=why, author=AUTHOR, notify=state is target)


def find_path(origin: State, target: State) -> list[State]:
    """Return the shortest path of legal transitions between two states, without the first state."""
    before: dict[State, State] = {origin: origin}
    queue = deque([origin])
    while queue and target not in before:
        state = queue.popleft()
        for following in sorted(TRANSITIONS[state]):
            if following not in before:
                before[following] = state
                queue.append(following)
    path: list[State] = []
    state = target
    while state != origin:
        path.insert(0, state)
        state = before[state]
    return path


def _choose_state(entry: HostShare) -> State:
    if entry.state == "blocked":
        return State.BLOQUEADO
    return State.LISTO if entry.state == "delivered" and entry.ready_at is not None else State.TRASLADO


def _choose_ending(state: State, reason: str | None) -> State:
    wanted = State.EXPIRANDO if reason == "expired" else State.ELIMINANDO
    return wanted if wanted in TRANSITIONS[state] else State.ELIMINANDO


def _digest(password_hash: str) -> str:
    return "sha256:" + hashlib.sha256(password_hash.encode()).hexdigest()


def _give_reason(text: str) -> Phrase:
    return Phrase("restored", why=text)


def _report_corrected(subject: str, detail: str) -> Finding:
    return Finding(kind="row_older_than_host", subject=subject, detail=detail, repair="safe", repaired=True)


def _report_ownerless(entry: HostShare, why: str) -> Finding:
    detail = (
        f"of {entry.ftpuser}, until {entry.expires}: {why}. It stays until it expires on the host; to make it a row, "
        f"`tempoftp account map EMAIL {entry.ftpuser}` and --after-restore again"
    )
    return Finding(kind="share_without_row", subject=entry.id, detail=detail)
