"""The keys that encrypt stored passwords: encrypt all with the first key, and find those that no key decrypts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from tempoftp.db.engine import Database
from tempoftp.db.models import Account

CHECK_EVERY_SECONDS = 300.0
BATCH = 200


@dataclass(frozen=True, slots=True)
class Rotation:
    """The result of `rotate_passwords`: counts, and the accounts whose password no key decrypts."""

    rotated: int
    current: int
    unreadable: list[str]


def rotate_passwords(database: Database, fernets: Sequence[Fernet]) -> Rotation:
    """Encrypt every stored password with the first of these keys, unless that is done already.

    The passwords stay the same. A password that changes meanwhile is left alone. It may be interrupted and repeated.
    """
    first, every = fernets[0], MultiFernet(fernets)
    with database.read() as session:
        stored = _read_stored(session)
    changes: list[tuple[str, str, str]] = []
    unreadable = []
    for name, token in stored:
        if _opens(first, token):
            continue
        try:
            changes.append((name, token, every.rotate(token.encode()).decode()))
        except InvalidToken:
            unreadable.append(name)
    rotated = 0
    for start in range(0, len(changes), BATCH):
        # The transactions are short, so that the service can work meanwhile.
        with database.write() as session:
            rotated += sum(_replace(session, *change) for change in changes[start : start + BATCH])
    return Rotation(rotated, len(stored) - len(changes) - len(unreadable), unreadable)


def find_unreadable(session: Session, fernet: MultiFernet) -> list[str]:
    """Return the names of the accounts whose stored password no configured key decrypts."""
    return [name for name, token in _read_stored(session) if not _opens(fernet, token)]


def describe_unreadable(names: Sequence[str]) -> str:
    """Return what is wrong and what to do."""
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return (
        f"{len(names)} stored password(s) need a key that TEMPOFTP_ENCRYPTION_KEY lacks (accounts {shown}): put the "
        "old key back behind the new one, and run `tempoftp key rotate` before it is taken out"
    )


def _read_stored(session: Session) -> list[tuple[str, str]]:
    query = select(Account.name, Account.token).where(Account.token.is_not(None)).order_by(Account.name)
    return [(name, str(token)) for name, token in session.execute(query)]


def _opens(fernet: Fernet | MultiFernet, token: str) -> bool:
    try:
        fernet.decrypt(token.encode())
    except InvalidToken:
        return False
    return True


def _replace(session: Session, name: str, old: str, new: str) -> int:
    same = (Account.name == name, Account.token == old)
    query = update(Account).where(*same).values(token=new)
    result = session.execute(query)
    assert isinstance(result, CursorResult)  # noqa: S101 - tells mypy what an UPDATE returns
    return result.rowcount


@dataclass(slots=True)
class KeyCheck:
    """The result of `find_unreadable`, kept for some time because it decrypts every stored password."""

    fernet: MultiFernet
    clock: Callable[[], float] = time.monotonic
    _found: list[str] = field(default_factory=list)
    _until: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, session: Session) -> list[str]:
        """Return the names, at most `CHECK_EVERY_SECONDS` old."""
        with self._lock:
            if self._until is None or self.clock() >= self._until:
                self._found = find_unreadable(session, self.fernet)
                self._until = self.clock() + CHECK_EVERY_SECONDS
            return self._found
