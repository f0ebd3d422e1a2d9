"""The texts of the mails: one template for each kind and language, filled with the data of the notice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

import jinja2

from tempoftp.notices.sending import Message
from tempoftp.units import format_bytes

SUBJECT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class MailText:
    """The texts of a mail."""

    subject: str
    plain: str
    html: str


def write_mail(message: Message, language: str) -> MailText:
    """Return the texts of one notice. One template makes the plain text and, escaped, the paragraphs of the HTML."""
    template = _build_environment().get_template(f"{message.kind}.{language}.txt.j2")
    values = {"share": message.data, "link": message.link, "at": message.at}
    plain = template.render(values)
    subject, _, body = plain.partition("\n")
    paragraphs = [part.splitlines() for part in body.strip().split("\n\n")]
    html = _build_environment().get_template("mail.html.j2")
    return MailText(
        subject=_shorten(_write_line(subject)),
        plain=body.strip() + "\n",
        html=html.render(paragraphs=paragraphs, link=message.link, language=language, subject=subject),
    )


@cache
def _build_environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tempoftp.notices"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"when": _write_moment, "size": _write_size, "line": _write_line}
    return environment


def _shorten(subject: str) -> str:
    return subject if len(subject) <= SUBJECT_LENGTH else subject[: SUBJECT_LENGTH - 1] + "…"


def _write_line(value: object) -> str:
    """Return a value as one line: a value from outside must not start a line, or it could forge a text."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())


def _write_moment(value: datetime | str | None) -> str:
    if value is None:
        return "–"
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _write_size(value: float | None) -> str:
    return "–" if value is None else format_bytes(value)
