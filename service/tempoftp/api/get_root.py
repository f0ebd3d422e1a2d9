"""`GET /`: a sign of life that touches nothing."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from tempoftp.api.access import PUBLIC, allow
from tempoftp.api.routes import system


class RootAnswer(BaseModel):
    """The process answers; whether the system works is `GET /health`."""

    status: Literal["active"]


@system.get("/", summary="Señal de vida", responses={200: RootAnswer})
@allow(PUBLIC)
def get_root() -> dict[str, str]:
    """Answer that the API is up, without looking at anything else."""
    return {"status": "active"}
