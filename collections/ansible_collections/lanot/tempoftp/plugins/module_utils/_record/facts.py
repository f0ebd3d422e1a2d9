# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of a copy: what the copier finds out, and what is only kept and reported afterwards.

A fact is declared here, once. The copier notes it (``report.note(NAME=word)``), ``status.json`` carries it, the
manifest keeps it and the module's result reports it; none of them names it again. The service declares the same names
in ``tempoftp/shares/fields.py``; a contract test compares the two.
"""

from __future__ import annotations

from typing import Any, Optional

FACTS: dict[str, tuple[str, ...]] = {
    # How the data came to the FTP host.
    "delivered_by": ("rsync", "copy", "reflink", "links", "bind"),
    # Where SHA256SUMS was computed.
    "checksums_by": ("source", "arrival"),
}
"""Each fact with the words that it may have."""


def fill_facts(facts: dict[str, str]) -> dict[str, Optional[str]]:
    """Return every fact by its name, None where it is not known."""
    return {name: facts.get(name) for name in FACTS}


def parse_facts(content: dict[str, Any]) -> dict[str, str]:
    """Return the facts in a file. A word of a newer release is left out: it would mean nothing here."""
    return {name: content[name] for name, words in FACTS.items() if content.get(name) in words}
