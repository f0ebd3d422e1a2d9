"""Two tables of error classes, one on each side of the border: they must say the same."""

from __future__ import annotations

from ansible_collections.lanot.tempoftp.plugins.module_utils._host import errors as _errors

from tempoftp.errors import ERROR_CLASSES


def test_both_tables_are_equal() -> None:
    ours = {name: entry.transient for name, entry in ERROR_CLASSES.items()}
    assert ours == _errors.CLASSES


def test_the_column_holds_every_name() -> None:
    assert max(len(name) for name in ERROR_CLASSES) <= 32
