"""The `{id}` in the path of a share. Anything that cannot be an id is simply not found."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field

from tempoftp.http.problems import build_not_found
from tempoftp.shares.schemas import ID_PATTERN, RESERVED_IDS

_ID = re.compile(ID_PATTERN)


class SharePath(BaseModel):
    """The path of one share."""

    id: str = Field(description="The id that the share was asked for with.")

    def read_id(self) -> str:
        """Return the id; a 404 problem for a text that no share can have as its id (odd characters, reserved)."""
        if not _ID.fullmatch(self.id) or self.id in RESERVED_IDS:
            raise build_not_found()
        return self.id
