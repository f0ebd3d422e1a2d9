"""Loads what all tests share, those of `tests/` and those of the collection."""

from hypothesis import settings

pytest_plugins = ["tests.support.needs"]

# How long one example takes says nothing about the code on a machine that does other work as well.
settings.register_profile("tempoftp", deadline=None)
settings.load_profile("tempoftp")
