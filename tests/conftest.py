"""The lab's hosts, for every test on them: brought up once, taken down at the end whatever happened."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "end_to_end"))

from stage import Stage

NETS: dict[str, dict[str, Any]] = {
    "test": {"subnet": "10.117.2", "port": 19043},
    "faults": {"subnet": "10.117.5", "port": 19045},
}
# Nobody need wait as long as in production: for transfers to be counted, for a dead worker's lease, for an answer
# while the host is paused.
SETTINGS = """\
TEMPOFTP_TRANSFERS_SECONDS=5
TEMPOFTP_LEASE_SECONDS=10
TEMPOFTP_HEARTBEAT_SECONDS=3
TEMPOFTP_DELETION_WAIT_SECONDS=1
"""


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """A net of the lab with `site.yml` applied and a control host beside it (KEEP_LAB=1 leaves it up, and uses it).

    TEMPOFTP_STAGE_NET says which net: `test`, or `faults`, whose hosts have small disks.
    """
    net = os.environ.get("TEMPOFTP_STAGE_NET", "test")
    with Stage(net, **NETS[net]).stand(SETTINGS) as stage:
        yield stage
