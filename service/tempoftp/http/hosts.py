"""`POST /pausar` and `POST /reanudar`: pause and resume one FTP host, or all of them, for maintenance."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Response, jsonify
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.orm import Session

from tempoftp.db.models import FtpHost
from tempoftp.hosts.pauses import count_runs, describe_pause, pause_hosts, resume_hosts
from tempoftp.http.access import Role, allow
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.changes import write_change
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
    return _answer(pause_ftp_hosts(body.host, body.razon))


@hosts.post(
    "/reanudar",
    summary="Reanudar un servidor FTP o todos",
    responses={200: PauseAnswer, **document_refusals(400, 403, 404, 413, 415, 422, 503)},
)
@allow(Role.OPERADOR)
@allow_empty
def resume(body: ResumeRequest) -> Response:
    """Let runs start again; what waited is carried out."""
    return _answer(resume_ftp_hosts(body.host))


def pause_ftp_hosts(name: str | None, reason: str | None) -> dict[str, dict[str, Any]]:
    """Pause an FTP host, or all of them; return the pause of each. Raises HostNotFound."""
    settings = get_context().settings
    return write_change(
        lambda session, caller: _describe(
            session, pause_hosts(session, settings, name, reason=reason, author=caller["author"])
        )
    )


def resume_ftp_hosts(name: str | None) -> dict[str, dict[str, Any]]:
    """Resume an FTP host, or all of them, and wake their workers; return the pause of each. Raises HostNotFound."""
    settings = get_context().settings
    return write_change(
        lambda session, _caller: _describe(session, resume_hosts(session, settings, name)),
        lambda resumed: resumed,
    )


def _describe(session: Session, found: list[FtpHost]) -> dict[str, dict[str, Any]]:
    runs = count_runs(session)
    return {host.name: describe_pause(host, runs.get(host.name, 0)) for host in found}


def _answer(described: dict[str, dict[str, Any]]) -> Response:
    response: Response = jsonify({"status": "ok", "hosts": described})
    return response
