"""The simulated hosts keep the modules' contract, so that what is tried on them holds on real ones."""

from __future__ import annotations

from typing import Any

import pytest

from tempoftp.errors import ERROR_CLASSES
from tempoftp.settings import Settings
from tempoftp.worker.provisioner import RunAbandoned
from tempoftp.worker.request import RunRequest, ShareItem, UserItem
from tempoftp.worker.simulated.host import World, apply_share, apply_user
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner


def share(path: str = "/srv/datos/tarda-10", **changes: Any) -> ShareItem:
    values = {
        "id": "p1",
        "generation": 1,
        "state": "present",
        "ftpuser": "ftp_a",
        "source": f"lanotadm@source1:{path}",
        "source_root": "/srv/datos",
        "ssh_user": "lanotadm",
        "ssh_key_file": None,
        "size_probe": "rsync",
        "lifetime_days": 3,
        "writable": False,
    }
    return ShareItem.model_validate(values | changes)


def user(**changes: Any) -> UserItem:
    values = {"name": "ftp_a", "state": "present", "password_hash": "H", "end_sessions": False}
    return UserItem.model_validate(values | changes)


@pytest.fixture
def world() -> World:
    return {"shares": {}, "users": {}, "tombstones": {}}


def test_copy_takes_its_time(world: World) -> None:
    begun = apply_share(world, share(), 100.0)
    half = apply_share(world, share(), 105.0)
    done = apply_share(world, share(), 110.0)
    assert [step["state"] for step in (begun, half, done)] == ["copying", "copying", "delivered"]
    assert (half["percent"], half["eta"]) == (50.0, 5.0)
    assert done["bytes_done"] == done["bytes_total"]


def test_account_comes_with_the_first_delivered_share(world: World) -> None:
    apply_share(world, share(), 100.0)
    assert apply_user(world, user(), 105.0)["skipped_reason"] == "no_delivered_share"
    made = apply_user(world, user(), 111.0)
    assert (made["created"], made["password_matches"], made["shares"][0]["id"]) == (True, True, "p1")
    again = apply_user(world, user(password_hash="other"), 120.0)
    assert (again["created"], again["password_matches"], again["password_hash"]) == (False, False, "H")
    assert again["shares"] == made["shares"]  # fixed once


def test_older_generation_is_refused(world: World) -> None:
    apply_share(world, share(generation=2, state="absent"), 100.0)
    late = apply_share(world, share(), 101.0)
    assert late["error"]["class"] == "stale"
    assert world["shares"] == {}
    assert apply_share(world, share(generation=3), 102.0)["state"] == "copying"
    assert apply_share(world, share(generation=2, state="absent"), 103.0)["error"]["class"] == "stale"
    assert "p1" in world["shares"]


def test_absent_keeps_an_account_that_is_needed_or_not_ours(world: World) -> None:
    apply_share(world, share(), 100.0)
    apply_user(world, user(), 111.0)
    assert apply_user(world, user(state="absent"), 112.0)["kept_reason"] == "live_shares"
    apply_share(world, share(generation=2, state="absent"), 113.0)
    assert apply_user(world, user(state="absent"), 114.0) == {"name": "ftp_a", "state": "absent"}
    apply_share(world, share("/srv/datos/existe", id="p2"), 115.0)
    apply_share(world, share("/srv/datos/existe", id="p2", generation=2, state="absent"), 116.0)
    assert apply_user(world, user(state="absent"), 117.0)["kept_reason"] == "adopted"


def test_account_that_was_there_is_a_conflict_until_it_is_mapped(world: World) -> None:
    apply_share(world, share("/srv/datos/existe"), 100.0)
    assert apply_user(world, user(), 200.0)["error"]["class"] == "account_conflict"
    mapped = apply_user(world, user(adopt=True), 200.0)
    assert (mapped["origin"], mapped["state"], mapped["password_matches"]) == ("adopted", "present", False)


@pytest.mark.parametrize("name", sorted(ERROR_CLASSES))
def test_every_failure_can_be_asked_for(world: World, name: str) -> None:
    failed = apply_share(world, share(f"/srv/datos/falla-{name}"), 100.0)
    assert failed["error"]["class"] == name
    assert failed["error"]["transient"] == ERROR_CLASSES[name].transient


def test_failure_may_pass(world: World) -> None:
    path = "/srv/datos/falla-no_space-5"
    assert apply_share(world, share(path), 100.0)["error"]["class"] == "no_space"
    assert apply_share(world, share(path), 104.9)["error"]["class"] == "no_space"
    assert apply_share(world, share(path), 105.0)["error"] is None


def test_state_outlives_the_process(settings: Settings) -> None:
    request = RunRequest(run_id="r1", ftp_host="ftp1", wait_timeout=0, shares=[share()], users=[user()])
    SimulatedProvisioner(settings.state_dir).run(request, lambda: False)
    again = SimulatedProvisioner(settings.state_dir).run(request, lambda: False)
    assert (again.shares[0].bytes_done or 0) > 0


def test_run_can_be_abandoned(settings: Settings) -> None:
    request = RunRequest(run_id="r1", ftp_host="ftp1", wait_timeout=60, shares=[share()])
    with pytest.raises(RunAbandoned):
        SimulatedProvisioner(settings.state_dir).run(request, lambda: True)
