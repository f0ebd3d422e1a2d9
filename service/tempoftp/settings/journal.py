"""What the service writes to the journal."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class JournalSettings(BaseModel):
    """Level and format of the log."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO",
        description="Lowest level that is written to the journal: DEBUG, INFO, WARNING or ERROR.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description=(
            "`json`: one JSON object on each line, for programs that collect logs; `text`: the same for "
            "people."
        ),
    )
