"""`GET /`: a sign of life that touches nothing."""

from __future__ import annotations

from typing import Literal

from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel

api = APIBlueprint("get_root", __name__)


class RootAnswer(BaseModel):
    """The process answers; whether the system works is `GET /health`."""

    status: Literal["active"]


@api.get("/", summary="Señal de vida", responses={200: RootAnswer})
def get_root() -> dict[str, str]:
    """Answer that the API is up, without looking at anything else."""
    return {"status": "active"}
