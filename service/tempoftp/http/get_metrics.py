"""`GET /metrics`: numbers for Prometheus; `docs/monitoring.md` lists them."""

from __future__ import annotations

from flask import Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from tempoftp.http.access import Role, allow
from tempoftp.http.context import get_context
from tempoftp.http.metrics import write_measures
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import hosts
from tempoftp.monitoring.measures import read_measures


@hosts.get(
    "/metrics",
    summary="Medidas para Prometheus",
    responses={
        200: {
            "description": "Prometheus' text format",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **document_refusals(403, 503),
    },
)
@allow(Role.OPERADOR)
def get_metrics() -> Response:
    """Answer the present numbers: shares, ages, bytes, runs, failures, space, requests. Nobody's data are in them."""
    context = get_context()
    with context.database.read() as session:
        measures = read_measures(session, context.settings)
    return Response(
        write_measures(measures) + context.requests.write(), content_type=CONTENT_TYPE_PLAIN_0_0_4
    )
