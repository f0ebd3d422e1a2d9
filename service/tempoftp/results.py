"""The base of everything that is read from an outcome file.

Unknown keys are ignored: a newer collection may report more.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tempoftp.errors import ShareError


class Result(BaseModel):
    """Base of everything that is read from an outcome file."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ResultError(Result):
    """The classified error of one item."""

    error_class: str = Field(alias="class")
    message: str
    transient: bool = True

    def to_share_error(self) -> ShareError:
        """Return it by our own table, which decides what is transient."""
        return ShareError.of(self.error_class, self.message)
