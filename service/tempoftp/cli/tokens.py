"""`tempoftp token create|key|list|revoke|readmit`: who may use the API.

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

    These commands work on the service's database: run them on its host, as root or as the service's user.
    """


@token.command(
    examples=[
        "tempoftp token create ana --email ana@dominio.example",
        "tempoftp token create portal-de-datos --email '*' --days 365 --key",
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
    help="The person for whom a cliente acts; may be given several times. `*`: everybody.",
)
@click.option(
    "--days", type=click.IntRange(1, 3650), help="Days until it ends. When not given, it does not end."
)
@click.option(
    "--key",
    "with_key",
    is_flag=True,
    help="Also make a key, with which passwords are encrypted for this token; printed on a second line.",
)
@json_option
def create(
    name: str, role: str, emails: tuple[str, ...], days: int | None, with_key: bool, as_json: bool
) -> None:
    """Make a token and print it, once.

    NAME stands for its holder in histories. A cliente sees and changes the shares of its --email. An operador sees and
    changes those of everybody, and may block, audit and pause.
    """
    from tempoftp.access.tokens import Role, create_token, give_key
    from tempoftp.cli.service import read_host_settings, write_database

    lifetime = None if days is None else timedelta(days=days)
    with write_database() as session:
        secret = create_token(session, name, Role(role), emails, lifetime=lifetime)
        made = {"token": secret}
        if with_key:
            made["key"] = give_key(session, name, read_host_settings().build_fernet())
    if as_json:
        print_json({"name": name, **made})
    else:
        click.echo("\n".join(made.values()))
    if with_key:
        click.echo(
            "keep both: they are not shown again (clients read them from TEMPOFTP_TOKEN and TEMPOFTP_ENCRYPTION_KEY)",
            err=True,
        )
    else:
        click.echo("keep it: it is not shown again (clients read it from TEMPOFTP_TOKEN)", err=True)


@token.command(examples=["tempoftp token key portal-de-datos"], exits=ON_THE_HOST)
@click.argument("name")
@json_option
def key(name: str, as_json: bool) -> None:
    """Make a key for the holder of the token NAME and print it, once.

    Passwords in answers to this token are then encrypted with it, and with no earlier key. The token stays the same.
    """
    from tempoftp.access.tokens import give_key
    from tempoftp.cli.service import read_host_settings, write_database

    with write_database() as session:
        made = give_key(session, name, read_host_settings().build_fernet())
    if as_json:
        print_json({"name": name, "key": made})
    else:
        click.echo(made)
    click.echo("keep it: it is not shown again (clients read it from TEMPOFTP_ENCRYPTION_KEY)", err=True)


@token.command("list", examples=["tempoftp token list"], exits=ON_THE_HOST)
@json_option
def list_command(as_json: bool) -> None:
    """List the present and past tokens. The secret itself is never shown."""
    from tempoftp.access.tokens import describe_state, list_tokens
    from tempoftp.cli.service import write_database
    from tempoftp.db.clock import database_now

    with write_database() as session:
        now = database_now(session)
        rows = [_describe(row, describe_state(row, now)) for row in list_tokens(session)]
    if as_json:
        print_json(rows)
        return
    columns = ("name", "role", "state", "emails", "created", "last used", "expires", "own key")
    print_rows(columns, [[_show(value) for value in row.values()] for row in rows])


@token.command(examples=["tempoftp token revoke ana"], exits=ON_THE_HOST)
@click.argument("name")
@json_option
def revoke(name: str, as_json: bool) -> None:
    """End a token; the next request with it is refused."""
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
    """Allow a person again whose access was revoked.

    NAME is as `token list` shows it. It begins with `oidc:`, as the names of all people do who sign in at the portal
    through the provider. A revoked token stays revoked.
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
        "key": row.key is not None,
    }


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(value) if isinstance(value, list) else str(value or "-")
