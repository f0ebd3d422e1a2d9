# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pure plan of a share: every wish, whatever is on the host, and whoever dies, comes to an end."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import (
    AccountConflictError,
    InvalidValueError,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import Manifest
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.status import PHASES, Status
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.tombstones import Tombstone
from ansible_collections.lanot.tempoftp.plugins.module_utils._share.desired import (
    ABSENT_IF_EXPIRED,
    DesiredShare,
    Site,
    adjust_manifest,
    build_desired,
    check_bwlimit,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share.plan import (
    CHANGING,
    Seen,
    plan_step,
    resolve_generation,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share.result import (
    build_diff,
    build_refusal,
    build_result,
    predict_result,
)
from hypothesis import given
from hypothesis import strategies as st

DESIRED = DesiredShare("p1", "present", 2, ftpuser="ftp_x", source="h:/x")
BLOCK = DESIRED._replace(state="blocked")
SWEEP = DesiredShare("p1", ABSENT_IF_EXPIRED)
GONE = DesiredShare("p1", "absent", 2)
HERE = Seen("boot")
MANIFEST = Manifest("p1", 2, "ftp_x", "h:/x", path="/data/ftp_x/p1")
DELIVERED = MANIFEST._replace(state="delivered", delivered_at="2026-01-01T00:00:00Z")
BLOCKED = DELIVERED._replace(state="blocked", hidden=True)
DONE = Status(2, "boot", "done", inode=7)


def build(kind: Any, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Give values of *kind* with just these fields; ``st.builds`` would make up the others as well."""
    return st.fixed_dictionaries(fields).map(lambda values: kind(**values))


def settle(manifest: Manifest) -> Manifest:
    """The state of a share that has arrived says whether it is hidden; both are written at once."""
    arrived = {"delivered": False, "blocked": True}
    return manifest._replace(hidden=arrived.get(manifest.state, manifest.hidden))


def complete(seen: Seen) -> Seen:
    """Only what has a manifest can be over."""
    return seen._replace(expired=seen.expired and seen.manifest is not None)


generations = st.integers(1, 4)
statuses = st.none() | build(
    Status,
    generation=generations,
    boot_id=st.sampled_from(["boot", "earlier"]),
    phase=st.sampled_from(PHASES),
    error_class=st.just("no_space"),
    inode=st.sampled_from([None, 7, 8]),
    reported=st.booleans(),
)
manifests = st.none() | build(
    Manifest,
    id=st.just("p1"),
    generation=generations,
    ftpuser=st.sampled_from(["ftp_x", "ftp_y"]),
    source=st.sampled_from(["h:/x", "h:/y"]),
    state=st.sampled_from(["copying", "delivered", "blocked", "absent"]),
    hidden=st.booleans(),
    copy_generation=st.integers(0, 4),
    lifetime_days=st.sampled_from([3, 10]),
    delivered_at=st.sampled_from([None, "2026-01-01T00:00:00Z"]),
    reason=st.sampled_from([None, "deleted", "expired"]),
).map(settle)
hosts = build(
    Seen,
    boot_id=st.just("boot"),
    manifest=manifests,
    tombstone=st.none()
    | build(Tombstone, id=st.just("p1"), generation=generations, ended_at=st.just("then")),
    status=statuses,
    stale_status=st.booleans(),
    copying=st.booleans(),
    purging=st.booleans(),
    destination=st.sampled_from([None, 7, 8]),
    staged=st.sampled_from([None, 7, 8]),
    held=st.sampled_from([None, 7, 9]),
    expired=st.booleans(),
    evicting=st.booleans(),
    occupied=st.booleans(),
    home_problem=st.sampled_from([None, AccountConflictError("x")]),
    mounts=st.sampled_from([(), ("/data/ftp_x/p1/m",)]),
    trash=st.sampled_from([(), ("p1.1.1",)]),
).map(complete)
desired_shares = build(
    DesiredShare,
    id=st.just("p1"),
    state=st.sampled_from(["present", "blocked", "absent", ABSENT_IF_EXPIRED]),
    generation=st.none() | generations,
    require_existing=st.booleans(),
    lifetime_days=st.sampled_from([3, 10]),
    ftpuser=st.just("ftp_x"),
    source=st.just("h:/x"),
).map(lambda desired: desired._replace(generation=None) if desired.state == ABSENT_IF_EXPIRED else desired)


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (HERE, "enlist"),
        (HERE._replace(occupied=True), "refuse"),
        (HERE._replace(home_problem=AccountConflictError("x")), "refuse"),
        (HERE._replace(tombstone=Tombstone("p1", 1, "then")), "enlist"),
        (HERE._replace(tombstone=Tombstone("p1", 2, "then")), "refuse"),
        (HERE._replace(manifest=MANIFEST), "start"),
        (HERE._replace(manifest=MANIFEST, copying=True), "wait"),
        (HERE._replace(manifest=MANIFEST, copying=True, stale_status=True), "stop"),
        (HERE._replace(manifest=MANIFEST, status=DONE, staged=7, copying=True), "deliver"),
        (HERE._replace(manifest=MANIFEST, status=DONE, staged=8), "start"),
        (HERE._replace(manifest=MANIFEST, status=DONE, destination=7), "confirm"),
        (HERE._replace(manifest=MANIFEST, status=DONE, staged=7, destination=8), "refuse"),
        (HERE._replace(manifest=MANIFEST, status=DONE._replace(phase="failed")), "report"),
        (HERE._replace(manifest=MANIFEST, status=DONE._replace(phase="failed", reported=True)), "start"),
        (HERE._replace(manifest=MANIFEST, status=DONE._replace(phase="copying")), "start"),
        (HERE._replace(manifest=DELIVERED, destination=7), "nothing"),
        (HERE._replace(manifest=DELIVERED), "enlist"),
        (HERE._replace(manifest=DELIVERED._replace(generation=1), destination=7), "adjust"),
        (HERE._replace(manifest=DELIVERED._replace(generation=1, source="h:/y"), destination=7), "enlist"),
        (HERE._replace(manifest=DELIVERED._replace(lifetime_days=3), destination=7), "adjust"),
        (HERE._replace(manifest=MANIFEST._replace(generation=1), copying=True), "adjust"),
        (HERE._replace(manifest=BLOCKED, held=7), "adjust"),
        (HERE._replace(manifest=DELIVERED, held=7), "show"),
        (HERE._replace(manifest=DELIVERED, held=7, destination=8), "refuse"),
        (HERE._replace(manifest=MANIFEST, held=7, status=DONE), "confirm"),
        (HERE._replace(manifest=MANIFEST, held=7), "enlist"),
        (HERE._replace(manifest=DELIVERED, destination=7, expired=True), "refuse"),
        (HERE._replace(manifest=DELIVERED._replace(generation=1), destination=7, expired=True), "expire"),
        (HERE._replace(manifest=DELIVERED._replace(generation=3), destination=7), "refuse"),
        (HERE._replace(manifest=DELIVERED._replace(source="h:/y"), destination=7), "refuse"),
        (HERE._replace(manifest=MANIFEST._replace(state="absent")), "refuse"),
        (HERE._replace(manifest=MANIFEST._replace(state="absent", generation=1), copying=True), "stop"),
        (HERE._replace(manifest=MANIFEST._replace(state="absent", generation=1)), "move_to_trash"),
    ],
)
def test_steps_towards_present(seen: Seen, kind: str) -> None:
    assert plan_step(DESIRED, seen).kind == kind


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (HERE, "enlist"),
        (HERE._replace(manifest=DELIVERED, destination=7), "adjust"),
        (HERE._replace(manifest=BLOCKED, destination=7), "hide"),
        (HERE._replace(manifest=BLOCKED, held=7), "nothing"),
        (HERE._replace(manifest=BLOCKED, held=7, destination=8), "nothing"),
        (HERE._replace(manifest=BLOCKED, held=7, evicting=True), "evict"),
        (HERE._replace(manifest=BLOCKED), "enlist"),
        (HERE._replace(manifest=MANIFEST), "adjust"),
        (HERE._replace(manifest=MANIFEST._replace(hidden=True), status=DONE, staged=7), "deliver"),
        (HERE._replace(manifest=BLOCKED._replace(state="absent"), held=7), "refuse"),
    ],
)
def test_steps_towards_blocked(seen: Seen, kind: str) -> None:
    assert plan_step(BLOCK, seen).kind == kind


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (HERE, "nothing"),
        (HERE._replace(manifest=DELIVERED, destination=7), "nothing"),
        (HERE._replace(manifest=DELIVERED, destination=7, expired=True), "expire"),
        (HERE._replace(manifest=BLOCKED, held=7, expired=True), "expire"),
        (HERE._replace(manifest=DELIVERED._replace(state="absent")), "move_to_trash"),
        (HERE._replace(manifest=DELIVERED._replace(state="absent"), mounts=("/m",)), "stop"),
        (HERE._replace(tombstone=Tombstone("p1", 2, "then"), trash=("p1.2.1",)), "purge"),
        (HERE._replace(tombstone=Tombstone("p1", 2, "then"), trash=("p1.2.1",), purging=True), "nothing"),
        (HERE._replace(tombstone=Tombstone("p1", 2, "then"), evicting=True), "evict"),
    ],
)
def test_steps_of_the_sweep(seen: Seen, kind: str) -> None:
    assert plan_step(SWEEP, seen).kind == kind


@pytest.mark.parametrize("state", ["present", "blocked"])
@pytest.mark.parametrize(
    ("seen", "error_class"),
    [
        (HERE, "not_delivered"),
        (HERE._replace(tombstone=Tombstone("p1", 1, "then", reason="expired")), "ended"),
        (HERE._replace(tombstone=Tombstone("p1", 2, "then")), "stale"),
        (HERE._replace(manifest=DELIVERED._replace(generation=1), destination=7, expired=True), "ended"),
        (HERE._replace(manifest=DELIVERED._replace(generation=3), destination=7), "stale"),
    ],
)
def test_what_must_exist_is_never_begun(seen: Seen, state: str, error_class: str) -> None:
    step = plan_step(DESIRED._replace(state=state, require_existing=True), seen)
    assert step.error is not None and step.error.error_class == error_class
    assert step.error.transient is False


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (HERE, "write_tombstone"),
        (HERE._replace(tombstone=Tombstone("p1", 2, "then")), "nothing"),
        (HERE._replace(tombstone=Tombstone("p1", 3, "then")), "refuse"),
        (HERE._replace(manifest=DELIVERED, destination=7), "mark_absent"),
        (HERE._replace(manifest=DELIVERED._replace(generation=3), destination=7), "refuse"),
        (HERE._replace(manifest=DELIVERED._replace(state="absent"), mounts=("/m",)), "stop"),
        (HERE._replace(manifest=DELIVERED._replace(state="absent"), copying=True), "stop"),
        (HERE._replace(manifest=DELIVERED._replace(state="absent")), "move_to_trash"),
        (HERE._replace(tombstone=Tombstone("p1", 2, "then"), trash=("p1.2.1",)), "purge"),
        (HERE._replace(tombstone=Tombstone("p1", 2, "then"), trash=("p1.2.1",), purging=True), "wait"),
        (HERE._replace(tombstone=Tombstone("p1", 2, "then"), evicting=True), "evict"),
    ],
)
def test_steps_towards_absent(seen: Seen, kind: str) -> None:
    assert plan_step(GONE, seen).kind == kind


def test_a_blocked_share_stays_out_of_the_home() -> None:
    hidden = HERE._replace(manifest=BLOCKED, held=7)
    assert plan_step(BLOCK, hidden).kind == "nothing"
    assert plan_step(BLOCK, hidden._replace(unmounted=True)).kind == "nothing"
    assert plan_step(BLOCK, hidden._replace(evicting=True)).kind == "evict"


def test_a_share_in_the_home_is_mounted_and_its_recipient_stays() -> None:
    seen = HERE._replace(manifest=DELIVERED, destination=7)
    assert plan_step(DESIRED, seen._replace(unmounted=True)).kind == "bind"
    assert plan_step(DESIRED, seen._replace(evicting=True)).kind == "nothing"


@pytest.mark.parametrize(
    ("phase", "kind"), [("probing", "wait"), ("copying", "wait"), ("verifying", "wait"), ("failed", "report")]
)
def test_a_copy_that_runs_is_waited_for_until_it_has_said_its_last_word(phase: str, kind: str) -> None:
    seen = HERE._replace(manifest=MANIFEST, copying=True, status=Status(2, "boot", phase))
    assert plan_step(DESIRED, seen).kind == kind
    # A status of an earlier generation beside it stops nothing.
    assert plan_step(DESIRED, seen._replace(stale_status=True)).kind == kind


@pytest.mark.parametrize(
    ("manifest", "ended", "present", "absent"),
    [
        (None, 0, 1, 0),
        (None, 3, 4, 3),
        (DELIVERED, 0, 2, 2),
        (DELIVERED, 1, 2, 2),
        # The tombstone is written before the manifest goes: the share has ended.
        (DELIVERED, 2, 3, 2),
        (DELIVERED, 3, 4, 3),
        (DELIVERED._replace(state="absent"), 0, 3, 2),
        (DELIVERED._replace(state="absent"), 1, 3, 2),
    ],
)
def test_a_wish_without_a_generation_means_the_share_that_lives_or_a_new_one(
    manifest: Optional[Manifest], ended: int, present: int, absent: int
) -> None:
    seen = HERE._replace(manifest=manifest, tombstone=Tombstone("p1", ended, "then") if ended else None)
    assert resolve_generation(DESIRED._replace(generation=None), seen) == present
    assert resolve_generation(GONE._replace(generation=None), seen) == absent
    assert resolve_generation(DESIRED._replace(generation=9), seen) == 9


@given(desired_shares, hosts)
def test_an_older_generation_changes_nothing(desired: DesiredShare, seen: Seen) -> None:
    older = desired._replace(
        generation=desired.generation or 1,
        state="present" if desired.state == ABSENT_IF_EXPIRED else desired.state,
    )
    seen = seen._replace(tombstone=Tombstone("p1", (older.generation or 1) + 1, "then"))
    step = plan_step(older, seen)
    assert step.kind == "refuse" and step.error is not None and step.error.error_class == "stale"


@given(
    build(
        Seen,
        boot_id=st.just("boot"),
        manifest=st.just(MANIFEST),
        status=st.sampled_from([DONE, DONE._replace(inode=8), DONE._replace(phase="copying"), None]),
        copying=st.booleans(),
        destination=st.sampled_from([None, None, 7, 8]),
        staged=st.sampled_from([7, 7, 8, None]),
        held=st.sampled_from([None, None, None, 7, 9]),
    ),
    st.booleans(),
)
def test_only_the_finished_copy_is_delivered_and_nothing_is_renamed_over(seen: Seen, hidden: bool) -> None:
    desired = BLOCK if hidden else DESIRED
    kind = plan_step(desired, seen._replace(manifest=MANIFEST._replace(hidden=hidden))).kind
    finished = seen.status is not None and seen.status.phase == "done" and seen.staged == seen.status.inode
    free = seen.destination is None and seen.held is None
    assert (kind == "deliver") == (finished and free)


@given(desired_shares, hosts)
def test_no_share_begins_where_something_of_others_stands(desired: DesiredShare, seen: Seen) -> None:
    begins = HERE._replace(occupied=True, manifest=None, tombstone=None, home_problem=seen.home_problem)
    if desired.wanted and not desired.require_existing:
        assert plan_step(desired, begins).kind == "refuse"
    manifest, generation = seen.manifest, resolve_generation(desired, seen)
    if plan_step(desired, seen).kind == "enlist" and (manifest is None or manifest.generation != generation):
        assert not seen.occupied


@given(desired_shares, hosts)
def test_results_can_be_told_of_anything(desired: DesiredShare, seen: Seen) -> None:
    step = plan_step(desired, seen)
    assert (step.kind == "refuse") == (step.error is not None)
    result, predicted = build_result(desired, seen, False, step.error), predict_result(desired, seen, step)
    assert set(result) == set(predicted) == set(build_refusal("x", InvalidValueError("y")))
    assert predicted["changed"] == (step.kind in CHANGING)
    assert 0 <= result["percent"] <= 100
    assert (result["percent"] == 100) == (seen.manifest is not None and seen.manifest.arrived)
    build_diff(desired, seen, predicted)


def place_share(seen: Seen, desired: DesiredShare, kind: str) -> Seen:
    """The steps that change where complete data stands, or only what is written of it."""
    manifest = seen.manifest
    assert manifest is not None
    if kind == "adjust":
        status, generation = seen.status, resolve_generation(desired, seen)
        if status is not None and status.phase == "failed" and generation > manifest.generation:
            status = status._replace(reported=True)
        return seen._replace(manifest=adjust_manifest(manifest, desired, generation), status=status)
    if kind == "hide":
        assert seen.held is None
        return seen._replace(held=seen.destination, destination=None, evicting=True)
    if kind == "show":
        assert seen.destination is None
        return seen._replace(destination=seen.held, held=None, evicting=False)
    if kind == "deliver":
        place = "held" if manifest.hidden else "destination"
        return seen._replace(**{place: seen.staged}, staged=None)  # type: ignore[arg-type]
    assert kind == "confirm"
    state = "blocked" if manifest.hidden else "delivered"
    return seen._replace(manifest=manifest._replace(state=state, delivered_at="now"), status=None)


def apply_step(seen: Seen, desired: DesiredShare, kind: str) -> Seen:
    """What one applied step makes of the host, when nobody interferes; a copy that starts is done at once."""
    manifest = seen.manifest
    generation = resolve_generation(desired, seen)
    if kind == "enlist":
        staged = seen.destination if seen.delivered else seen.staged
        staged = seen.held if staged is None else staged
        begun = Manifest("p1", generation, "ftp_x", "h:/x", lifetime_days=desired.lifetime_days)._replace(
            hidden=desired.hidden, copy_generation=generation
        )
        destination = None if seen.delivered else (8 if seen.occupied else None)
        if manifest is not None and manifest.ftpuser == "ftp_x" and not seen.delivered:
            destination = seen.destination
        return seen._replace(
            manifest=begun,
            status=None,
            tombstone=None,
            staged=staged,
            held=None,
            expired=False,
            destination=destination,
            occupied=False,
        )
    if kind == "start":
        return seen._replace(status=Status(generation, "boot", "done", inode=9), staged=9, stale_status=False)
    if kind in ("adjust", "hide", "show", "deliver", "confirm"):
        return place_share(seen, desired, kind)
    if kind in ("mark_absent", "expire"):
        assert manifest is not None
        generation = max(manifest.generation, generation) if kind == "mark_absent" else manifest.generation
        return seen._replace(manifest=manifest._replace(state="absent", generation=generation))
    if kind == "stop":
        return seen._replace(copying=False, mounts=())
    if kind in ("move_to_trash", "write_tombstone"):
        ended = max(manifest.generation, seen.ended) if manifest else generation
        trash = (*seen.trash, "p1.9.9") if kind == "move_to_trash" else seen.trash
        gone = None if seen.delivered else seen.destination
        return seen._replace(
            manifest=None,
            status=None,
            tombstone=Tombstone("p1", ended, "now"),
            trash=trash,
            destination=gone,
            staged=None,
            held=None,
            expired=False,
            evicting=seen.evicting or seen.delivered,
            occupied=gone is not None,
        )
    if kind == "purge":
        return seen._replace(trash=())
    raise AssertionError(kind)


@given(desired_shares, hosts)
def test_every_way_ends(desired: DesiredShare, seen: Seen) -> None:
    kinds: list[str] = []
    while len(kinds) < 20:
        step = plan_step(desired, seen)
        kinds.append(step.kind)
        if step.kind in ("nothing", "refuse", "report"):
            break
        if step.kind == "wait":
            # the unit ends: a copy without a word, a purge with its work done
            seen = seen._replace(copying=False, purging=False, trash=() if seen.purging else seen.trash)
            continue
        if step.kind == "evict":
            seen = seen._replace(evicting=False)
            continue
        seen = apply_step(seen, desired, step.kind)
    assert kinds[-1] in ("nothing", "refuse", "report"), kinds
    if kinds[-1] == "nothing" and desired.wanted:
        manifest = seen.manifest
        assert manifest is not None and manifest.arrived and manifest.hidden == (desired.state == "blocked")
        assert (seen.held if manifest.hidden else seen.destination) is not None
        assert manifest.lifetime_days == desired.lifetime_days
    if kinds[-1] == "nothing" and desired.state == ABSENT_IF_EXPIRED:
        assert seen.manifest is None or (seen.manifest.live and not seen.expired)
    if kinds[-1] == "nothing" and desired.state == "absent":
        assert seen.manifest is None and not seen.trash


SITE = Site(writable_uid=2001)


def test_a_wish_is_read_with_its_defaults() -> None:
    desired = build_desired(
        {"id": "p1", "ftpuser": "ftp_x", "source": "h:/x/", "generation": None, "root": "/data"}, SITE
    )
    assert desired == DesiredShare("p1", ftpuser="ftp_x", source="h:/x/")
    assert build_desired({"id": "p1", "state": "absent"}, SITE).state == "absent"


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../x"},
        {"id": None},
        {"state": ABSENT_IF_EXPIRED},
        {"generation": 0},
        {"ftpuser": None},
        {"ftpuser": "../x"},
        {"source": None},
        {"source": "h:/data/../etc"},
        {"source": "root@h:/etc/shadow"},
        {"ssh_user": "-l"},
        {"source_root": "/y"},
        {"source_root": "x"},
        {"source_root": "/", "size_probe": "du"},
        {"size_probe": "guess"},
        {"method": "carrier pigeon"},
        {"ssh_key_file": "/k -oProxyCommand=x"},
        {"ssh_key_file": "relative"},
        {"ssh_config_file": "/${HOME}"},
        {"ssh_known_hosts_file": "/%h"},
        {"lifetime_days": 0},
    ],
)
def test_other_wishes_are_refused(change: dict[str, Optional[object]]) -> None:
    values = {"id": "p1", "ftpuser": "ftp_x", "source": "h:/x", "state": "present", **change}
    with pytest.raises(InvalidValueError):
        build_desired(values, SITE)


def test_writable_needs_the_ftp_user() -> None:
    values = {"id": "p1", "ftpuser": "ftp_x", "source": "h:/x", "writable": True}
    assert build_desired(values, SITE).writable is True
    with pytest.raises(InvalidValueError, match="writable"):
        build_desired(values, Site())


@pytest.mark.parametrize(
    ("value", "fits"), [(None, True), ("50M", True), ("1.5g", True), ("-1", False), ("1M --x", False)]
)
def test_bandwidth_limits(value: Optional[str], fits: bool) -> None:
    if fits:
        assert check_bwlimit(value) == value
    else:
        with pytest.raises(InvalidValueError):
            check_bwlimit(value)
