"""A runner that records the requests of its runs."""

from __future__ import annotations

import pytest

from tempoftp.settings import Settings
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner
from tests.support.runs import Recording


@pytest.fixture
def recording(settings: Settings, runner: HostRunner) -> Recording:
    recording = Recording(SimulatedProvisioner(settings.state_dir))
    runner.provisioner = recording
    return recording
