"""`/portal/nueva`: the form to ask for a share."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from pydantic import ValidationError
from werkzeug.wrappers import Response

from tempoftp.db.clock import utc_now
from tempoftp.hosts.space import read_space
from tempoftp.http.access import Role, allow, get_principal
from tempoftp.http.context import get_context
from tempoftp.http.previews import ask_and_wait
from tempoftp.http.problems import WrongField, find_http_status, find_wrong_fields
from tempoftp.http.shares import accept_share, is_source_empty
from tempoftp.portal.forms import parse_days, read_field
from tempoftp.portal.languages import say_refusal
from tempoftp.portal.routes import portal
from tempoftp.refusals import (
    HostGone,
    IdInUse,
    InvalidRequest,
    QuotaReached,
    SourceNotAllowed,
    TooManyPreviews,
)
from tempoftp.shares.schemas import ShareRequest
from tempoftp.shares.sources import read_sources

PREVIEW_BUTTON = "ver"
"""Name of the button that measures the source and does not ask for the share."""
EMPTY_CONFIRMED = "vacia"
"""Name of the box that says that a source without one file is meant."""
FIELDS = ("usuario", "origen", "camino", "id", "vigencia")
"""The fields of the form in their order; `origen` and `camino` together are the request's `ruta`."""


@dataclass(frozen=True, slots=True)
class RequestForm:
    """The fields of the form as they were typed."""

    usuario: str = ""
    origen: str = ""
    camino: str = ""
    id: str = ""
    vigencia: str = ""

    @property
    def ruta(self) -> str:
        """The source as `ruta` of the API."""
        return read_sources(get_context().settings).join_typed(self.origen, self.camino.strip())

    def build_body(self) -> dict[str, Any]:
        """Return the body of `POST /tmpftp` with the same values."""
        days = parse_days(self.vigencia)
        body = {
            "usuario": self.usuario,
            "id": self.id,
            "ruta": self.ruta,
            "vigencia": self.vigencia if days is None else days,
        }
        return {name: value for name, value in body.items() if value != ""}


@portal.get("/nueva")
@allow(Role.CLIENTE)
def request_page() -> str:
    """Show the form, with default values where there are any."""
    emails = get_principal().emails or ()
    form = RequestForm(
        usuario=min(emails) if len(emails) == 1 else "",
        id=f"datos-{utc_now():%Y%m%d}-{secrets.token_hex(2)}",
        vigencia=str(get_context().settings.lifetime_default),
    )
    return _show(form, {})


@portal.post("/nueva")
@allow(Role.CLIENTE)
def request_share() -> Response | str | tuple[str, int]:
    """Write the request down and redirect to its page, or show the form again with the errors or the measured size."""
    form = RequestForm(**{name: read_field(name) for name in FIELDS})
    if PREVIEW_BUTTON in request.form:
        return _preview(form)
    try:
        body = ShareRequest.model_validate(form.build_body())
    except ValidationError as error:
        return _show(form, _place_errors(find_wrong_fields(error))), 422
    if not get_principal().may_act_for(body.usuario):
        return _show(form, {"usuario": gettext("Su token no puede pedir nada para ese correo.")}), 403
    try:
        if is_source_empty(body.ruta) and EMPTY_CONFIRMED not in request.form:
            return _show(form, {}, empty=True), 409
        _accept(body)
    except InvalidRequest as error:
        return _show(form, {_name_field(error.field): say_refusal(error)}), 422
    except QuotaReached as error:
        return _show(form, {"usuario": say_refusal(error)}), find_http_status(error)
    except SourceNotAllowed as error:
        return _show(form, {"camino": say_refusal(error)}), 403
    except IdInUse as error:
        return _show(form, {"id": say_refusal(error)}), 409
    except HostGone as error:
        return _show(form, {"usuario": say_refusal(error)}), 409
    return redirect(url_for("portal.share_page", id=body.id), 303)


def _preview(form: RequestForm) -> str | tuple[str, int]:
    """Show the form again with the size of its source; the other fields are not checked."""
    try:
        return _show(form, {}, ask_and_wait(get_context(), form.ruta, gettext))
    except InvalidRequest as error:
        return _show(form, {"camino": say_refusal(error)}), 422
    except (SourceNotAllowed, TooManyPreviews) as error:
        return _show(form, {"camino": say_refusal(error)}), 403 if isinstance(
            error, SourceNotAllowed
        ) else 429


def _accept(body: ShareRequest) -> None:
    if accept_share(body).created:
        flash(gettext("La solicitud quedó anotada. Esta página muestra cómo avanza."))
    else:
        flash(gettext("Esta misma solicitud ya estaba hecha; aquí está."))


def _place_errors(errors: list[WrongField]) -> dict[str, str]:
    """Return the error of each wrong field of the form, in the language of the page."""
    placed: dict[str, str] = {}
    for error in errors:
        placed.setdefault(_name_field(error.name), error.word(gettext))
    return placed


def _name_field(name: str) -> str:
    """Return the form's name of a field of the body."""
    return "camino" if name == "ruta" else name


def _show(
    form: RequestForm, errors: dict[str, str], preview: dict[str, Any] | None = None, *, empty: bool = False
) -> str:
    context, principal = get_context(), get_principal()
    with context.database.read() as session:
        hosts = read_space(session, context.settings)
    return render_template(
        "portal/request.html",
        form=form,
        errors={name: errors[name] for name in FIELDS if name in errors},
        roots=read_sources(context.settings).list_roots(),
        emails=sorted(principal.emails or ()),
        settings=context.settings,
        hosts=hosts,
        preview=preview,
        empty=empty or bool(preview and preview.get("advertencias")),
        asked_for_empty=empty,
    )
