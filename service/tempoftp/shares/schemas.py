"""The body of `POST /tmpftp`: the one definition of what a client may ask for."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from tempoftp.accounts.emails import normalise_email
from tempoftp.shares.fields import Requested

RESERVED_IDS = frozenset({"expired", "user", "auditoria", "prorrogas", "vista_previa"})
"""Words that are paths of the API beside `/tmpftp/{id}`."""

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"


Ruta = Annotated[
    str,
    StringConstraints(min_length=3, max_length=4096),
    Field(
        description="What to copy: `host:/path` or `user@host:/path`.",
        examples=["lanotadm@host:/ruta/origen"],
    ),
]


class _Identity(BaseModel):
    """Whose share it is, its name, and where the data is."""

    usuario: Annotated[
        str,
        StringConstraints(min_length=3, max_length=254),
        Field(description="E-mail of the person the share is for.", examples=["alguien@dominio"]),
    ]
    id: Annotated[
        str,
        StringConstraints(pattern=ID_PATTERN),
        Field(description="Name of the share, chosen by the client.", examples=["proyecto_real_1"]),
    ]
    ruta: Ruta

    @field_validator("id")
    @classmethod
    def _refuse_reserved(cls, value: str) -> str:
        if value in RESERVED_IDS:
            raise ValueError(f"{value!r} is a reserved word; choose another id")
        return value

    @field_validator("usuario")
    @classmethod
    def _normalise_email(cls, value: str) -> str:
        return normalise_email(value)


class ShareRequest(Requested, _Identity):
    """One request for a share, in the seed's wire names. Unknown keys and loose types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, validate_by_name=False)
