"""Sizes are written with decimal units, the same in portal, mail and command line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempoftp.units import BYTE_UNITS, format_bytes


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1536, "1.5 kB"),
        (99_940, "99.9 kB"),
        (99_960, "100 kB"),
        (417_200, "417 kB"),
        (999_499, "999 kB"),
        (999_950, "1.0 MB"),
        (5 * 10**9, "5.0 GB"),
        (10**18, "1000 PB"),
    ],
)
def test_sizes_have_decimal_units(count: int, written: str) -> None:
    assert format_bytes(count) == written


@given(st.integers(0, 999 * 10**15))
def test_a_size_has_at_most_three_digits_and_is_right_to_five_percent(count: int) -> None:
    number, unit = format_bytes(count).split()
    assert re.fullmatch(r"\d{1,3}|\d{1,2}\.\d", number)
    assert float(number) * 1000 ** BYTE_UNITS.index(unit) == pytest.approx(count, rel=0.05)


def test_the_caller_writes_the_number() -> None:
    assert format_bytes(1_536_000, lambda value, digits: f"{value:.{digits}f}".replace(".", ",")) == "1,5 MB"
