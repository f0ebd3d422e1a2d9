"""Times as they go over the wire and into request files."""

from __future__ import annotations

from datetime import UTC, datetime


def write_time(value: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC with `Z`, to the second."""
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
