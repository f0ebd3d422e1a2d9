# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One execution of tempoftp_ftpuser: look → plan → apply for a list of accounts. Step 7 of docs/dataflow.md.

The order of the writes makes a kill at any moment harmless: first the account's record, then its row, and (once the
row was read back) the times in the manifests of its shares. The next run does what is still missing.

Copies of other shares wait while the host's lock is held. So the database is waited for, and passwords are hashed,
before the lock is taken; under the lock the rows are read once more.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Optional

from .._host.clock import AHEAD, Now, read_now, write_mark
from .._host.errors import (
    AccountConflictError,
    DatabaseUnavailableError,
    InvalidValueError,
    TempoftpError,
)
from .._host.names import parse_ftpuser
from .._host.pureftpd_binary import has_libsodium
from .._host.sessions import end_sessions
from .._host.tree import Tree, hold_tree, open_tree, prepare_tree
from .._record.accounts import delete_account, read_account, write_account
from .._record.manifest import (
    Manifest,
    list_account_manifests,
    list_manifests,
    may_belong,
    read_manifest,
    write_manifest,
)
from .._share.apply import apply_hide
from .._share.homes import read_inode
from .._share.plan import Seen
from .desired import AccountSite, DesiredAccount
from .passwords import choose_schemes, read_mysql_crypt
from .plan import ADOPTED, CREATED, AccountPlan, SeenAccount, plan_account
from .prepared import PreparedPasswords
from .users_table import (
    SeenRows,
    TableDescription,
    TableFacts,
    apply_row,
    commit,
    find_differences,
    read_rows,
    read_table,
)


class Execution(NamedTuple):
    """The options that apply to all accounts. ``connect`` opens a connection or raises DatabaseUnavailableError."""

    connect: Callable[[], Any]
    site: AccountSite
    table: TableDescription
    mysql_conf: Optional[str]
    check_mode: bool


class Outcome:
    """One account during an execution: what is requested, its plan, and what became of it."""

    def __init__(self, desired: DesiredAccount) -> None:
        self.desired = desired
        self.plan: Optional[AccountPlan] = None
        self.error: Optional[TempoftpError] = None
        self.password_verified: Optional[bool] = None
        self.row_written = False
        self.sessions_ended = 0

    @property
    def pending(self) -> Optional[AccountPlan]:
        """The plan, or None after an error."""
        return self.plan if self.error is None else None

    @property
    def changed(self) -> bool:
        """Whether something was written or a session was ended; in check mode, whether it would be."""
        planned = self.pending is not None and self.pending.changed
        return planned or self.row_written or self.sessions_ended > 0


def run_accounts(
    execution: Execution, desired_accounts: Sequence[DesiredAccount]
) -> tuple[list[Outcome], dict[str, Any]]:
    """Bring the accounts to their requested state; return an outcome for each, and the ``database`` of the result.

    An error of one account does not raise: it is kept in the outcome of that account.
    """
    outcomes = [Outcome(desired) for desired in desired_accounts]
    _check_names(outcomes)
    try:
        connection = execution.connect()
    except DatabaseUnavailableError as error:
        return outcomes, _fail_all(outcomes, error)
    with contextlib.closing(connection), connection.cursor() as cursor:
        try:
            facts = read_table(cursor, execution.table)
        except TempoftpError as error:
            return outcomes, _fail_all(outcomes, error)
        conf, mysql_crypt = read_mysql_crypt(execution.mysql_conf)
        argon2 = has_libsodium()
        database = _describe_database(facts, mysql_crypt, argon2)
        try:
            if outcomes:
                site = complete_site(execution.site, facts, conf, mysql_crypt, argon2)
                _look_plan_apply(connection, cursor, facts, site, execution.check_mode, outcomes)
        except DatabaseUnavailableError as error:
            database = _fail_all(outcomes, error)
        except TempoftpError as error:
            _fail_all(outcomes, error)
    if not execution.check_mode:
        _end_sessions(outcomes)
    return outcomes, database


def _check_names(outcomes: list[Outcome]) -> None:
    """Refuse invalid names before the database is asked about them, and names that stand in the list twice."""
    seen = set()
    for outcome in outcomes:
        try:
            name = parse_ftpuser(outcome.desired.name)
            if name in seen:
                raise InvalidValueError(f"account {name} stands twice in users: say once what it should be")
            seen.add(name)
        except InvalidValueError as error:
            outcome.error = error


def _fail_all(outcomes: list[Outcome], error: TempoftpError) -> dict[str, Any]:
    for outcome in outcomes:
        outcome.error = outcome.error or error
    return {"ok": False, "error": error.to_dict()}


