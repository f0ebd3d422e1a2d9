"""The keys of the service: `key new|add|rotate|retire`.

Both keys change in the same steps: `add` puts a new one first, API and worker are restarted, and `retire` takes the
older ones out. The encryption key needs `rotate` in between. The functions import the service themselves, so that help
and completion need neither SQLAlchemy nor pydantic.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import click

from tempoftp.cli.command import Group, json_option
from tempoftp.cli.exits import REFUSED, SERVICE_FAILED, UNDECRYPTABLE, USAGE, BadSetting, ServiceRefused
from tempoftp.cli.output import print_json

VARIABLES = {"encryption": "TEMPOFTP_ENCRYPTION_KEY", "secret": "TEMPOFTP_SECRET_KEY"}
RESTART = "systemctl restart tempoftp tempoftp-worker"

which_argument = click.argument("which", type=click.Choice(list(VARIABLES)))


@click.group(cls=Group)
def key() -> None:
    """Make and change the keys of the service.

    The encryption key protects the stored passwords. The secret key signs recipients' links and the portal's sessions.
    """


@key.command(examples=["tempoftp key new"], exits=(USAGE,))
@json_option
def new(as_json: bool) -> None:
    """Print a new key, for TEMPOFTP_ENCRYPTION_KEY or for TEMPOFTP_SECRET_KEY. Each needs its own."""
    made = make_key()
    if as_json:
        print_json({"key": made})
    else:
        click.echo(made)


@key.command(examples=["tempoftp key add encryption", "tempoftp key add secret"], exits=(USAGE,))
@which_argument
@json_option
def add(which: str, as_json: bool) -> None:
    """Put a new key before the present ones in the service's settings file. Run it as root on the service's host.

    From the restart on the new key encrypts or signs, and the older ones still decrypt or verify.
    """
    path, name = find_file(), VARIABLES[which]
    keys = [make_key(), *read_keys(path, name)]
    write_value(path, name, ",".join(keys))
    if as_json:
        print_json({"file": str(path), "setting": name, "keys": len(keys)})
        return
    then = "then `tempoftp key rotate`, " if which == "encryption" else ""
    click.echo(f"{path}: {name} has {len(keys)} keys")
    click.echo(f"next: {RESTART}, {then}and later `tempoftp key retire {which}`", err=True)


@key.command(examples=["tempoftp key rotate"], exits=(USAGE, SERVICE_FAILED, UNDECRYPTABLE))
@json_option
def rotate(as_json: bool) -> None:
    """Encrypt every stored password, and every token's own key, again with the first encryption key.

    Run it on the service's host, as root or as the service's user, once API and worker have the new key. It may be
    repeated. What no key decrypts is listed: the old key is then missing. The secret key needs no such step, because
    nothing is stored with it.
    """
    from tempoftp.accounts.keys import describe_unreadable, rotate_stored
    from tempoftp.cli.exits import Undecryptable
    from tempoftp.cli.service import read_host_settings, upgrade
    from tempoftp.db.engine import open_database

    settings = read_host_settings()
    upgrade(settings)
    database = open_database(settings)
    try:
        done = rotate_stored(database, settings.build_fernets())
    finally:
        database.close()
    if as_json:
        print_json({"rotated": done.rotated, "current": done.current, "unreadable": list(done.unreadable)})
    else:
        click.echo(f"{done.rotated} encrypted anew, {done.current} had the first key already")
    if done.unreadable:
        raise Undecryptable(describe_unreadable(done.unreadable))


@key.command(
    examples=["tempoftp key retire encryption", "tempoftp key retire secret"],
    exits=(USAGE, REFUSED, SERVICE_FAILED),
)
@which_argument
@json_option
def retire(which: str, as_json: bool) -> None:
    """Leave only the first key in the service's settings file. Run it as root on the service's host.

    API and worker must have been restarted since `tempoftp key add`. An encryption key that something stored still
    needs is not removed. With an older secret key end the links and sessions that it signed.
    """
    path, name = find_file(), VARIABLES[which]
    first, *older = read_keys(path, name)
    if which == "encryption":
        refuse_while_needed(first)
    if older:
        write_value(path, name, first)
    if as_json:
        print_json({"file": str(path), "setting": name, "removed": len(older)})
        return
    click.echo(f"{path}: {len(older)} older keys removed from {name}")
    if older:
        click.echo(f"next: {RESTART}", err=True)


def make_key() -> str:
    """Return 32 random bytes as URL-safe base64: a Fernet key."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def find_file() -> Path:
    """Return the service's settings file on this host. Raises BadSetting when there is none."""
    from tempoftp.cli.service import ENV_FILES

    for path in ENV_FILES:
        if path.exists():
            return path
    raise BadSetting(
        f"this host has no settings file ({' or '.join(map(str, ENV_FILES))}): change the key where the service's "
        "environment comes from, with a key of `tempoftp key new`"
    )


def read_keys(path: Path, name: str) -> list[str]:
    """Return the keys of a setting in the file. Raises BadSetting when it has none, or cannot be read."""
    from tempoftp.cli.service import parse_env_text

    try:
        text = path.read_text(encoding="utf-8")
    except PermissionError as error:
        raise BadSetting(f"{path} cannot be read: run this as root") from error
    keys = [part.strip() for part in parse_env_text(text).get(name, "").split(",") if part.strip()]
    if not keys:
        raise BadSetting(f"{path} has no {name}: write a key of `tempoftp key new` there")
    return keys


def write_value(path: Path, name: str, value: str) -> None:
    """Set one setting in the file, in one step; owner, mode and every other line stay. Raises BadSetting."""
    own = re.compile(rf"[ \t]*{re.escape(name)}[ \t]*=")
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        places = [number for number, line in enumerate(lines) if own.match(line)]
        # The last line of a name is the one that counts; the others would only mislead.
        lines[places[-1]] = f"{name}={value}\n"
        for number in reversed(places[:-1]):
            del lines[number]
        status = path.stat()
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
                os.fchmod(file.fileno(), status.st_mode & 0o7777)
                file.write("".join(lines))
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise BadSetting(f"{path} cannot be written ({error.strerror}): run this as root") from error


def refuse_while_needed(first: str) -> None:
    """Raise ServiceRefused while something in the service's database needs another encryption key than this one."""
    from cryptography.fernet import Fernet, MultiFernet

    from tempoftp.accounts.keys import find_unreadable
    from tempoftp.cli.service import read_host_settings, upgrade
    from tempoftp.db.engine import open_database

    settings = read_host_settings()
    upgrade(settings)
    database = open_database(settings)
    try:
        with database.read() as session:
            needing = find_unreadable(session, MultiFernet([Fernet(first)]))
    finally:
        database.close()
    if needing:
        shown = ", ".join(needing[:5]) + (", …" if len(needing) > 5 else "")
        raise ServiceRefused(
            f"{len(needing)} stored password(s) or token keys still need an older key ({shown}): restart API and "
            "worker, run `tempoftp key rotate`, then this again"
        )
