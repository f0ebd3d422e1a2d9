"""Which provisioner a worker has: Ansible, or its simulation where the settings ask for it."""

from __future__ import annotations

from tempoftp.settings import Settings
from tempoftp.worker.ansible import AnsibleProvisioner
from tempoftp.worker.provisioner import Provisioner
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner


def build_provisioner(settings: Settings) -> Provisioner:
    """Return the provisioner that the settings ask for."""
    return SimulatedProvisioner(settings.state_dir) if settings.simulacro else AnsibleProvisioner(settings)
