"""Mails as a real server gets them: words, addresses, TLS, logins, refusals and time limits."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.smtp import AuthResult
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from tempoftp.notices.mail import Mailer, build_mail, write_mail
from tempoftp.notices.notifier import build_senders
from tempoftp.notices.sending import RecipientRefused, SendFailed
from tempoftp.settings import Settings, SettingsError, load_settings
from tempoftp.shares.notices import Kind

LINK = "https://datos.example.org/enlace/abc.def"
TO = "alguien@dominio.mx"
MAIL = {"smtp_host": "localhost", "smtp_from": "Datos <d@x.mx>"}
MANY = settings_of_hypothesis(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def check_login(_server, _session, _envelope, _mechanism, login) -> AuthResult:  # type: ignore[no-untyped-def]
    is_right = (login.login, login.password) == (b"tempoftp", b"no-secreto")
    return AuthResult(success=is_right, handled=False)


@pytest.fixture
def mail_settings(settings: Settings) -> Settings:
    return settings.model_copy(update=MAIL)


def test_a_mail_arrives_as_text_and_html(start_mailbox, with_mail, build_message) -> None:
    mailbox = start_mailbox()
    message = build_message(link=LINK)
    Mailer(with_mail(mailbox)).send(message)
    (envelope,), (mail,) = mailbox.envelopes, mailbox.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("d@x.mx", ["alguien@dominio.mx"])
    assert (mail["From"], mail["To"], mail["Subject"]) == (
        "Datos <d@x.mx>",
        "alguien@dominio.mx",
        "Listo: p1",
    )
    assert mail["Message-ID"] == f"<{message.uid}@x.mx>"
    assert mail["X-Tempoftp-Notice"] == message.uid
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == message.at
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    for part in (plain.get_content(), html.get_content()):
        for word in (
            "p1",
            "ftp_alguien_dominio",
            "146 MB",
            "35 archivo(s)",
            "2026-11-26 15:06 UTC",
            "año",
            LINK,
        ):
            assert word in part
    assert f'<a href="{LINK}">' in html.get_content()


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("link", [LINK, None])
@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_words_in_every_language(
    build_message, kind: str, language: str, link: str | None
) -> None:
    values = {"descargas": {"archivos_total": 3, "archivos_completos": 2}, "bytes": None, "expira": None}
    # What `GET` tells beside it: a template that named it would send it.
    secret = {"password": "Secreta-42", "password_tipo": "fernet", "token": "gAAAAA-42"}
    for changes in ({}, values):
        text = write_mail(build_message(kind, link, **changes, **secret), language)
        assert text.subject.endswith(": p1")
        assert "None" not in text.plain
        assert "{" not in text.plain + text.html
        for value in secret.values():
            assert value not in text.subject + text.plain + text.html, "no mail carries a password"
        if link is not None and kind != Kind.EXPIRADO:
            assert link in text.plain.splitlines()
            assert f'<a href="{link}">' in text.html
        else:
            assert "/enlace/" not in text.plain


def test_the_words_differ_by_kind_and_language(build_message) -> None:
    texts = {write_mail(build_message(kind), language).plain for kind in Kind for language in ("es", "en")}
    assert len(texts) == 2 * len(Kind)


@pytest.mark.parametrize(
    ("language", "words", "promise"),
    [
        ("es", "si su cuenta es de antes", "está la contraseña"),
        ("en", "if your account is from before", "has the password"),
    ],
)
@pytest.mark.parametrize("link", [LINK, None], ids=["link", "no_link"])
def test_no_password_is_promised_that_the_page_may_not_show(
    build_message, language: str, words: str, promise: str, link: str | None
) -> None:
    """The page of a later share of an account shows no password: the earlier one is valid."""
    text = write_mail(build_message(Kind.LISTO, link=link), language)
    for shown in (text.plain, text.html):
        assert words in shown
        assert promise not in shown


def test_an_operator_is_told_who_wants_more_days(start_mailbox, with_mail, build_message) -> None:
    mailbox = start_mailbox()
    settings = with_mail(mailbox, operator_email="guardia@x.mx")
    page = "https://datos.example.org/portal/prorrogas"
    reason = "falta la mitad\r\nhttps://otra.example <b>"
    message = build_message("prorroga", page, prorroga={"dias": 7, "motivo": reason})
    Mailer(settings, to=settings.operator_email).send(message)
    (envelope,), (mail,) = mailbox.envelopes, mailbox.mails
    assert envelope.rcpt_tos == ["guardia@x.mx"]
    assert (mail["To"], mail["Subject"]) == ("guardia@x.mx", "Piden más días: p1")
    plain = mail.get_body(("plain",)).get_content()
    for word in ("7 día(s) más", "alguien@dominio.mx", "2026-11-26 15:06 UTC", page):
        assert word in plain
    assert "falta la mitad https://otra.example <b>" in plain.splitlines(), "what was written is one line"
    assert "<b>" not in mail.get_body(("html",)).get_content()


def test_requesters_and_operators_are_told_of_different_things(settings: Settings) -> None:
    with_both = settings.model_copy(update=MAIL | {"operator_email": "guardia@x.mx"})
    requesters, operators = build_senders(with_both)
    assert requesters.channel.kinds | operators.channel.kinds == set(Kind)
    assert requesters.channel.kinds & operators.channel.kinds == set()
    assert operators.channel.kinds == {Kind.PRORROGA}
    assert len(build_senders(settings.model_copy(update=MAIL))) == 1


def test_english_is_sent_when_it_is_set(start_mailbox, with_mail, build_message) -> None:
    mailbox = start_mailbox()
    Mailer(with_mail(mailbox, notice_language="en")).send(build_message())
    assert mailbox.mails[0]["Subject"] == "Ready: p1"
    assert mailbox.mails[0]["Content-Language"] == "en"


@MANY
@given(share_id=texts, source=texts, words=texts)
def test_nothing_that_was_sent_to_us_makes_a_header_or_a_tag(
    mail_settings: Settings, build_message, share_id: str, source: str, words: str
) -> None:
    honest = build_mail(mail_settings, build_message("error"), TO)
    message = build_message("error", id=share_id, ruta=f"{source}<b>", mensaje=f"{words}<script>")
    mail = build_mail(mail_settings, message, TO)
    read = message_from_bytes(mail.as_bytes(), policy=default)
    assert read.keys() == honest.keys()
    assert read["To"] == "alguien@dominio.mx"
    html = read.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()
    assert "<b>" not in html.get_content()


@pytest.mark.parametrize(
    "email", ["a@b\r\nBcc: x@y", "a@b\nX: y", "a@b, c@d", "<a@b>", "a b@c", "", "a", "@"]
)
def test_an_address_that_is_none_gets_no_mail(mail_settings: Settings, build_message, email: str) -> None:
    with pytest.raises(RecipientRefused):
        build_mail(mail_settings, build_message(), email)


def test_a_subject_that_would_begin_a_header_is_cut_at_its_line(
    mail_settings: Settings, build_message
) -> None:
    mail = build_mail(mail_settings, build_message(id="p1\r\nBcc: victima@dominio"), TO)
    assert "Bcc" not in mail
    assert mail["Subject"] == "Listo: p1"


@pytest.mark.parametrize("email", ["ñandú@dominio.mx", "alguien@año.mx"])
def test_other_letters_in_an_address(start_mailbox, with_mail, build_message, email: str) -> None:
    mailbox = start_mailbox(enable_SMTPUTF8=True)
    Mailer(with_mail(mailbox)).send(build_message(email=email))
    (recipient,) = mailbox.envelopes[0].rcpt_tos
    assert recipient == email.replace("año.mx", "xn--ao-zja.mx")


def test_letters_that_the_server_does_not_know_are_no_problem_of_the_system(
    start_mailbox, with_mail, build_message
) -> None:
    with pytest.raises(RecipientRefused, match="letters"):
        Mailer(with_mail(start_mailbox(enable_SMTPUTF8=False))).send(build_message(email="ñandú@dominio.mx"))


class TestServers:
    """TLS, logins, and servers that refuse, hang or are away."""

    def test_starttls_and_a_login(
        self, start_mailbox, with_mail, build_message, server_context, certificate
    ) -> None:
        mailbox = start_mailbox(
            tls_context=server_context, auth_required=True, auth_require_tls=True, authenticator=check_login
        )
        settings = with_mail(
            mailbox,
            smtp_tls="starttls",
            smtp_ca=certificate,
            smtp_user="tempoftp",
            smtp_password="no-secreto",
        )
        Mailer(settings).send(build_message())
        assert len(mailbox.envelopes) == 1
        with pytest.raises(SendFailed, match="535") as failed:
            Mailer(settings.model_copy(update={"smtp_user": "otro"})).send(build_message())
        assert "no-secreto" not in str(failed.value)

    def test_tls_from_the_start(
        self, start_mailbox, with_mail, build_message, server_context, certificate
    ) -> None:
        mailbox = start_mailbox(ssl_context=server_context)
        Mailer(with_mail(mailbox, smtp_tls="tls", smtp_ca=certificate)).send(build_message())
        assert len(mailbox.envelopes) == 1

    def test_a_certificate_that_nobody_vouches_for_is_refused(
        self, start_mailbox, with_mail, build_message, server_context
    ) -> None:
        mailbox = start_mailbox(tls_context=server_context)
        with pytest.raises(SendFailed, match="certificate verify failed"):
            Mailer(with_mail(mailbox, smtp_tls="starttls")).send(build_message())
        assert mailbox.envelopes == []

    def test_starttls_is_not_done_without(self, start_mailbox, with_mail, build_message) -> None:
        mailbox = start_mailbox()
        with pytest.raises(SendFailed, match="STARTTLS"):
            Mailer(with_mail(mailbox, smtp_tls="starttls")).send(build_message())
        assert mailbox.envelopes == []

    def test_a_mailbox_that_is_not_there_is_told_apart(self, start_mailbox, with_mail, build_message) -> None:
        mailbox = start_mailbox()
        mailer = Mailer(with_mail(mailbox))
        mailbox.recipient_answer = "550 no such user"
        with pytest.raises(RecipientRefused, match="550 no such user"):
            mailer.send(build_message())
        mailbox.recipient_answer = "451 greylisted"
        with pytest.raises(SendFailed, match="451 greylisted") as failed:
            mailer.send(build_message())
        assert not isinstance(failed.value, RecipientRefused)

    def test_a_server_that_wants_no_mail_is_asked_again(
        self, start_mailbox, with_mail, build_message
    ) -> None:
        mailbox = start_mailbox()
        mailbox.data_answer = "554 no"
        with pytest.raises(SendFailed, match="554") as failed:
            Mailer(with_mail(mailbox)).send(build_message())
        assert not isinstance(failed.value, RecipientRefused)

    def test_nobody_there(self, start_mailbox, with_mail, build_message) -> None:
        settings = with_mail(start_mailbox(), smtp_port=1)
        with pytest.raises(SendFailed, match="ConnectionRefused"):
            Mailer(settings).send(build_message())

    @pytest.mark.parametrize("drip", [b"", b"2"])
    def test_a_server_that_hangs_or_drips_has_its_time(
        self, start_mailbox, with_mail, build_message, slow_server: Callable[[bytes], int], drip: bytes
    ) -> None:
        settings = with_mail(start_mailbox(), smtp_port=slow_server(drip), notice_timeout_seconds=1)
        begin = time.monotonic()
        with pytest.raises(SendFailed):
            Mailer(settings).send(build_message())
        assert time.monotonic() - begin < 20

    @pytest.fixture
    def slow_server(self) -> Iterator[Callable[[bytes], int]]:
        listener = socket.create_server(("127.0.0.1", 0))
        done = threading.Event()

        def start(drip: bytes) -> int:
            def serve() -> None:
                connection, _ = listener.accept()
                with connection:
                    while not done.wait(0.1):
                        try:
                            connection.sendall(drip)
                        except OSError:
                            return

            threading.Thread(target=serve, daemon=True).start()
            port: int = listener.getsockname()[1]
            return port

        yield start
        done.set()
        listener.close()


@pytest.mark.parametrize(
    "values",
    [
        {"public_url": "https://datos.example.org"},
        {"public_url": "http://127.0.0.1:9043"},
        {"public_url": "http://datos.example.org", "plain_http": True},
    ],
)
def test_links_may_begin_so(settings: Settings, values: dict[str, object]) -> None:
    loaded = load_settings(
        encryption_key=settings.encryption_key, secret_key=settings.secret_key, simulacro=True, **values
    )
    assert loaded.public_url == values["public_url"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"smtp_host": "mx"}, "SMTP_FROM"),
        ({**MAIL, "smtp_from": "nadie"}, "SMTP_FROM"),
        ({**MAIL, "smtp_from": "a@b\nBcc: c@d"}, "SMTP_FROM"),
        ({**MAIL, "smtp_user": "u"}, "go together"),
        ({**MAIL, "smtp_host": "mx", "smtp_tls": "none", "smtp_user": "u", "smtp_password": "p"}, "in clear"),
        ({**MAIL, "notice_language": "fr"}, "NOTICE_LANGUAGE"),
        ({"operator_email": "guardia@x.mx"}, "needs TEMPOFTP_SMTP_HOST"),
        ({**MAIL, "operator_email": "Guardia <guardia@x.mx>"}, "OPERATOR_EMAIL"),
        ({**MAIL, "operator_email": "a@b\nBcc: c@d"}, "OPERATOR_EMAIL"),
        ({**MAIL, "operator_email": "a@b, c@d"}, "OPERATOR_EMAIL"),
        ({"public_url": "http://datos.example.org"}, "must begin with https://"),
        ({"public_url": "datos.example.org"}, "PUBLIC_URL"),
        ({"public_url": "https://datos.example.org/?a=b"}, "PUBLIC_URL"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: Settings, values: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load_settings(
            encryption_key=settings.encryption_key, secret_key=settings.secret_key, simulacro=True, **values
        )
