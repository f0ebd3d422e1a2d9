"""The keys of the service: one that encrypts what is stored, one that signs what is sent out, and who may have them."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, Field, SecretStr, field_validator

from tempoftp.settings.cross_checks import cross_check

SECRET_BYTES = 32
"""Least length of a secret key, and the length of what is derived from one."""


class KeySettings(BaseModel):
    """The keys. Only the secret key is ever used to derive another one: clients may hold the encryption key."""

    encryption_key: SecretStr = Field(
        description="Fernet key that protects generated passwords and the tokens' own keys (make one with `tempoftp "
        "key new`); several, separated by commas, for rotation: the first encrypts, all decrypt. Required."
    )
    secret_key: SecretStr = Field(
        description="Key that signs recipients' links and the portal's sessions: 32 random bytes or more as base64 or "
        "hex (`tempoftp key new`). It never leaves the server and must not be the encryption key; several, separated "
        "by commas, for rotation: the first signs, all verify. Required."
    )
    shared_key: bool = Field(
        default=True,
        description="1: a caller without a key of its own (`tempoftp token create --key`) gets `password` encrypted "
        "with `TEMPOFTP_ENCRYPTION_KEY`, as in the seed. 0: it gets none there, and asks `POST "
        "/tmpftp/{id}/credenciales`. Then nobody but the server needs that key.",
    )

    @field_validator("encryption_key")
    @classmethod
    def _check_encryption_keys(cls, value: SecretStr) -> SecretStr:
        keys = split_keys(value)
        if not keys:
            raise ValueError("is empty; make a key with `tempoftp key new`")
        for key in keys:
            try:
                Fernet(key)
            except ValueError:
                raise ValueError("is not a Fernet key; make one with `tempoftp key new`") from None
        return value

    @field_validator("secret_key")
    @classmethod
    def _check_secret_keys(cls, value: SecretStr) -> SecretStr:
        keys = split_keys(value)
        if not keys:
            raise ValueError("is empty; make a key with `tempoftp key new`")
        if any(len(_decode(key)) < SECRET_BYTES for key in keys):
            raise ValueError(
                f"must be {SECRET_BYTES} random bytes or more, as base64 or hex; make one with `tempoftp key new`"
            )
        return value

    @cross_check("encryption_key", "secret_key")
    def _check_that_they_differ(self) -> None:
        stored = {_decode(key) for key in self.list_keys()}
        if stored & {_decode(key) for key in split_keys(self.secret_key)}:
            raise ValueError(
                "TEMPOFTP_SECRET_KEY must not be a TEMPOFTP_ENCRYPTION_KEY, which clients may hold: make another one "
                "with `tempoftp key new`"
            )

    def list_keys(self) -> list[str]:
        """Return the encryption keys in their order: the first encrypts, all decrypt."""
        return split_keys(self.encryption_key)

    def build_fernets(self) -> list[Fernet]:
        """Return what encrypts and decrypts with each of the encryption keys, in their order."""
        return [Fernet(key) for key in self.list_keys()]

    def build_fernet(self) -> MultiFernet:
        """Return what encrypts with the first encryption key and decrypts with all of them."""
        return MultiFernet(self.build_fernets())

    def derive_keys(self, purpose: str) -> list[bytes]:
        """Return a key for this purpose from each of the secret keys, in their order: the first signs, all verify."""
        return [
            HKDF(SHA256(), SECRET_BYTES, salt=None, info=f"tempoftp {purpose}".encode()).derive(_decode(key))
            for key in split_keys(self.secret_key)
        ]


def split_keys(value: SecretStr) -> list[str]:
    """Return the keys of a setting that may have several, separated by commas."""
    return [key.strip() for key in value.get_secret_value().split(",") if key.strip()]


def _decode(key: str) -> bytes:
    """Return the bytes of a key in base64, with either alphabet; hex is in both. Nothing for any other text."""
    try:
        text = key.translate(str.maketrans("+/", "-_"))
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
