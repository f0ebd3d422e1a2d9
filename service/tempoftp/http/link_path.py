"""The `{token}` in the path of a recipient's link."""

from __future__ import annotations

from pydantic import BaseModel, Field


class LinkPath(BaseModel):
    """The path of one link. Whatever is no token of ours is simply not found."""

    token: str = Field(description="What a recipient's link ends with.")
