"""Hashes of the generated passwords: they take time, so they are made in threads, and ahead of a run where possible."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from cryptography.fernet import InvalidToken
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import choose_scheme, hash_password, is_rotating, scheme_of
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, FtpHost, Share
from tempoftp.errors import ShareError
from tempoftp.settings import Settings
from tempoftp.shares.claims import lock_accounts
from tempoftp.states import State
from tempoftp.worker.provisioner import RunFailed


class PasswordHasher:
    """Hashes passwords in a few threads. One per worker process."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._threads = ThreadPoolExecutor(settings.hash_threads, thread_name_prefix="hash")
        self._hashing_ahead = threading.Lock()

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def hash_for_run(self, run_id: str, accounts: list[Account], schemes: list[str] | None) -> None:
        """Hash the passwords that have no usable hash, and commit before the run: then a crash loses no password."""
        scheme = choose_scheme(schemes)
        todo = [account for account in accounts if _needs_hash(account, schemes)]
        if not todo:
            return
        fernet = self._settings.build_fernet()
        try:
            passwords = [fernet.decrypt((account.token or "").encode()).decode() for account in todo]
        except InvalidToken:
            text = "a stored password cannot be decrypted: TEMPOFTP_ENCRYPTION_KEY lacks the key it was stored with"
            raise RunFailed(ShareError.of("run_failed", text)) from None
        hashes = self._threads.map(lambda password: hash_password(password, scheme), passwords)
        found = {account.name: value for account, value in zip(todo, hashes, strict=True)}
        numbers = {account.name: account.password_generation for account in todo}

        def keep(session: Session) -> None:
            for name, row in lock_accounts(session, run_id).items():
                # A password that was generated since then keeps its own hash.
                if name in found and row.password_generation == numbers[name]:
                    row.password_hash = found[name]

        self._database.transact(keep)
        for account in todo:
            account.password_hash = found[account.name]

    def hash_ahead(self, ftp_host: str) -> int:
        """Hash the passwords that the next run of a host will need, while a run is going on; returns how many.

        A run may hash the same password at the same time. Both hashes are right, and the run sends the one that it
        commits.
        """
        if not self._hashing_ahead.acquire(blocking=False):
            return 0
        try:
            with self._database.read() as session:
                schemes = read_schemes(session, ftp_host)
                query = (
                    select(Account.name, Account.token)
                    .join(Share, Share.ftpuser == Account.name)
                    .where(Share.ftp_host == ftp_host, Share.state == State.RECIBIDO)
                    .where(Account.token.is_not(None), Account.password_hash.is_(None))
                    .where(Account.exists_since.is_(None))
                    .distinct()
                )
                waiting = [(name, str(token)) for name, token in session.execute(query)]
            scheme, fernet = choose_scheme(schemes), self._settings.build_fernet()
            passwords = [fernet.decrypt(token.encode()).decode() for _, token in waiting]
            hashes = list(self._threads.map(lambda password: hash_password(password, scheme), passwords))

            def keep(session: Session) -> None:
                for (name, token), value in sorted(zip(waiting, hashes, strict=True)):
                    still_waiting = (
                        Account.name == name,
                        Account.token == token,
                        Account.password_hash.is_(None),
                    )
                    session.execute(update(Account).where(*still_waiting).values(password_hash=value))

            self._database.transact(keep)
            return len(waiting)
        except InvalidToken:
            return 0  # the run itself reports it, for the shares that need it
        finally:
            self._hashing_ahead.release()


def read_schemes(session: Session, ftp_host: str) -> list[str] | None:
    """Return the password schemes that an FTP host has reported; None before its first report."""
    host = session.get(FtpHost, ftp_host)
    schemes = (host.database_facts or {}).get("password_schemes") if host is not None else None
    return [str(scheme) for scheme in schemes] if schemes else None


def _needs_hash(account: Account, schemes: list[str] | None) -> bool:
    if account.token is None:
        return False
    if account.password_hash is None:
        return True
    on_host = account.exists_since is not None and not is_rotating(account)
    return not on_host and bool(schemes and scheme_of(account.password_hash) not in schemes)
