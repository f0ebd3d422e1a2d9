"""`POST /pausar` and `POST /reanudar`: maintenance of one FTP host or of all."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Response, jsonify
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.orm import Session

from tempoftp.db.models import FtpHost
from tempoftp.hosts.pauses import count_runs, describe_pause, pause_hosts, resume_hosts
from tempoftp.http.access import Role, allow, get_author
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.changes import wake_host
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import hosts

HostName = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class PauseRequest(OptionalBody):
    """Which host, and why."""

    host: HostName | None = Field(default=None, description="FTP host; left out: all.")
    razon: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        default=None, description="Why; `GET /health` shows it."
    )


class ResumeRequest(OptionalBody):
    """Which host."""

    host: HostName | None = Field(default=None, description="FTP host; left out: all.")


class HostPause(BaseModel):
    """Whether an FTP host is paused."""

    pausado: bool
    razon: str | None
    autor: str | None
    desde: str | None = Field(description="ISO 8601, UTC.")
    corridas: int = Field(description="Runs that are under way; a pause waits for none of them.")


class PauseAnswer(BaseModel):
    """The hosts that were asked for."""

    status: Literal["ok"]
    hosts: dict[str, HostPause]


@hosts.post(
    "/pausar",
    summary="Pausar un servidor FTP o todos",
    responses={200: PauseAnswer, **document_refusals(400, 403, 404, 413, 415, 422, 503)},
)
@allow(Role.OPERADOR)
@allow_empty
def pause(body: PauseRequest) -> Response:
    """Let no new run start; one that is under way ends. Requests are taken on and wait. A restart changes nothing."""
    context = get_context()
    with context.write() as session:
        hosts = pause_hosts(session, context.settings, body.host, reason=body.razon, author=get_author())
        return _answer(session, hosts)


@hosts.post(
    "/reanudar",
    summary="Reanudar un servidor FTP o todos",
    responses={200: PauseAnswer, **document_refusals(400, 403, 404, 413, 415, 422, 503)},
)
@allow(Role.OPERADOR)
@allow_empty
def resume(body: ResumeRequest) -> Response:
    """Let runs start again; what waited is carried out."""
    context = get_context()
    with context.write() as session:
        hosts = resume_hosts(session, context.settings, body.host)
        names = [host.name for host in hosts]
        response = _answer(session, hosts)
    for name in names:
        wake_host(context.settings, name)
    return response


def _answer(session: Session, hosts: list[FtpHost]) -> Response:
    runs = count_runs(session)
    described = {host.name: describe_pause(host, runs.get(host.name, 0)) for host in hosts}
    response: Response = jsonify({"status": "ok", "hosts": described})
    return response
