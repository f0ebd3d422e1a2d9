"""A preview as the API shows it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now, write_time
from tempoftp.db.models import FtpHost, Preview
from tempoftp.phrases import Translate, keep
from tempoftp.previews.previews import GIVE_UP_AFTER, is_empty
from tempoftp.previews.results import HostRoom, SourceResult
from tempoftp.shares.messages import (
    PAUSED_MESSAGE,
    PREVIEW_FITS,
    PREVIEW_GIVEN_UP,
    PREVIEW_LEAST,
    PREVIEW_PENDING,
    PREVIEW_SHORTAGES,
    PREVIEW_UNKNOWN,
    describe_emptiness,
    explain_preview_error,
)


def describe_preview(session: Session, preview: Preview, translate: Translate = keep) -> dict[str, Any]:
    """Return a preview as the API shows it. `mensaje` is Spanish, or what `translate` makes of it."""
    body: dict[str, Any] = {
        "id": preview.id,
        "ruta": preview.item["source"],
        "estado": "pendiente",
        "mensaje": translate(PREVIEW_PENDING),
        "error": preview.error_class,
        "completa": None,
        "bytes": None,
        "archivos": None,
        "omitidos": {"total": 0, "lista": []},
        "cabe": None,
        "falta": None,
        "espacio": None,
        "pedida_at": write_time(preview.asked_at),
        "medida_at": write_time(preview.answered_at),
        "edad_segundos": _count_age(session, preview),
    }
    if preview.result is not None:
        measured = SourceResult.model_validate(preview.result["source"])
        body |= _describe_measured(measured, HostRoom.model_validate(preview.result["host"]), translate)
    elif preview.error_class is not None:
        body |= {
            "estado": "error",
            "mensaje": explain_preview_error(preview.error_class, preview.error_message, translate),
        }
    elif preview.asked_at <= database_now(session) - GIVE_UP_AFTER:
        body |= {"estado": "error", "error": "run_timeout", "mensaje": translate(PREVIEW_GIVEN_UP)}
    else:
        host = session.get(FtpHost, preview.ftp_host)
        if host is not None and host.paused:
            body["mensaje"] = f"{translate(PREVIEW_PENDING)} {translate(PAUSED_MESSAGE)}"
    return body


def _count_age(session: Session, preview: Preview) -> float | None:
    """Return how many seconds ago the source was measured."""
    if preview.answered_at is None:
        return None
    return max(0.0, round((database_now(session) - preview.answered_at).total_seconds(), 1))


def _describe_measured(measured: SourceResult, room: HostRoom, translate: Translate) -> dict[str, Any]:
    empty = is_empty(measured.model_dump())
    warnings = {"advertencias": [describe_emptiness(translate)]} if empty else {}
    return warnings | {
        "estado": "lista",
        "mensaje": translate(_explain(measured)),
        "completa": not measured.timed_out,
        "bytes": measured.bytes,
        "archivos": measured.files,
        "omitidos": {"total": measured.skipped_total or 0, "lista": measured.skipped},
        "cabe": measured.fits,
        "falta": measured.shortage.error_class if measured.shortage is not None else None,
        "espacio": {
            "total": room.space_total,
            "libre": room.space_free,
            "disponible": room.space_available,
            "archivos_disponibles": room.inodes_available,
        },
    }


def _explain(measured: SourceResult) -> str:
    if measured.shortage is not None:
        return PREVIEW_SHORTAGES.get(measured.shortage.error_class, PREVIEW_SHORTAGES["no_space"])
    if not measured.timed_out:
        return PREVIEW_FITS
    return PREVIEW_UNKNOWN if measured.bytes is None else PREVIEW_LEAST
