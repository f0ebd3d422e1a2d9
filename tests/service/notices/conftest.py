"""Notices, and the settings to send them with."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tempoftp.db.engine import Database
from tempoftp.db.models import Share
from tempoftp.notices.sending import Message
from tempoftp.phrases import Phrase
from tempoftp.settings import Settings
from tempoftp.shares.lifecycle import transition
from tempoftp.states import State
from tests.support.mailbox import Mailbox


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Valid whatever day it is, also on a day that a test travels to: OpenSSL has a clock of its own.
        .not_valid_before(datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2200, 1, 1, tzinfo=datetime.UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def with_mail(settings: Settings) -> Callable[..., Settings]:
    """The settings with this mail server."""

    def build(mailbox: Mailbox, **changes: Any) -> Settings:
        port = mailbox.controller.port
        mail = {
            "smtp_host": "localhost",
            "smtp_port": port,
            "smtp_tls": "none",
            "smtp_from": "Datos <d@x.mx>",
        }
        values = settings.model_dump() | mail | {"notice_timeout_seconds": 5} | changes
        return Settings.model_validate(values)

    return build


@pytest.fixture
def build_message() -> Callable[..., Message]:
    def build(kind: str = "listo", link: str | None = None, **data: Any) -> Message:
        share = {
            "id": "p1",
            "status": "listo",
            "mensaje": "Listo: entre con la cuenta FTP.",
            "error": None,
            "email": "alguien@dominio.mx",
            "usuario": "ftp_alguien_dominio",
            "ruta": "lanotadm@source1:/srv/datos/año",
            "vigencia": 3,
            "created_at": "2026-11-23T15:05:09Z",
            "listo_at": "2026-11-23T15:06:09Z",
            "expira": "2026-11-26T15:06:09Z",
            "bytes": 146228096,
            "archivos": 35,
            "descargas": None,
        }
        if kind == "prorroga":
            share["prorroga"] = {"dias": 7, "motivo": "sigo bajando"}
        share |= data
        at = datetime.datetime(2026, 11, 23, 15, 6, 9, tzinfo=datetime.UTC)
        return Message("0123456789abcdef0123456789abcdef", kind, at, share["email"], share, link)

    return build


@pytest.fixture
def make_ready(accept_share: Callable[..., Share], database: Database) -> Callable[..., None]:
    """Have shares asked for and delivered: of each a notice waits."""

    def make(*share_ids: str) -> None:
        for share_id in share_ids:
            accept_share(share_id)
        with database.write() as session:
            for share_id in share_ids:
                share = session.get_one(Share, share_id)
                transition(session, share, State.LISTO, reason=Phrase("verbatim", text="test"), author="test")

    return make
