"""The keys that encrypt what is stored: encrypt all of it with the first key, and find what no key decrypts.

Stored are the passwords of accounts, and the tokens' own keys.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from tempoftp.db.engine import Database
from tempoftp.db.models import Account, Token

CHECK_EVERY_SECONDS = 300.0
BATCH = 200


@dataclass(frozen=True, slots=True)
class Rotation:
    """The result of `rotate_stored`: counts, and whose stored values no key decrypts."""

    rotated: int
    current: int
    unreadable: list[str]


def rotate_stored(database: Database, fernets: Sequence[Fernet]) -> Rotation:
    """Encrypt every stored password and token's key with the first of these keys, unless that is done already.

    Both stay the same. What changes meanwhile is left alone. It may be interrupted and repeated.
    """
    first, every = fernets[0], MultiFernet(fernets)
    with database.read() as session:
        stored = _read_stored(session)
    changes: list[tuple[Stored, str]] = []
    unreadable = []
    for value in stored:
        if _opens(first, value.text):
            continue
        try:
            changes.append((value, every.rotate(value.text.encode()).decode()))
        except InvalidToken:
            unreadable.append(value.shown)
    rotated = 0
    for start in range(0, len(changes), BATCH):
        # The transactions are short, so that the service can work meanwhile.
        with database.write() as session:
            rotated += sum(_replace(session, *change) for change in changes[start : start + BATCH])
    return Rotation(rotated, len(stored) - len(changes) - len(unreadable), unreadable)


def find_unreadable(session: Session, fernet: MultiFernet) -> list[str]:
    """Return the accounts whose stored password, and the tokens whose key, no configured key decrypts."""
    return [value.shown for value in _read_stored(session) if not _opens(fernet, value.text)]


def describe_unreadable(names: Sequence[str]) -> str:
    """Return what is wrong and what to do."""
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return (
        f"{len(names)} stored password(s) need a key that TEMPOFTP_ENCRYPTION_KEY lacks ({shown}): put the old key "
        "back behind the new one, and run `tempoftp key rotate` before it is taken out"
    )


@dataclass(frozen=True, slots=True)
class Stored:
    """An encrypted value, the table and row that have it, and how a message names it."""

    table: type[Account | Token]
    name: str
    text: str

    @property
    def shown(self) -> str:
        """Return the account's name, or `token NAME`."""
        return self.name if self.table is Account else f"token {self.name}"


_TABLES: tuple[type[Account | Token], ...] = (Account, Token)


def _read_stored(session: Session) -> list[Stored]:
    found = []
    for table in _TABLES:
        column = _find_column(table)
        query = select(table.name, column).where(column.is_not(None)).order_by(table.name)
        found += [Stored(table, name, str(text)) for name, text in session.execute(query)]
    return found


def _find_column(table: type[Account | Token]) -> InstrumentedAttribute[str | None]:
    return Account.token if table is Account else Token.key


def _opens(fernet: Fernet | MultiFernet, token: str) -> bool:
    try:
        fernet.decrypt(token.encode())
    except InvalidToken:
        return False
    return True


def _replace(session: Session, value: Stored, new: str) -> int:
    column = _find_column(value.table)
    same = (value.table.name == value.name, column == value.text)
    result = session.execute(update(value.table).where(*same).values({column: new}))
    assert isinstance(result, CursorResult)  # noqa: S101 - tells mypy what an UPDATE returns
    return result.rowcount


@dataclass(slots=True)
class KeyCheck:
    """The result of `find_unreadable`, kept for some time because it decrypts everything that is stored."""

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
