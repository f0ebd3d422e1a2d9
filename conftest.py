"""Loads what all tests share, those of `tests/` and those of the collection."""

pytest_plugins = ["tests.support.needs"]
