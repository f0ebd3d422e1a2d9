"""The fields of a share that travel, each declared once: name, type, unit, and its word on the wire.

A name is the same in the row (`db.models`), the request item, the module's option, the manifest and the result. From
these two classes derive:

- `Requested`: the body of `POST /tmpftp` (`shares.schemas`), the row (`shares.create`), the item of the request file
  (`worker.request`) and the option of `tempoftp request`;
- `Reported`: the result of a run (`shares.results`), the row (`shares.apply_result`), the answer
  (`shares.serializers`), its OpenAPI schema (`http.answers`) and the simulated FTP host (`worker.simulated.host`).

Contract tests compare them with the columns, with the module's options and with what it returns. How to add one:
`docs/adding-a-field.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, create_model

from tempoftp.results import Result


@dataclass(frozen=True, slots=True)
class Wire:
    """Where a reported field stands in an answer: `group.name`, with its description for OpenAPI.

    `words`: what its values are called on the wire, where they are words. `simulated`: what the simulated FTP host
    reports once a share is delivered.
    """

    group: Literal["progreso", "entrega"]
    name: str
    text: str
    words: Mapping[str, str] = field(default_factory=dict)
    simulated: object = None


class Requested(BaseModel):
    """What a requester may say beside whose share it is and where the data is. None: the installation's default."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    lifetime_days: int | None = Field(
        default=None,
        validation_alias="vigencia",
        description="Days the share lives, counted from `listo`.",
        examples=[3],
    )


class Reported(Result):
    """What an FTP host reports of a share's copy.

    `progreso` changes while a share is on its way; `entrega` says how the data came, and is kept.
    """

    bytes_done: Annotated[int | None, Wire("progreso", "bytes", "Bytes copied.")] = None
    bytes_total: Annotated[int | None, Wire("progreso", "total", "Bytes to copy.")] = None
    files_done: Annotated[int | None, Wire("progreso", "archivos", "Files copied.")] = None
    files_total: Annotated[int | None, Wire("progreso", "archivos_total", "Files to copy.")] = None
    percent: Annotated[float | None, Wire("progreso", "porcentaje", "0 to 100.")] = None
    rate: Annotated[float | None, Wire("progreso", "velocidad", "Bytes per second.")] = None
    eta: Annotated[
        float | None, Wire("progreso", "eta", "Seconds until the copy is expected to be done.")
    ] = None
    delivered_by: Annotated[
        Literal["rsync", "copy", "reflink", "links", "bind"] | None,
        Wire(
            "entrega",
            "metodo",
            "`enlaces`: what another share of the same source had already; `montaje`: the source itself.",
            words={
                "rsync": "rsync",
                "copy": "copia",
                "reflink": "reflink",
                "links": "enlaces",
                "bind": "montaje",
            },
            simulated="rsync",
        ),
    ] = None
    checksums_by: Annotated[
        Literal["source", "arrival"] | None,
        Wire(
            "entrega",
            "sumas",
            "Where `SHA256SUMS` was computed; null when the share has none.",
            words={"source": "origen", "arrival": "llegada"},
        ),
    ] = None


WIRES: dict[str, Wire] = {
    name: next(part for part in info.metadata if isinstance(part, Wire))
    for name, info in Reported.model_fields.items()
}
"""Each reported field with its place on the wire."""

PROGRESS = tuple(name for name, wire in WIRES.items() if wire.group == "progreso")
DELIVERY = tuple(name for name, wire in WIRES.items() if wire.group == "entrega")


def describe_fields(row: object, names: tuple[str, ...]) -> dict[str, Any]:
    """Return these fields of a share's row as they go over the wire."""
    described = {}
    for name in names:
        wire, value = WIRES[name], getattr(row, name)
        described[wire.name] = wire.words.get(value) if wire.words else value
    return described


def build_schema(title: str, text: str, names: tuple[str, ...]) -> type[BaseModel]:
    """Return the schema of these fields in an answer, for OpenAPI: each is there, and null while it is not known."""
    fields: dict[str, Any] = {}
    for name in names:
        wire = WIRES[name]
        words = tuple(wire.words.values())
        kind = Literal[words] | None if words else Reported.model_fields[name].annotation
        fields[wire.name] = (kind, Field(description=wire.text))
    return create_model(title, __doc__=text, **fields)


def list_words(name: str) -> frozenset[str]:
    """Return the words that a reported field may have, as the FTP host says them."""
    literal = next(part for part in get_args(Reported.model_fields[name].annotation) if get_args(part))
    return frozenset(get_args(literal))
