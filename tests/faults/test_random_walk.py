"""Fifty random operations with random kills on real hosts; at the end the audit finds nothing."""

from __future__ import annotations

import os
import random

import pytest

from tests.faults.ground import Ground
from tests.faults.walk import Walk

pytestmark = [pytest.mark.faults, pytest.mark.timeout(2400)]

OPERATIONS = 50


def test_fifty_operations_with_kills_leave_nothing_behind(
    ground: Ground, request: pytest.FixtureRequest
) -> None:
    seed = int(os.environ.get("TEMPOFTP_WALK_SEED") or random.SystemRandom().randrange(10**6))
    walk = Walk(ground, seed)
    try:
        walk.run(OPERATIONS)
        ground.start_all()
        walk.settle()
        walk.check()
        ground.check_neighbour()
        ground.check_audit()
        for person in walk.people.values():
            for name in person.wanted:
                ground.api.delete(name, seconds=300)
        walk.people = {}
        walk.check_hosts()
        ground.check_audit()
    except BaseException:
        print(f"TEMPOFTP_WALK_SEED={seed}", *walk.told, sep="\n")
        raise
    finally:
        ground.start_all()
        ground.stage.source("rm -rf /srv/datos/e2e/paseo_*")
    request.node.user_properties.append(("walk", (seed, walk.done, walk.refused, walk.killed)))
    print(f"seed {seed}: {dict(walk.done)}, refused {dict(walk.refused)}, killed {dict(walk.killed)}")