def complete_site(
    site: AccountSite, facts: TableFacts, conf: str, mysql_crypt: Optional[str], argon2: bool
) -> AccountSite:
    """Return the site with the facts of the table and of pure-ftpd: its configuration, and what it was built with."""
    return site._replace(
        has_expires=facts.has_expires,
        mysql_crypt=mysql_crypt,
        mysql_conf=conf,
        argon2=argon2,
        name_width=facts.name_width,
        password_width=facts.password_width,
        home_width=facts.home_width,
    )


def _describe_database(facts: TableFacts, mysql_crypt: Optional[str], argon2: bool) -> dict[str, Any]:
    return {
        "ok": True,
        "version": facts.version,
        "mysql_crypt": mysql_crypt,
        "password_width": facts.password_width,
        "password_schemes": choose_schemes(mysql_crypt, facts.password_width, argon2),
        "has_expires": facts.has_expires,
    }


def _look_plan_apply(
    connection: Any,
    cursor: Any,
    facts: TableFacts,
    site: AccountSite,
    check_mode: bool,
    outcomes: list[Outcome],
) -> None:
    try:
        passwords = _prepare_passwords(connection, cursor, facts, site, outcomes)
        with _open_shares(site.shares_root, check_mode) as tree:
            now = None if tree is None else read_now(tree)
            if now is not None:
                problem = now.explain() if now.doubt == AHEAD else ""
                site = site._replace(now=now.ends, confirmed=now.confirmed, clock_problem=problem)
            _look_and_plan(cursor, facts, site, tree, outcomes, passwords)
            if not check_mode:
                _hide_from_strangers(tree, outcomes)
                _apply(connection, cursor, facts, tree, outcomes)
                _record_time(tree, now, outcomes)
    except OSError as error:
        raise _explain_file(error, "the accounts") from None


def _prepare_passwords(
    connection: Any, cursor: Any, facts: TableFacts, site: AccountSite, outcomes: list[Outcome]
) -> PreparedPasswords:
    """Wait until the server gives the rows, and do what takes long with the passwords. The lock is free meanwhile."""
    passwords = PreparedPasswords()
    if site.shares_root is None:
        return passwords  # no lock will be taken
    open_tree(site.shares_root)  # without the disk no account is written, so none needs to be read
    waiting = [outcome.desired for outcome in outcomes if outcome.error is None]
    seen = read_rows(cursor, facts, [desired.name for desired in waiting])
    commit(connection)  # else the server would show the rows under the lock as they are now
    for desired in waiting:
        passwords.prepare(desired, seen.rows[desired.name], site)
    return passwords


def _record_time(tree: Optional[Tree], now: Optional[Now], outcomes: list[Outcome]) -> None:
    """Record the time once an end was set, so that a clock that is set back later does not extend the share."""
    if tree is None or now is None:
        return
    if any(entry.fixed for o in outcomes if o.pending for entry in o.pending.times):
        write_mark(tree, now)


@contextlib.contextmanager
def _open_shares(shares_root: Optional[str], check_mode: bool) -> Iterator[Optional[Tree]]:
    """Yield the shares' tree while the host's lock is held. Without ``shares_root``, yield None and hold no lock."""
    if shares_root is None:
        yield None
        return
    tree = open_tree(shares_root)
    if not check_mode:
        prepare_tree(tree)
    with hold_tree(tree):
        yield tree


def _look_and_plan(
    cursor: Any,
    facts: TableFacts,
    site: AccountSite,
    tree: Optional[Tree],
    outcomes: list[Outcome],
    passwords: PreparedPasswords,
) -> None:
    waiting = [outcome for outcome in outcomes if outcome.error is None]
    seen_rows = read_rows(cursor, facts, [outcome.desired.name for outcome in waiting])
    shares, damaged = list_manifests(tree) if tree is not None else ([], [])
    for outcome in waiting:
        try:
            seen = _look(outcome, seen_rows, tree, shares, damaged, passwords)
            plan = plan_account(outcome.desired, seen, site)
            if plan.hash_with is not None and plan.row is not None and outcome.desired.password is not None:
                hashed = passwords.hash(outcome.desired.name, outcome.desired.password, plan.hash_with)
                plan = plan._replace(row=plan.row._replace(password=hashed))
                outcome.password_verified = True
            outcome.plan = plan
        except TempoftpError as error:
            outcome.error = error
        except OSError as error:
            outcome.error = _explain_file(error, f"account {outcome.desired.name}")


