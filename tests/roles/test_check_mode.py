"""`site.yml --check` on a fresh host shows no red line for what an earlier task would have made."""

from __future__ import annotations

import pytest

from tests.roles.rendering import ROLES


@pytest.mark.parametrize("role", ["ftp_database", "ftp_server", "source_host"])
def test_no_failure_is_shown_and_then_ignored(role: str) -> None:
    """Ansible shows an ignored failure in red. `failed_when` with ansible_check_mode shows none."""
    found = [
        path.relative_to(ROLES).as_posix()
        for path in sorted((ROLES / role).rglob("*.yml"))
        if "ignore_errors" in path.read_text(encoding="utf-8")
    ]
    assert found == []
