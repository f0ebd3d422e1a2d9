"""`tempoftp key new`: a key for TEMPOFTP_ENCRYPTION_KEY."""

from __future__ import annotations

import click


@click.group
def key() -> None:
    """Make keys for the passwords at rest."""


@key.command
def new() -> None:
    """Print a new Fernet key.

    To rotate, put it before the old one, separated by a comma: the first encrypts, all decrypt.
    """
    from cryptography.fernet import Fernet

    click.echo(Fernet.generate_key().decode())
