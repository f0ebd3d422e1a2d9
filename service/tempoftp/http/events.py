"""The history of a share (`GET /tmpftp/{id}/eventos`), once or as a stream, and the log of its runs (`GET …/log`)."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from typing import Annotated, Any

from flask import Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field

from tempoftp.db.models import Account, Share
from tempoftp.http.access import Role, allow, get_principal
from tempoftp.http.context import ApiContext, get_context
from tempoftp.http.problems import Problem, document_refusals
from tempoftp.http.routes import SHARE_ROUTE, SharePath, shares
from tempoftp.shares.desired_state import list_pending
from tempoftp.shares.history import EVENTS_MAX, read_event_page, read_events
from tempoftp.shares.log import PIECE_BYTES, read_log
from tempoftp.shares.queries import find_share
from tempoftp.shares.serializers import describe_progress, explain_share
from tempoftp.states import TERMINAL, State

EVENT_STREAM = "text/event-stream"
STREAM_SECONDS = 60.0
"""A stream ends after this time; the client connects again by itself and continues after the last event."""
LOOK_SECONDS = 0.5
SILENCE_SECONDS = 10.0
"""After this time without an event a comment is sent: a closed connection is noticed only by writing to it."""
RECONNECT_MILLISECONDS = 1000


class Event(BaseModel):
    """One event; `de` and `a` are the same when the desired state changed and the state stayed."""

    numero: int
    fecha: str
    de: State | None
    a: State
    generacion: int = Field(description="Counts the requested changes of the share.")
    razon: str
    autor: str
    corrida: str | None = Field(description="The run that reported it.")
    peticion: str | None = Field(description="`X-Request-ID` of the request behind it.")


class EventsAnswer(BaseModel):
    """A page of the events since the share was last asked for, oldest first. The first page has the newest ones."""

    id: str
    eventos: list[Event]
    siguiente: str | None = Field(description="`cursor` of the page with older events, or null on the last.")


class EventsQuery(BaseModel):
    """Which page of the events; a stream has all of them."""

    model_config = ConfigDict(extra="forbid")

    limite: int = Field(default=EVENTS_MAX, ge=1, le=EVENTS_MAX, description="At most so many.")
    cursor: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="The `siguiente` of the page before."
    )


@shares.get(
    f"{SHARE_ROUTE}/eventos",
    summary="Historia de una solicitud",
    responses={
        200: {
            "description": "The history; with `Accept: text/event-stream` a stream of it.",
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/EventsAnswer"}},
                EVENT_STREAM: {"schema": {"type": "string"}},
            },
        },
        **document_refusals(404, 422, 503),
    },
)
@allow(Role.CLIENTE)
def get_events(path: SharePath, query: EventsQuery) -> Response:
    """Answer what became of a share, also of a deleted one.

    As a stream: `evento` for each event (its number is the id, `Last-Event-ID` goes on after it) and `progreso` when
    state, message or progress change. It ends with the share, or after a minute; a client then comes again by itself.
    """
    context = get_context()
    share_id = path.read_id()
    after = parse_event_number(request.headers.get("Last-Event-ID"))
    with context.database.read() as session:
        # The events first: if the id goes to somebody else in between, the caller is refused.
        events, following = read_event_page(session, share_id, limit=query.limite, cursor=query.cursor)
        share = find_share(session, share_id, get_principal().emails, deleted=True)
        if request.accept_mimetypes.best_match(["application/json", EVENT_STREAM]) != EVENT_STREAM:
            response: Response = jsonify({"id": share_id, "eventos": events, "siguiente": following})
            return response
    return answer_stream(context, share, after)


def answer_stream(context: ApiContext, share: Share, after: int) -> Response:
    """Answer the stream of events of a share; 503 when too many streams are open, in all or of this caller."""
    caller = get_principal().name
    if not context.stream_slots.acquire(caller):
        raise Problem("too_many_streams", headers={"Retry-After": "10"})
    stream = EventStream(context, share, after, caller)
    response = Response(stream, content_type=f"{EVENT_STREAM}; charset=utf-8")
    response.headers["X-Accel-Buffering"] = "no"  # a proxy must not buffer it
    # Called also when the body of the answer is never read.
    response.call_on_close(stream.close)
    return response


def parse_event_number(value: str | None) -> int:
    """Return the number of the last event that a client has; 0 when `value` is not a number."""
    return int(value) if value and value.isascii() and value.isdecimal() and len(value) < 19 else 0


class EventStream:
    """The body of a stream of events. It holds a slot of the caller until it is closed."""

    def __init__(self, context: ApiContext, share: Share, after: int, caller: str) -> None:
        self._context = context
        self._caller = caller
        self._share_id = share.id
        self._asked_generation = share.asked_generation
        self._lines = self._iterate(after)
        self._open = True

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def close(self) -> None:
        """Free the slot; a second call does nothing."""
        self._lines.close()
        if self._open:
            self._open = False
            self._context.stream_slots.release(self._caller)

    def _iterate(self, after: int) -> Generator[str, None, None]:
        deadline = time.monotonic() + STREAM_SECONDS
        shown: dict[str, Any] | None = None
        spoken = time.monotonic()
        yield f"retry: {RECONNECT_MILLISECONDS}\n\n"
        while True:
            seen = self._look(after)
            if seen is None:
                return
            events, progress, ended = seen
            for event in events:
                after = event["numero"]
                yield write_event("evento", event, number=after)
            if progress != shown:
                shown = progress
                yield write_event("progreso", progress)
                spoken = time.monotonic()
            if (ended and len(events) < EVENTS_MAX) or time.monotonic() >= deadline:
                return
            if time.monotonic() - spoken >= SILENCE_SECONDS:
                yield ": \n\n"
                spoken = time.monotonic()
            time.sleep(LOOK_SECONDS)

    def _look(self, after: int) -> tuple[list[dict[str, Any]], dict[str, Any], bool] | None:
        """Return the news of the share; None when its id was asked for again, perhaps by somebody else."""
        with self._context.database.read() as session:
            # The events first: those that were there before the id went to somebody else are the caller's.
            events = read_events(session, self._share_id, after=after)
            share = session.get_one(Share, self._share_id)
            if share.asked_generation != self._asked_generation:
                return None
            progress = {
                "status": share.state,
                "mensaje": explain_share(session, share),
                "pendiente": [
                    word.value for word in list_pending(share, session.get_one(Account, share.ftpuser))
                ],
                "progreso": describe_progress(share),
            }
            return events, progress, share.state in TERMINAL


def write_event(name: str, data: dict[str, Any], number: int | None = None) -> str:
    """Return one server-sent event. The JSON text has no line breaks, so one `data` line is enough."""
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


FOLLOWING = "X-Log-Siguiente"


class LogQuery(BaseModel):
    """Which part of the log."""

    model_config = ConfigDict(extra="forbid")

    desde: int | None = Field(
        default=None,
        ge=0,
        le=2**53,
        description=f"Byte to begin at, from `{FOLLOWING}` of the answer before; left out: the end of the log.",
    )


@shares.get(
    f"{SHARE_ROUTE}/log",
    summary="Bitácora de una solicitud",
    responses={
        200: {
            "description": f"At most {PIECE_BYTES} bytes of the log, in whole lines.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
            "headers": {
                FOLLOWING: {
                    "description": "Byte at which what comes after begins: `desde` of the next request.",
                    "schema": {"type": "integer"},
                }
            },
        },
        **document_refusals(403, 404, 422, 503),
    },
)
@allow(Role.OPERADOR)
def get_log(path: SharePath, query: LogQuery) -> Response:
    """Answer the log of a share, also of a deleted one: a line for each run that worked on it."""
    context = get_context()
    share_id = path.read_id()
    with context.database.read() as session:
        find_share(session, share_id, get_principal().emails, deleted=True)
    piece = read_log(context.settings.log_folder, share_id, query.desde)
    response = Response(piece.text, content_type="text/plain; charset=utf-8")
    response.headers[FOLLOWING] = str(piece.following)
    return response
