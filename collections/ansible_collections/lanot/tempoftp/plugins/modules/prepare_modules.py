#!/usr/bin/python
# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action plugin of the same name: a run that stands by packs its modules ahead."""

from __future__ import annotations

DOCUMENTATION = r"""
module: prepare_modules
short_description: Pack modules on the control host before they are needed
version_added: 0.2.0
description:
  - Packs modules as Ansible does it before it sends them to a host, which costs about 0.3 seconds of CPU for each.
    A later task of the same playbook finds them packed.
  - It serves a playbook that is started before there is anything to do and then waits. A playbook that runs at
    once gains nothing.
  - Runs on the control host and sends nothing to the managed host.
author:
  - LANOT (@lanot)
extends_documentation_fragment:
  - lanot.tempoftp.attributes.control_host
options:
  modules:
    description: Full names of the modules.
    type: list
    elements: str
    required: true
seealso:
  - module: lanot.tempoftp.write_outcome
"""

EXAMPLES = r"""
- name: Pack what the next tasks run
  lanot.tempoftp.prepare_modules:
    modules:
      - lanot.tempoftp.tempoftp_share
      - lanot.tempoftp.tempoftp_ftpuser
"""

RETURN = r"""
"""
