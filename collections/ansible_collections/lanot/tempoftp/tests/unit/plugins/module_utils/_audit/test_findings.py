# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pure comparison: a consistent host gives no finding, and one damage gives just its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.desired import AccountSite
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.users_table import (
    ACTIVE,
    BLOCKED,
    UserRow,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.findings import (
    KINDS,
    STATE_MODE,
    find_findings,
    list_share_paths,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.run import format_summary
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.world import (
    ExpectedRow,
    Finding,
    Home,
    IrregularEntry,
    OpenSession,
    Place,
    Staged,
    World,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import format_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.units import (
    COPY_PREFIX,
    PURGE_PREFIX,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.accounts import Account
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import Manifest
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.tombstones import Tombstone
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.plan import Library
from hypothesis import assume, given, settings
from hypothesis import strategies as st

NOW = 1_900_000_000.0
DAY = 86400
ROOT = "/data"
STATE = f"{ROOT}/.tempoftp"
GID = 2001
HASH = "$2b$12$" + "a" * 53
HOME = Place("directory", 5, 0, GID, 0o750)
SITE = AccountSite(now=NOW, shares_root=ROOT, has_expires=True, mysql_crypt="any", password_width=255)


def make_share(name: str, number: int, kind: str, origin: str) -> Manifest:
    arrived = kind != "copying"
    ready = NOW - DAY * (number + 1)
    share_id = f"{name}-{number}"
    return Manifest(
        share_id,
        number + 1,
        name,
        "source1:/srv/x",
        origin=origin,
        gid=GID,
        state=kind,
        hidden=kind == "blocked",
        path=f"{ROOT}/{name}/{share_id}",
        lifetime_days=20,
        delivered_at=format_time(ready) if arrived else None,
        ready_at=format_time(ready) if arrived else None,
        expires=format_time(ready + 20 * DAY) if arrived else None,
    )


def make_world(accounts: dict[str, tuple[str, list[str]]], ended: int = 0, logged_in: bool = False) -> World:
    """A host on which everything fits; *accounts*: name → origin and the states of its shares."""
    shares = [
        make_share(name, number, kind, origin)
        for name, (origin, kinds) in accounts.items()
        for number, kind in enumerate(kinds)
    ]
    homes, rows, records = [], [], []
    for name, (origin, _kinds) in accounts.items():
        own = [share for share in shares if share.ftpuser == name]
        seen = [share for share in own if share.state == "delivered"]
        arrived = [share for share in own if share.arrived]
        entries = {share.id: HOME for share in seen}
        if origin == "adopted":
            homes.append(Home(name, Place("directory", 6, 0, 0, 0o755), entries if own else None))
        elif arrived:
            homes.append(Home(name, HOME, entries))
        if arrived or origin == "adopted":
            records.append(Account(name, origin, "2026-01-01T00:00:00Z"))
            expires = max((share.expires or "" for share in arrived), default="")
            status = ACTIVE if seen or origin == "adopted" else BLOCKED
            ends = (expires or None) if origin == "created" else None
            rows.append(UserRow(name, HASH, GID, GID, f"{ROOT}/{name}", status, ends))
    rows.append(UserRow("ftp_foreign", "$1$x", 3000, 3000, f"{ROOT}/ftp_foreign", ACTIVE))
    homes.append(Home("ftp_foreign", Place("directory", 7, 3000, 3000, 0o700)))
    homes.append(Home("lost+found", Place("directory", 11, 0, 0, 0o700)))
    folders = ("", "/shares", "/tombstones", "/accounts", "/staging", "/held", "/trash", "/lib")
    copying = [share.id for share in shares if share.state == "copying"]
    sessions = [OpenSession(900, "ftp_foreign")]
    sessions += [
        OpenSession(1000 + index, row.name) for index, row in enumerate(rows) if row.status == ACTIVE
    ]
    return World(
        now=NOW,
        root=ROOT,
        shares=tuple(shares),
        tombstones=tuple(Tombstone(f"old{n}", 1, "2026-01-01T00:00:00Z", "ftp_gone") for n in range(ended)),
        records=tuple(records),
        folders={name: Place("directory", 3, 0, 0, STATE_MODE) for name in folders},
        homes=tuple(homes),
        held={share.id: HOME for share in shares if share.hidden},
        staged=tuple(Staged(share_id, Place("directory", 4, 0, 0, 0o700)) for share_id in copying),
        trash=tuple(f"old{n}.1.1" for n in range(ended)),
        libraries=(
            Library("abc", 0, True),
            Library("last", NOW - 13 * DAY, False),
            Library(".new-x", NOW, False),
        ),
        units=frozenset({COPY_PREFIX + i for i in copying} | {f"{PURGE_PREFIX}old{n}" for n in range(ended)}),
        rows=tuple(rows),
        sessions=tuple(sessions) if logged_in else (),
        site=SITE,
    )


names = st.sampled_from(["ftp_a", "ftp_b", "ftp_c"])
states = st.lists(st.sampled_from(["copying", "delivered", "blocked"]), min_size=1, max_size=3)
account_maps = st.dictionaries(names, st.tuples(st.sampled_from(["created", "adopted"]), states), max_size=3)
worlds = st.builds(make_world, account_maps, st.integers(0, 2), st.booleans())


# Every damage can be done here, whatever else there is.
RICH = {
    "ftp_1": ("created", ["delivered"]),
    "ftp_2": ("created", ["blocked", "copying"]),
    "ftp_3": ("adopted", ["delivered"]),
}
rich_worlds = st.builds(
    lambda accounts, ended, logged_in: make_world({**RICH, **accounts}, ended, logged_in),
    account_maps,
    st.integers(1, 2),
    st.booleans(),
)


def make_expected(world: World) -> list[ExpectedRow]:
    words = {"copying": "traslado", "delivered": "listo", "blocked": "bloqueado"}
    rows = [
        ExpectedRow(share.id, share.generation, words[share.state], share.ftpuser, share.expires)
        for share in world.shares
    ]
    return rows + [ExpectedRow(end.id, end.generation, "expirado") for end in world.tombstones]


def pick(world: World, state: str = "delivered", origin: Optional[str] = "created") -> Manifest:
    """Return a share that can be damaged."""
    fit = [share for share in world.shares if share.state == state and origin in (None, share.origin)]
    assume(fit)
    return fit[0]


def replace_share(world: World, share: Manifest, **changes: Any) -> World:
    return world._replace(
        shares=tuple(share._replace(**changes) if other == share else other for other in world.shares)
    )


def replace_row(world: World, name: str, **changes: Any) -> World:
    rows = world.rows or ()
    return world._replace(rows=tuple(r._replace(**changes) if r.name == name else r for r in rows))


def replace_home(world: World, name: str, **changes: Any) -> World:
    return world._replace(homes=tuple(h._replace(**changes) if h.name == name else h for h in world.homes))


@given(worlds)
def test_a_consistent_host_gives_no_finding(world: World) -> None:
    assert find_findings(world) == []
    assert find_findings(world, make_expected(world)) == []


@given(worlds)
def test_without_the_users_table_that_is_the_only_finding(world: World) -> None:
    blind = world._replace(rows=None, site=None, problems=("accounts: no server",))
    assert [finding.kind for finding in find_findings(blind)] == ["not_looked_at"]


def damage_manifest(world: World) -> tuple[World, str]:
    share = pick(world, "delivered", None)
    others = tuple(other for other in world.shares if other != share)
    name = f"shares/{share.id}.json"
    return world._replace(shares=others, damaged=(name,)), f"{STATE}/{name}"


def damage_tombstone(world: World) -> tuple[World, str]:
    return world._replace(damaged=("tombstones/zz.json",)), f"{STATE}/tombstones/zz.json"


def lose_row(world: World) -> tuple[World, str]:
    share = pick(world)
    own = [s for s in world.shares if s.ftpuser == share.ftpuser and s.arrived]
    assume(len(own) == 1)
    rows = tuple(row for row in world.rows or () if row.name != share.ftpuser)
    return world._replace(rows=rows, sessions=()), share.id


def lose_shares(world: World) -> tuple[World, str]:
    account = Account("ftp_left", "created", "2026-01-01T00:00:00Z")
    row = UserRow("ftp_left", HASH, GID, GID, f"{ROOT}/ftp_left", ACTIVE, format_time(NOW + DAY))
    return world._replace(records=(*world.records, account), rows=(*(world.rows or ()), row)), "ftp_left"


def lose_row_and_shares(world: World) -> tuple[World, str]:
    account = Account("ftp_left", "created", "2026-01-01T00:00:00Z")
    return world._replace(records=(*world.records, account)), "ftp_left"


def change_home_of_row(world: World) -> tuple[World, str]:
    share = pick(world)
    return replace_row(world, share.ftpuser, home="/etc"), share.ftpuser


def prolong_row(world: World) -> tuple[World, str]:
    share = pick(world)
    return replace_row(world, share.ftpuser, expires=None), share.ftpuser


def unblock_row(world: World) -> tuple[World, str]:
    share = pick(world, "blocked")
    own = [other for other in world.shares if other.ftpuser == share.ftpuser and other.arrived]
    assume(all(other.state == "blocked" for other in own))
    return replace_row(world, share.ftpuser, status=ACTIVE), share.ftpuser


def unfit_adopted(world: World) -> tuple[World, str]:
    share = pick(world, "delivered", "adopted")
    return replace_row(world, share.ftpuser, uid=0), share.ftpuser


def let_expire(world: World) -> tuple[World, str]:
    share = pick(world)
    assume(len([s for s in world.shares if s.ftpuser == share.ftpuser]) == 1)
    over = format_time(NOW - DAY)
    changed = replace_share(world, share, expires=over, ready_at=format_time(NOW - 21 * DAY))
    return replace_row(changed._replace(sessions=()), share.ftpuser, expires=over), share.id


def begin_deletion(world: World) -> tuple[World, str]:
    share = pick(world, "copying", None)
    units = world.units - {COPY_PREFIX + share.id}
    return replace_share(world, share, state="absent")._replace(units=units, staged=()), share.id


def resurrect(world: World) -> tuple[World, str]:
    share = pick(world, "delivered", None)
    end = Tombstone(share.id, share.generation, "2026-01-01T00:00:00Z")
    return world._replace(tombstones=(*world.tombstones, end)), share.id


def kill_purge(world: World) -> tuple[World, str]:
    assume(world.trash)
    return world._replace(units=world.units - {f"{PURGE_PREFIX}old0"}), "old0"


def show_blocked(world: World) -> tuple[World, str]:
    share = pick(world, "blocked")
    held = {name: place for name, place in world.held.items() if name != share.id}
    entries = dict(next(home.entries or {} for home in world.homes if home.name == share.ftpuser))
    return replace_home(
        world._replace(held=held), share.ftpuser, entries={**entries, share.id: HOME}
    ), share.id


def hide_delivered(world: World) -> tuple[World, str]:
    share = pick(world, "delivered", None)
    entries = dict(next(home.entries or {} for home in world.homes if home.name == share.ftpuser))
    place = entries.pop(share.id)
    return (
        replace_home(world._replace(held={**world.held, share.id: place}), share.ftpuser, entries=entries),
        share.id,
    )


def lose_directory(world: World) -> tuple[World, str]:
    share = pick(world, "delivered", None)
    entries = dict(next(home.entries or {} for home in world.homes if home.name == share.ftpuser))
    del entries[share.id]
    return replace_home(world, share.ftpuser, entries=entries), share.id


def add_directory_in_home(world: World) -> tuple[World, str]:
    share = pick(world)
    entries = dict(next(home.entries or {} for home in world.homes if home.name == share.ftpuser))
    entries["theirs"] = Place("directory", 99, 0, 0, 0o755)
    return replace_home(world, share.ftpuser, entries=entries), f"{ROOT}/{share.ftpuser}/theirs"


def add_directory(world: World) -> tuple[World, str]:
    home = Home("somebody", Place("directory", 98, 0, 0, 0o755))
    return world._replace(homes=(*world.homes, home)), f"{ROOT}/somebody"


def add_held(world: World) -> tuple[World, str]:
    return world._replace(held={**world.held, "strange": HOME}), f"{STATE}/held/strange"


def leave_empty_home(world: World) -> tuple[World, str]:
    assume(world.tombstones)
    return world._replace(homes=(*world.homes, Home("ftp_gone", HOME, {}))), f"{ROOT}/ftp_gone"


def mount_in_home(world: World) -> tuple[World, str]:
    share = pick(world)
    mount = f"{ROOT}/{share.ftpuser}/elsewhere"
    return world._replace(mounts=(mount,)), mount


def open_home_to_all(world: World) -> tuple[World, str]:
    share = pick(world)
    return replace_home(world, share.ftpuser, place=HOME._replace(mode=0o777)), f"{ROOT}/{share.ftpuser}"


def give_home_away(world: World) -> tuple[World, str]:
    share = pick(world)
    return replace_home(world, share.ftpuser, place=HOME._replace(uid=GID)), f"{ROOT}/{share.ftpuser}"


def give_share_away(world: World) -> tuple[World, str]:
    share = pick(world, "delivered", None)
    entries = dict(next(home.entries or {} for home in world.homes if home.name == share.ftpuser))
    entries[share.id] = HOME._replace(uid=GID)
    return replace_home(world, share.ftpuser, entries=entries), share.path


def open_state(world: World) -> tuple[World, str]:
    folders = {**world.folders, "/shares": Place("directory", 3, 0, 0, 0o755)}
    return world._replace(folders=folders), f"{STATE}/shares"


def change_inside(world: World) -> tuple[World, str]:
    share = pick(world, "delivered", None)
    path = f"{share.path}/a.nc"
    return world._replace(irregular=(IrregularEntry(share.id, path, "is 0:0 0666"),)), path


def leave_staging(world: World) -> tuple[World, str]:
    staged = (*world.staged, Staged("forgotten", Place("directory", 4, 0, 0, 0o700)))
    return world._replace(staged=staged), f"{STATE}/staging/forgotten"


def leave_temporary(world: World) -> tuple[World, str]:
    return world._replace(temporary=("shares/.p1.json.99",)), f"{STATE}/shares/.p1.json.99"


def leave_unit(world: World) -> tuple[World, str]:
    return world._replace(units=world.units | {COPY_PREFIX + "forgotten"}), COPY_PREFIX + "forgotten"


def leave_library(world: World) -> tuple[World, str]:
    older = Library("older", NOW - 16 * DAY, False)
    return world._replace(libraries=(*world.libraries, older)), f"{STATE}/lib/older"


def leave_half_a_library(world: World) -> tuple[World, str]:
    half = Library(".new-y", NOW - DAY, False)
    return world._replace(libraries=(*world.libraries, half)), f"{STATE}/lib/.new-y"


def leave_bind(world: World) -> tuple[World, str]:
    return world._replace(mounts=(f"{STATE}/binds/gone",)), f"{STATE}/binds/gone"


def leave_session(world: World) -> tuple[World, str]:
    assume(world.tombstones)
    return world._replace(sessions=(*(world.sessions or ()), OpenSession(77, "ftp_gone"))), "ftp_gone"


Damage = Callable[[World], "tuple[World, str]"]
DAMAGES: list[tuple[Damage, str, str]] = [
    (damage_manifest, "damaged_manifest", "manual"),
    (damage_tombstone, "damaged_manifest", "manual"),
    (lose_row, "share_without_account", "manual"),
    (lose_shares, "account_without_share", "safe"),
    (lose_row_and_shares, "account_without_share", "safe"),
    (change_home_of_row, "account_differs", "safe"),
    (prolong_row, "account_differs", "safe"),
    (unblock_row, "account_differs", "safe"),
    (unfit_adopted, "account_differs", "manual"),
    (let_expire, "share_past_expiry", "safe"),
    (begin_deletion, "half_deleted", "safe"),
    (resurrect, "half_deleted", "safe"),
    (kill_purge, "half_deleted", "safe"),
    (show_blocked, "share_out_of_place", "safe"),
    (hide_delivered, "share_out_of_place", "safe"),
    (lose_directory, "share_without_directory", "manual"),
    (add_directory_in_home, "directory_without_manifest", "manual"),
    (add_directory, "directory_without_manifest", "manual"),
    (add_held, "directory_without_manifest", "manual"),
    (leave_empty_home, "directory_without_manifest", "safe"),
    (mount_in_home, "mount_without_share", "manual"),
    (open_home_to_all, "wrong_owner_or_mode", "safe"),
    (give_home_away, "wrong_owner_or_mode", "safe"),
    (give_share_away, "wrong_owner_or_mode", "safe"),
    (open_state, "wrong_owner_or_mode", "safe"),
    (change_inside, "wrong_owner_or_mode", "safe"),
    (leave_staging, "staging_left_over", "safe"),
    (leave_temporary, "staging_left_over", "safe"),
    (leave_unit, "unit_without_share", "safe"),
    (leave_library, "library_left_over", "safe"),
    (leave_half_a_library, "library_left_over", "safe"),
    (leave_bind, "mount_without_share", "safe"),
    (leave_session, "session_without_access", "safe"),
]


@pytest.mark.parametrize(("damage", "kind", "repair"), DAMAGES, ids=[entry[0].__name__ for entry in DAMAGES])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_one_damage_gives_exactly_its_finding(damage: Damage, kind: str, repair: str, data: Any) -> None:
    world = data.draw(rich_worlds)
    damaged, subject = damage(world)
    found = find_findings(damaged)
    assert [(finding.kind, finding.subject, finding.repair) for finding in found] == [(kind, subject, repair)]
    assert found[0].detail


def test_every_kind_of_damage_is_tried() -> None:
    rows = {"row_without_share", "share_without_row", "row_older_than_host", "row_differs"}
    assert {kind for _damage, kind, _repair in DAMAGES} == set(KINDS) - rows - {
        "not_looked_at",
        "shares_lost",
    }


def test_a_blocked_account_is_never_unblocked() -> None:
    world = make_world({"ftp_a": ("created", ["delivered"])})
    assert find_findings(replace_row(world, "ftp_a", status=BLOCKED)) == []
    (finding,) = find_findings(replace_row(world, "ftp_a", status=BLOCKED, home="/etc"))
    assert (finding.kind, finding.repair) == ("account_differs", "manual")


def test_adopted_accounts_and_homes_of_others_are_not_judged() -> None:
    world = make_world({"ftp_c": ("adopted", ["delivered"])})
    entries = {"theirs": Place("directory", 9, 1, 1, 0o777), "ftp_c-0": HOME}
    assert find_findings(replace_home(world, "ftp_c", entries={"ftp_c-0": HOME})) == []
    home = replace_home(world, "ftp_c", place=Place("directory", 9, 1000, 1000, 0o755), entries=entries)
    assert find_findings(home) == []
    assert find_findings(world._replace(sessions=(OpenSession(5, "root"),))) == []


def test_an_empty_home_is_left_over_only_when_nothing_may_belong_to_it() -> None:
    world = make_world({}, 1)._replace(homes=(Home("ftp_gone", HOME, {}),))
    assert [(finding.subject, finding.repair) for finding in find_findings(world)] == [
        (f"{ROOT}/ftp_gone", "safe")
    ]
    damaged = find_findings(world._replace(damaged=("shares/zz.json",)))
    assert [finding.kind for finding in damaged] == ["damaged_manifest"]
    share = make_share("ftp_gone", 0, "copying", "created")
    staged = (Staged(share.id, Place("directory", 4, 0, 0, 0o700)),)
    assert find_findings(world._replace(shares=(share,), staged=staged)) == []


@pytest.mark.parametrize(
    ("place", "entries"),
    [(HOME._replace(uid=GID), {}), (HOME, None), (HOME, {"theirs": HOME})],
    ids=["of another user", "not listed", "not empty"],
)
def test_a_home_with_content_or_of_another_account_is_never_removed(
    place: Place, entries: Optional[dict[str, Place]]
) -> None:
    world = make_world({}, 1)._replace(homes=(Home("ftp_gone", place, entries),))
    assert [finding for finding in find_findings(world) if finding.repair == "safe"] == []


@pytest.mark.parametrize("home", ["/data/vieja/", "/data/vieja/./", "/data/./vieja"])
def test_a_home_is_recognised_in_every_spelling(home: str) -> None:
    world = make_world({})
    row = UserRow("vieja", "x", 3000, 3000, home, ACTIVE)
    seen = Home("vieja", Place("directory", 8, 3000, 3000, 0o700))
    assert find_findings(world._replace(rows=(row,), homes=(seen,))) == []


def test_what_is_mounted_in_a_share_is_not_judged() -> None:
    """A bind mount shows the source's own owner and mode: setting them would change the source."""
    world = make_world({"ftp_a": ("created", ["delivered"])})
    mounted = {"ftp_a-0": Place("directory", 2, 4000, 4000, 0o755, mounted=True)}
    world = replace_home(world, "ftp_a", entries=mounted)._replace(mounts=(f"{ROOT}/ftp_a/ftp_a-0",))
    assert find_findings(world) == []


def test_a_home_that_is_a_link_is_only_listed() -> None:
    world = make_world({"ftp_a": ("created", ["delivered"])})
    (finding,) = find_findings(replace_home(world, "ftp_a", place=Place("link", 2), entries=None))
    assert (finding.kind, finding.subject, finding.repair) == ("wrong_owner_or_mode", "/data/ftp_a", "manual")


def test_an_account_follows_its_share_in_a_moment() -> None:
    world = make_world({"ftp_a": ("created", ["delivered"])})
    share = world.shares[0]
    fresh = replace_share(world, share, ready_at=None, expires=None)._replace(records=())
    fresh = fresh._replace(rows=tuple(row for row in fresh.rows or () if row.name != "ftp_a"))
    assert find_findings(fresh) == []


def test_trash_with_an_unknown_name_is_only_listed() -> None:
    world = make_world({})._replace(trash=("..strange",))
    (finding,) = find_findings(world)
    assert (finding.kind, finding.repair) == ("directory_without_manifest", "manual")


@given(rich_worlds, st.data())
def test_expected_rows_that_differ(world: World, data: Any) -> None:
    share = pick(world, "delivered", None)
    rows = make_expected(world)
    row = next(row for row in rows if row.id == share.id)
    rest = [other for other in rows if other != row]
    cases = {
        "share_without_row": rest,
        "row_without_share": [*rows, ExpectedRow("ghost", 1, "listo")],
        "row_older_than_host": [*rest, row._replace(generation=share.generation - 1)],
        "row_differs": [*rest, row._replace(expires="2031-01-01T00:00:00Z")],
    }
    kind = data.draw(st.sampled_from(sorted(cases)))
    found = find_findings(world, cases[kind])
    assert [(finding.kind, finding.repair) for finding in found] == [(kind, "manual")]
    over = find_findings(world, [*rest, row._replace(state="eliminado")])
    assert [(finding.kind, finding.subject) for finding in over] == [("share_without_row", share.id)]


def test_a_row_whose_share_ended_says_when_and_why() -> None:
    end = Tombstone("p1", 3, "2026-01-01T00:00:00Z", "ftp_x", "expired")
    world = make_world({})._replace(tombstones=(end,))
    (finding,) = find_findings(world, [ExpectedRow("p1", 3, "listo", "ftp_x")])
    assert finding.kind == "row_without_share"
    assert "2026-01-01T00:00:00Z (expired)" in finding.detail
    (older,) = find_findings(world, [ExpectedRow("p1", 2, "listo", "ftp_x")])
    assert (older.kind, "backup" in older.detail) == ("row_older_than_host", True)


def test_a_transfer_has_its_grace() -> None:
    world = make_world({}, 1)._replace(sessions=(OpenSession(77, "ftp_gone"),))
    assert [finding.kind for finding in find_findings(world)] == ["session_without_access"]
    assert find_findings(world._replace(in_grace=frozenset({"ftp_gone"}))) == []


def test_the_summary_counts() -> None:
    assert format_summary([], NOW).endswith("nothing is wrong")
    found = [Finding("half_deleted", "p", "", "safe"), Finding("half_deleted", "q", "", "safe", True)]
    assert format_summary(found, NOW).endswith("1 findings, 1 of them repairable, 1 repaired")


def test_paths_of_a_share() -> None:
    share = make_share("ftp_a", 0, "delivered", "created")
    assert list_share_paths(ROOT, share) == (
        "/data/ftp_a/ftp_a-0",
        "/data/.tempoftp/held/ftp_a-0",
        "/data/.tempoftp/staging/ftp_a-0",
        "/data/.tempoftp/binds/ftp_a-0",
    )


def list_lost(world: World) -> list[str]:
    return [finding.detail for finding in find_findings(world) if finding.kind == "shares_lost"]


@pytest.mark.parametrize(
    ("there", "gone", "lost"), [(0, 1, True), (1, 2, True), (1, 1, False), (3, 1, False)]
)
def test_most_data_gone_at_once_is_a_finding_of_its_own(there: int, gone: int, lost: bool) -> None:
    shares = [make_share(f"ftp_{number}", number, "delivered", "created") for number in range(there + gone)]
    homes = [
        Home(share.ftpuser, HOME, {share.id: Place("directory", 9, 0, GID, 0o750)})
        for share in shares[:there]
    ]
    world = World(now=NOW, root=ROOT, shares=tuple(shares), homes=tuple(homes))
    assert bool(list_lost(world)) is lost
    assert list_lost(world._replace(shares=tuple(shares[:there]))) == []


@pytest.mark.parametrize(("explained", "lost"), [(0, True), (1, True), (2, False), (3, False)])
def test_accounts_without_a_trace_of_their_shares_are_one_too(explained: int, lost: bool) -> None:
    names = ["ftp_a", "ftp_b", "ftp_c"]
    records = tuple(Account(name, "created", format_time(0)) for name in names)
    ends = tuple(Tombstone(f"p-{name}", 1, format_time(0), ftpuser=name) for name in names[:explained])
    assert bool(list_lost(World(now=NOW, root=ROOT, records=records, tombstones=ends))) is lost
    damaged = World(now=NOW, root=ROOT, records=records, damaged=("shares/p1.json",))
    assert list_lost(damaged) == []
