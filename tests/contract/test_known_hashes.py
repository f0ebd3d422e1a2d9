"""What counts as a hash of a password, on both sides of the border: the same."""

from __future__ import annotations

from ansible_collections.lanot.tempoftp.plugins.module_utils._account import passwords as _passwords

from tempoftp.accounts import accounts as _accounts


def test_both_sides_know_the_same_hashes() -> None:
    assert _passwords._KNOWN.pattern == _accounts._HASH.pattern
