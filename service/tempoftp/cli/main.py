"""The entry point: a table of the subcommands. A subcommand's file is imported when that subcommand is used.

So `tempoftp --help` and completion import click, and neither rich, httpx nor SQLAlchemy (0.1 instead of 0.2 s).

Exit codes are listed in `tempoftp.cli.exits` and in `tempoftp --help`.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import version
from typing import Any

import click

from tempoftp.cli.command import CONTEXT_SETTINGS
from tempoftp.cli.exits import INTERRUPTED
from tempoftp.cli.output import let_output_escape

# name → (module, attribute, summary). The summaries stand here so that `tempoftp --help` imports no command.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "request": ("tempoftp.cli.request", "request", "Ask for a share."),
    "preview": ("tempoftp.cli.shares", "preview", "Show how much a source has and whether it fits."),
    "status": ("tempoftp.cli.shares", "status", "Show a share, or watch it until it is ready."),
    "list": ("tempoftp.cli.shares", "list_shares", "List shares."),
    "delete": ("tempoftp.cli.share_changes", "delete", "End a share: access and data."),
    "extend": ("tempoftp.cli.share_changes", "extend", "Let a share live more or fewer days."),
    "block": ("tempoftp.cli.share_changes", "block", "Hide a share, or block its account."),
    "unblock": ("tempoftp.cli.share_changes", "unblock", "Show a blocked share again."),
    "restore": ("tempoftp.cli.share_changes", "restore", "Bring back what was deleted or has expired."),
    "retry": ("tempoftp.cli.share_changes", "retry", "Try again what failed."),
    "credentials": ("tempoftp.cli.shares", "credentials", "Show how to log in, with the clear password."),
    "password": ("tempoftp.cli.share_changes", "password", "Make a new password for a share's account."),
    "link": (
        "tempoftp.cli.recipients",
        "link",
        "Make a link for a share's recipient, or revoke its links.",
    ),
    "extensions": (
        *("tempoftp.cli.recipients", "extensions"),
        "List, grant and refuse recipients' requests for more days.",
    ),
    "events": ("tempoftp.cli.shares", "events", "Show the history of a share."),
    "log": ("tempoftp.cli.shares", "log", "Show what the runs did for a share."),
    "delete-account": (
        *("tempoftp.cli.share_changes", "delete_account"),
        "End an account with all of its shares.",
    ),
    "expire": ("tempoftp.cli.operators", "expire", "Remove expired shares now."),
    "pause": ("tempoftp.cli.operators", "pause", "Let no new run start on an FTP host, or on all."),
    "resume": ("tempoftp.cli.operators", "resume", "Let runs start again."),
    "drain": ("tempoftp.cli.operators", "drain", "Pause, and wait until no run is in progress."),
    "decrypt": ("tempoftp.cli.local", "decrypt", "Show the clear password of a share."),
    "audit": (
        "tempoftp.cli.operators",
        "audit",
        "Find what is not as it should be, and repair what is safe.",
    ),
    "health": ("tempoftp.cli.operators", "health", "Show whether the system works."),
    "config": ("tempoftp.cli.local", "config", "Show which service and token would be used."),
    "completion": ("tempoftp.cli.local", "completion", "Let a shell complete commands and options."),
    "try": ("tempoftp.cli.try_it", "try_it", "Try it all on this machine, with simulated FTP hosts."),
    "serve": ("tempoftp.cli.server", "serve", "Run the HTTP API."),
    "worker": ("tempoftp.cli.server", "worker", "Run the worker that carries out what was asked."),
    "account": ("tempoftp.cli.accounts", "account", "Map people to accounts that existed before tempoftp."),
    "settings": ("tempoftp.cli.settings", "settings", "Check the service's settings before it reads them."),
    "token": ("tempoftp.cli.tokens", "token", "Make, list and revoke tokens of the API."),
    "key": ("tempoftp.cli.keys", "key", "Make and change the keys of the service."),
    "db": ("tempoftp.cli.database", "db", "Upgrade, back up or move the service's database."),
}

EPILOG = """\b
Exit codes: 0 done; 1 the share is in error, blocked or expired, or something is found wrong or does not fit;
2 wrong usage or setting; 3 the service cannot be reached; 4 the service refused; 5 the service failed;
6 the password cannot be decrypted; 130 interrupted.

\b
Settings of the client commands (environment; url, token, encryption_key in
~/.config/tempoftp/config.toml; the same in /etc/tempoftp/config.toml; the first wins):
  TEMPOFTP_URL             where the service is (default http://127.0.0.1:9043)
  TEMPOFTP_TOKEN           bearer token that the operator gave (`tempoftp token create`)
  TEMPOFTP_ENCRYPTION_KEY  Fernet key or keys (comma separated), for decrypt;
                           `tempoftp credentials` needs none
NO_COLOR=1 leaves colours out.
"""


class LazyGroup(click.Group):
    """A group that imports a subcommand's module when that subcommand is used, not before."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; help and errors too are printed in what the output can show."""
        let_output_escape()
        return super().main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _summary = COMMANDS[cmd_name]
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{attribute} is not a command")
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # click would exit with 1, which here means that the share failed.
            ctx.exit(INTERRUPTED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_module, _attribute, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings=CONTEXT_SETTINGS)
@click.version_option(version("tempoftp"), prog_name="tempoftp")
@click.pass_context
def main(context: click.Context) -> None:
    """Temporary FTP accounts with a copy of just the data somebody asked for."""
    if os.environ.get("NO_COLOR"):
        context.color = False
