"""`tempoftp token create|list|revoke|readmit`: who may use the API.

These commands run on the service's host and work on its database. The functions import the service themselves, so that
help and completion need neither SQLAlchemy nor pydantic.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from tempoftp.cli.command import ON_THE_HOST, Group, json_option
from tempoftp.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from tempoftp.db.models import Token


@click.group(cls=Group)
def token() -> None:
    """Make, list and revoke tokens of the API.

    Run it on the service's host, as root or as the service's user: it works on the service's database.
    """


@token.command(
    examples=[
        "tempoftp token create ana --email ana@dominio.example",
        "tempoftp token create portal-de-datos --email '*' --days 365",
        "tempoftp token create guardia --role operador",
    ],
    exits=ON_THE_HOST,
)
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["cliente", "operador"]),
    default="cliente",
    show_default=True,
    help="What it may do.",
)
@click.option(
    "--email",
    "emails",
    multiple=True,
    help="A cliente acts for this person; may be given several times. `*`: for everybody.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="Days until it ends; for ever when not given.")
@json_option
def create(name: str, role: str, emails: tuple[str, ...], days: int | None, as_json: bool) -> None:
    """Make a token and print it, once.

    NAME is what histories call its holder. A cliente sees and touches the shares of its --email; an operador those of
    everybody, and may block, audit and pause.
    """
    from tempoftp.access.tokens import Role, create_token
    from tempoftp.cli.service import write_database

    lifetime = None if days is None else timedelta(days=days)
    with write_database() as session:
        secret = create_token(session, name, Role(role), emails, lifetime=lifetime)
    if as_json:
        print_json({"name": name, "token": secret})
    else:
        click.echo(secret)
    click.echo("keep it: it is not shown again (clients read it from TEMPOFTP_TOKEN)", err=True)


@token.command("list", examples=["tempoftp token list"], exits=ON_THE_HOST)
@json_option
def list_command(as_json: bool) -> None:
    """List every token there is or was; never the token itself."""
    from tempoftp.access.tokens import describe_state, list_tokens
    from tempoftp.cli.service import write_database
    from tempoftp.db.clock import database_now

    with write_database() as session:
        now = database_now(session)
        rows = [_describe(row, describe_state(row, now)) for row in list_tokens(session)]
    if as_json:
        print_json(rows)
        return
    columns = ("name", "role", "state", "emails", "created", "last used", "expires")
    print_rows(columns, [[_show(value) for value in row.values()] for row in rows])


@token.command(examples=["tempoftp token revoke ana"], exits=ON_THE_HOST)
@click.argument("name")
@json_option
def revoke(name: str, as_json: bool) -> None:
    """End a token, from the next request on."""
    from tempoftp.access.tokens import revoke_token
    from tempoftp.cli.service import write_database

    with write_database() as session:
        revoke_token(session, name)
    if as_json:
        print_json({"name": name, "state": "revoked"})
    else:
        click.echo(f"{name}: revoked")


@token.command(examples=["tempoftp token readmit oidc:ana@inst.example:3f9ac107"], exits=ON_THE_HOST)
@click.argument("name")
@json_option
def readmit(name: str, as_json: bool) -> None:
    """Let a person in again who was revoked.

    NAME is as `token list` shows it, and begins with `oidc:`: who signs in at the portal through the provider. A token
    that was revoked stays so.
    """
    from tempoftp.access.identities import readmit_identity
    from tempoftp.cli.service import write_database

    with write_database() as session:
        readmit_identity(session, name)
    if as_json:
        print_json({"name": name, "state": "expired"})
    else:
        click.echo(f"{name}: may sign in again")


def _describe(row: Token, state: str) -> dict[str, Any]:
    from tempoftp.db.clock import write_time

    return {
        "name": row.name,
        "role": row.role,
        "state": state,
        "emails": row.emails,
        "created": write_time(row.created_at),
        "last_used": write_time(row.last_used_at),
        "expires": write_time(row.expires),
    }


def _show(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value or "-")
