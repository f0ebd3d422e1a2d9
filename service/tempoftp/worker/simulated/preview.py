"""A preview on a simulated FTP host: the path gives the size, as for the simulated copies."""

from __future__ import annotations

from typing import Any

from tempoftp.errors import ERROR_CLASSES
from tempoftp.previews.results import PreviewOutcome, PreviewRequest
from tempoftp.worker.simulated.host import find_failure, plan_copy

INODES_AVAILABLE = 10_000_000


def measure_sources(request: PreviewRequest, space_total: int, space_free: int) -> PreviewOutcome:
    """Return what `tempoftp_source_info` would return for these sources."""
    return PreviewOutcome.model_validate(
        {
            "schema": 1,
            "run_id": request.run_id,
            "sources": [_measure(item.source, space_total) for item in request.sources],
            "host": {
                "space_total": space_total,
                "space_free": space_free,
                "space_available": space_free,
                "inodes_available": INODES_AVAILABLE,
            },
        }
    )


def _measure(source: str, space_total: int) -> dict[str, Any]:
    failure = find_failure(source, 0.0)
    if failure is not None:
        return {"source": source, "error": _build_error(failure, f"simulated {failure} for {source}")}
    plan = plan_copy(source)
    name = source.rsplit("/", 1)[-1]
    huge, slow = name == "enorme", name == "lento"
    size = space_total + plan["bytes_total"] if huge else plan["bytes_total"]
    return {
        "source": source,
        "timed_out": slow,
        "bytes": size,
        "files": plan["files_total"],
        "skipped": [],
        "skipped_total": 0,
        "need_bytes": size,
        "fits": None if slow else not huge,
        "shortage": _build_error("too_large", f"it needs {size} bytes") if huge else None,
    }


def _build_error(error_class: str, message: str) -> dict[str, Any]:
    return {"class": error_class, "message": message, "transient": ERROR_CLASSES[error_class].transient}
