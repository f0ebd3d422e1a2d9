"""Where `get_author` was before there were tokens."""

from __future__ import annotations

from tempoftp.api.access import get_author

__all__ = ["get_author"]
