"""The exit codes of `tempoftp`, and the errors that end a command with them.

| code | meaning |
|---|---|
| 0 | done |
| 1 | not as asked: `error`, `bloqueado`, `expirado`, `--timeout`; `health`, `audit --strict`, `preview` found a fault |
| 2 | the command line or a setting is wrong |
| 3 | the service cannot be reached |
| 4 | the service refused the request (HTTP 4xx), or has no such share |
| 5 | the service failed (HTTP 5xx), what answers is not tempoftp, or the service's database cannot be used |
| 6 | the password cannot be decrypted: no key, wrong key, or it is a hash |
| 130 | interrupted from the keyboard |
"""

from __future__ import annotations

import click

OK = 0
SHARE_FAILED = 1
USAGE = 2
UNREACHABLE = 3
REFUSED = 4
SERVICE_FAILED = 5
UNDECRYPTABLE = 6
INTERRUPTED = 130

MEANINGS = {
    OK: "done",
    SHARE_FAILED: "not as asked",
    USAGE: "the command line or a setting is wrong",
    UNREACHABLE: "the service cannot be reached",
    REFUSED: "the service refused the request",
    SERVICE_FAILED: "the service failed",
    UNDECRYPTABLE: "the password cannot be decrypted",
    INTERRUPTED: "interrupted from the keyboard",
}
"""What the commands' help says about each code. The table above and docs/cli.md say more."""


class ShareFailed(click.ClickException):
    """The share does not become `listo` by itself."""

    exit_code = SHARE_FAILED


class PreviewFailed(click.ClickException):
    """`preview` found that a source cannot be shared now, or could not measure it."""

    exit_code = SHARE_FAILED


class FindingsLeft(click.ClickException):
    """`audit --strict` found what is wrong and not repaired."""

    exit_code = SHARE_FAILED


class NotWell(click.ClickException):
    """`health` found that something does not work."""

    exit_code = SHARE_FAILED


class BadSetting(click.ClickException):
    """An environment variable or setting is missing or wrong."""

    exit_code = USAGE


class ServiceUnreachable(click.ClickException):
    """No connection, or no answer in time."""

    exit_code = UNREACHABLE


class ServiceRefused(click.ClickException):
    """A 4xx answer; the message is the service's own title and detail."""

    exit_code = REFUSED


class ServiceBusy(ServiceRefused):
    """A 429 answer: the same request may be sent again a little later."""


class ServiceFailed(click.ClickException):
    """A 5xx answer, or an answer of a program that is not tempoftp."""

    exit_code = SERVICE_FAILED


class DatabaseFailed(click.ClickException):
    """`serve`, `worker` or `db` cannot use the service's own database."""

    exit_code = SERVICE_FAILED


class Undecryptable(click.ClickException):
    """No clear password can be made from what was given."""

    exit_code = UNDECRYPTABLE
