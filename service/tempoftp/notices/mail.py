"""Mails: their texts from templates, and their sending with a message class that refuses forged headers."""

from __future__ import annotations

import smtplib
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache

import jinja2

from tempoftp.notices.deliveries import Channel
from tempoftp.notices.sending import Message, RecipientRefused, SendFailed, clean, cut_after
from tempoftp.settings import Settings, parse_sender
from tempoftp.shares.notices import FOR_OPERATORS, Kind
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


MAIL_CHANNEL, OPERATOR_CHANNEL = MAIL_CHANNELS = ("correo", "correo_operador")
PERMANENT = 500
NEVER_IN_ADDRESS = frozenset(' <>()[],;:"\\')
"""Not allowed in an e-mail address: in a header they would make several addresses out of one."""


class Mailer:
    """The mail server of the settings; with `to`, mails go to that operator, else to the requesters."""

    def __init__(self, settings: Settings, *, to: str | None = None) -> None:
        assert settings.smtp_host is not None  # noqa: S101 - who makes one has looked
        self._settings = settings
        self._host = settings.smtp_host
        self._to = to
        name, kinds = (
            (MAIL_CHANNEL, frozenset(Kind) - FOR_OPERATORS)
            if to is None
            else (OPERATOR_CHANNEL, FOR_OPERATORS)
        )
        # A mail "ready" about a share that has ended would mislead a person. A webhook's program wants the history.
        self.channel = Channel(name, kinds, only_current=True)

    def send(self, message: Message) -> None:
        """Send one mail. Raises SendFailed, or RecipientRefused when the server knows no such mailbox."""
        mail = build_mail(self._settings, message, self._to or message.email)
        limit = self._settings.notice_timeout_seconds
        server = self._prepare()
        # The class has its socket only after it has connected, so it is looked up again each time.
        with cut_after(limit, lambda: _find_socket(server)) as was_cut:
            try:
                self._talk(server, mail)
            except smtplib.SMTPRecipientsRefused as error:
                raise _build_refusal(error) from None
            except (smtplib.SMTPException, OSError, ValueError) as error:
                if was_cut():
                    raise SendFailed(f"{self._host}: not done after {limit:g} s") from None
                raise SendFailed(f"{self._host}: {type(error).__name__}: {clean(error)}") from None
            finally:
                server.close()

    def _prepare(self) -> smtplib.SMTP:
        limit = self._settings.notice_timeout_seconds
        if self._settings.smtp_tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(timeout=limit, context=self._build_context())
        else:
            server = smtplib.SMTP(timeout=limit)
        # If the constructor got the host, it would connect at once, without our time limit. TLS checks this name.
        server._host = self._host  # type: ignore[attr-defined]
        return server

    def _talk(self, server: smtplib.SMTP, mail: EmailMessage) -> None:
        code, greeting = server.connect(self._host, self._settings.smtp_port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, greeting)
        if self._settings.smtp_tls == "starttls":
            server.starttls(context=self._build_context())
        if self._settings.smtp_user is not None and self._settings.smtp_password is not None:
            server.login(self._settings.smtp_user, self._settings.smtp_password.get_secret_value())
        try:
            server.send_message(mail)
        except smtplib.SMTPNotSupportedError as error:
            raise RecipientRefused(
                f"the mail server knows no such letters in an address: {clean(error)}"
            ) from None
        # The mail was accepted. An error of QUIT is ignored, because it changes nothing.
        try:
            server.quit()
        except (smtplib.SMTPException, OSError):
            return

    def _build_context(self) -> ssl.SSLContext:
        ca = self._settings.smtp_ca
        return ssl.create_default_context(cafile=None if ca is None else str(ca))


def build_mail(settings: Settings, message: Message, to: str) -> EmailMessage:
    """Return a notice as a mail, text and HTML. Raises RecipientRefused for an address that cannot get mail."""
    name, sender = parse_sender(settings.smtp_from or "")
    text = write_mail(message, settings.notice_language)
    mail = EmailMessage(policy=SMTP)
    try:
        mail["From"] = Address(name, addr_spec=sender)
        mail["To"] = _build_address(to)
        mail["Subject"] = text.subject
    except (ValueError, IndexError) as error:
        raise RecipientRefused(f"no mail can be addressed so: {clean(error)}") from None
    mail["Date"] = format_datetime(message.at.astimezone(UTC))
    mail["Message-ID"] = f"<{message.uid}@{sender.rpartition('@')[2]}>"
    mail["X-Tempoftp-Notice"] = message.uid
    # Then no automatic replies come back.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text.plain)
    mail.add_alternative(text.html, subtype="html")
    mail["Content-Language"] = settings.notice_language
    return mail


def _build_address(email: str) -> Address:
    local, _, domain = email.rpartition("@")
    if not (local and domain) or not email.isprintable() or set(email) & NEVER_IN_ADDRESS:
        raise ValueError("it is no address")
    # A domain with other letters has an ASCII form that every server accepts; a mailbox has none.
    spelled = domain if domain.isascii() else domain.encode("idna").decode()
    return Address(username=local, domain=spelled)


def _build_refusal(error: smtplib.SMTPRecipientsRefused) -> SendFailed:
    code, said = next(iter(error.recipients.values()))
    text = f"the mail server refuses the recipient: {code} {clean(said.decode('utf-8', 'replace'))}"
    return RecipientRefused(text) if code >= PERMANENT else SendFailed(text)


def _find_socket(server: smtplib.SMTP) -> socket.socket | None:
    return server.sock
