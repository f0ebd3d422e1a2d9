"""A real mail server on this machine."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope


@dataclass
class Mailbox:
    """A mail server on this machine that keeps every mail and gives the answers that a test sets."""

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


def find_port() -> int:
    """Return a free port, because the class of the server does not take port 0."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def run_mailboxes() -> Iterator[Callable[..., Mailbox]]:
    """Yield a function that starts a mail server; all of them are stopped at the end of the block."""
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
