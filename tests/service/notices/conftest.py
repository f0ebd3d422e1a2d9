"""A real mail server and a real HTTP receiver, and notices to send to them."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tempoftp.db.engine import Database
from tempoftp.db.models import Share
from tempoftp.notices.sending import Message
from tempoftp.settings import Settings
from tempoftp.shares.lifecycle import transition
from tempoftp.states import State


@dataclass
class Mailbox:
    """A mail server on this machine that keeps what it gets and answers as it is told."""

    controller: Any = None
    envelopes: list[Envelope] = field(default_factory=list)
    recipient_answer: str = "250 OK"
    data_answer: str = "250 OK"
    on_data: Callable[[], object] = lambda: None

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.recipient_answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.recipient_answer

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.data_answer.startswith("2"):
            self.envelopes.append(envelope)
            self.on_data()
        return self.data_answer

    @property
    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(envelope.content, policy=default) for envelope in self.envelopes]

    def wait_for(self, count: int, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while len(self.envelopes) < count:
            assert time.monotonic() < deadline, f"only {len(self.envelopes)} mails came"
            time.sleep(0.02)


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


def find_port() -> int:
    """A port that nobody has now: the server's class takes no 0."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def start_mailbox() -> Iterator[Callable[..., Mailbox]]:
    started: list[Mailbox] = []

    def start(**options: Any) -> Mailbox:
        mailbox = Mailbox()
        mailbox.controller = Controller(mailbox, hostname="127.0.0.1", port=find_port(), **options)
        mailbox.controller.start()
        started.append(mailbox)
        return mailbox

    yield start
    for mailbox in started:
        mailbox.controller.stop()


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


@dataclass
class Receiver:
    """A real HTTP server in threads that keeps what it gets."""

    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b""
    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    meanwhile: Callable[[Any], object] = lambda _handler: None


@pytest.fixture
def start_receiver() -> Iterator[Callable[..., Receiver]]:
    servers: list[ThreadingHTTPServer] = []

    def start(context: ssl.SSLContext | None = None) -> Receiver:
        receiver = Receiver()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls.append((self.path, dict(self.headers.items()), body))
                receiver.meanwhile(self)
                with suppress(OSError):  # the sender does not wait for all of it
                    self.send_response(receiver.status)
                    for name, value in receiver.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(receiver.answer)

            def log_message(self, *_args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "http" if context is None else "https"
        receiver.url = f"{scheme}://localhost:{server.server_address[1]}/gancho?de=tempoftp"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return receiver

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


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
                transition(session, share, State.LISTO, reason="test", author="test")

    return make
