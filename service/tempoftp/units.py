"""How sizes are written: one system of units for portal, mail and command line.

The units are decimal, as on the labels of disks and in rsync's output: 1 MB is 1,000,000 bytes.
"""

from __future__ import annotations

from collections.abc import Callable

BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def write_plain(value: float, digits: int) -> str:
    """Write a number with so many digits after a decimal point and without separators."""
    return f"{value:.{digits}f}"


def format_bytes(count: float, write_number: Callable[[float, int], str] = write_plain) -> str:
    """`1536000` → `1.5 MB`, `417200` → `417 kB`: one digit after the point below 100, none above and for bytes.

    `write_number` gets the number and its digits after the point; the portal writes it as its language does.
    """
    value, unit = float(count), 0
    # Rounded first: 999,950 bytes are 1.0 MB and not 1000 kB.
    while abs(round(value)) >= 1000 and unit < len(BYTE_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 0 if unit == 0 or abs(round(value, 1)) >= 100 else 1
    return f"{write_number(value, digits)} {BYTE_UNITS[unit]}"