def _hide_from_strangers(tree: Optional[Tree], outcomes: list[Outcome]) -> None:
    """Hide the shares in the home of an account that tempoftp did not create, since that account could read them.

    Such a share was delivered because the home did not exist then. An existing home is refused before the copy.
    """
    for outcome in outcomes:
        name = outcome.desired.name
        if tree is None or not isinstance(outcome.error, AccountConflictError):
            continue
        try:
            if read_account(tree, name) is None:
                for share in list_account_manifests(tree, name):
                    if share.origin == CREATED and read_inode(tree, name, share.id) is not None:
                        # In an adopted account, only sessions whose working directory is in the share are ended.
                        apply_hide(tree, Seen("", manifest=share._replace(origin=ADOPTED)))
        except (OSError, TempoftpError) as error:
            outcome.error = AccountConflictError(
                f"{outcome.error.message}. Its shares could not be hidden: {error}"
            )


def _look(
    outcome: Outcome,
    seen_rows: SeenRows,
    tree: Optional[Tree],
    shares: list[Manifest],
    damaged: list[str],
    passwords: PreparedPasswords,
) -> SeenAccount:
    desired = outcome.desired
    rows = tuple(seen_rows.rows[desired.name])
    if desired.password is not None and desired.state == "present" and rows:
        outcome.password_verified = passwords.verify(desired.password, rows[0].password)
    return SeenAccount(
        rows=rows,
        lookalikes=tuple(
            name for name in seen_rows.lookalikes if name.strip().casefold() == desired.name.casefold()
        ),
        record=None if tree is None else read_account(tree, desired.name),
        shares=tuple(share for share in shares if share.live and share.ftpuser == desired.name),
        damaged=tuple(name for name in damaged if tree is not None and may_belong(tree, name, desired.name)),
        password_verified=outcome.password_verified,
    )


def _apply(
    connection: Any, cursor: Any, facts: TableFacts, tree: Optional[Tree], outcomes: list[Outcome]
) -> None:
    def write_record_and_row(outcome: Outcome, plan: AccountPlan) -> None:
        if tree is not None and plan.record is not None and plan.record != plan.record_before:
            write_account(tree, plan.record)
        if plan.writes_row:
            apply_row(cursor, facts, plan.before, plan.row)

    def write_rest(outcome: Outcome, plan: AccountPlan) -> None:
        if tree is not None:
            _write_after(tree, plan)

    _for_each(outcomes, write_record_and_row)
    writing = [outcome for outcome in outcomes if outcome.pending is not None and outcome.pending.writes_row]
    if writing:
        commit(connection)
        _read_back(cursor, facts, writing)
    _for_each(outcomes, write_rest)


def _read_back(cursor: Any, facts: TableFacts, writing: list[Outcome]) -> None:
    """Read the rows again and compare them: a trigger, a lost transaction or a narrow type may have changed them."""
    seen = read_rows(cursor, facts, [outcome.desired.name for outcome in writing])

    def compare(outcome: Outcome, plan: AccountPlan) -> None:
        rows = seen.rows[outcome.desired.name]
        wrong = find_differences(plan.row, rows[0] if rows else None, facts.columns)
        outcome.row_written = True
        if wrong:
            raise DatabaseUnavailableError(
                f"account {outcome.desired.name} was written, but reads back differently in: {', '.join(wrong)}; "
                f"look at the triggers and types of table {facts.table!r}"
            )

    _for_each(writing, compare)


def _write_after(tree: Tree, plan: AccountPlan) -> None:
    if plan.record is None and plan.record_before is not None:
        delete_account(tree, plan.record_before.name)
    for entry in plan.times:
        share = read_manifest(tree, entry.id) if entry.fixed else None
        if share is not None:
            write_manifest(tree, share._replace(ready_at=entry.ready_at, expires=entry.expires))


def _end_sessions(outcomes: list[Outcome]) -> None:
    """End sessions last: the lock is free by then, and their accounts cannot log in again."""
    ending = [outcome for outcome in outcomes if outcome.pending is not None and outcome.pending.end_sessions]
    ended, errors = end_sessions([outcome.desired.name for outcome in ending])
    for outcome in ending:
        outcome.sessions_ended = ended[outcome.desired.name]
        outcome.error = errors.get(outcome.desired.name)


def _for_each(outcomes: list[Outcome], step: Callable[[Outcome, AccountPlan], None]) -> None:
    """Do *step* for every account that has no error yet. An error is kept in the outcome of its account."""
    for outcome in outcomes:
        plan = outcome.pending
        if plan is None:
            continue
        try:
            step(outcome, plan)
        except TempoftpError as error:
            outcome.error = error
        except OSError as error:
            outcome.error = _explain_file(error, f"account {outcome.desired.name}")


def _explain_file(error: OSError, whose: str) -> TempoftpError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return TempoftpError(
        f"{whose}: {error.filename} could not be read or written: {error.strerror}; look at the disk of the FTP host",
        "no_space" if full else "run_failed",
    )
