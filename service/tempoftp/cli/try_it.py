"""`tempoftp try`: run the whole service on this machine with simulated FTP hosts, and make one share ready."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from tempoftp.cli.client import ServiceClient
from tempoftp.cli.command import Command
from tempoftp.cli.exits import SERVICE_FAILED, USAGE
from tempoftp.cli.output import print_share
from tempoftp.cli.trial import FIRST_PORT, Trial, choose_port, hold_folder
from tempoftp.cli.watch import exit_for_state, watch_share

REQUESTER = "ana@dominio.example"
COPY_SECONDS = 8
RUTA = f"source1:/srv/datos/goes16/tarda-{COPY_SECONDS}"
CHECK_SECONDS = 0.5


@click.command(
    "try",
    cls=Command,
    examples=["tempoftp try", "tempoftp try --port 9100 --folder /tmp/tempoftp-try"],
    exits=(USAGE, SERVICE_FAILED),
    exits_1="the share that is asked for as an example did not become ready",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Port on 127.0.0.1. When not given: 9043, or the next one that is free.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Where shares, keys, token and logs stay until the next start. When not given: "
    "~/.local/state/tempoftp-try.",
)
def try_it(port: int | None, folder: Path | None) -> None:
    """Try tempoftp on this machine: no root, no FTP hosts, no settings.

    Starts API, portal and worker with simulated FTP hosts, asks for a share, shows how it becomes ready, and says how
    to continue. Everything stays up until Ctrl-C. Only this machine can reach it.
    """
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.default_int_handler)
    click.secho("SIMULATION", fg="yellow", bold=True, nl=False)
    click.echo(
        ": the FTP hosts exist only in a file. No data is copied, and nothing can be fetched over FTP."
    )
    click.echo("API, portal, worker, database and command line are the real ones.")
    with hold_folder(choose_folder(folder)) as held:
        chosen = choose_port(port)
        if port is None and chosen != FIRST_PORT:
            click.echo(f"Port {FIRST_PORT} is in use by another program, so it is port {chosen} this time.")
        trial = Trial(choose_folder(folder), chosen)
        try:
            step(f"API, portal and worker start at {trial.url}")
            trial.prepare()
            trial.start(held)
            click.echo(f"up; state and logs are in {show_path(trial.folder)}")
            with trial.connect() as client:
                share_id = request_share(client)
                link = client.make_link(share_id)["enlace"]
            print_ways_on(trial, share_id, link)
            wait_until_interrupted(trial)
        finally:
            trial.stop()
    click.echo("Stopped. The next start finds the shares again.")


def choose_folder(given: Path | None) -> Path:
    """Return the folder that was given, or the default folder of this user."""
    if given is not None:
        return given.absolute()
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "tempoftp-try"


def step(title: str) -> None:
    """Print a heading."""
    click.secho(f"\n── {title}", bold=True)


def request_share(client: ServiceClient) -> str:
    """Ask for a share, show how it becomes ready, and return its id. Raises ShareFailed."""
    share_id = time.strftime("prueba_%Y%m%d_%H%M%S")
    step(f"{REQUESTER} asks for {RUTA} for 3 days")
    click.echo(
        f"The simulated copy takes {COPY_SECONDS} seconds, because the path ends in tarda-{COPY_SECONDS}."
    )
    client.post_share({"usuario": REQUESTER, "id": share_id, "ruta": RUTA, "vigencia": 3})
    share = watch_share(client, share_id, Console())
    print_share(share)
    exit_for_state(share)
    return share_id


def print_ways_on(trial: Trial, share_id: str, link: str) -> None:
    """Print how to open the portal, how to ask for shares with curl and `tempoftp`, and how to stop."""
    tempoftp, client_file = show_command(), shlex.quote(show_path(trial.client_file))
    auth = '-H "Authorization: Bearer $TEMPOFTP_TOKEN"'
    body = f'{{"usuario": "{REQUESTER}", "id": "mio_1", "ruta": "source1:/srv/datos/goes16", "vigencia": 3}}'
    step("Ready. It stays up until you press Ctrl-C here")
    click.echo(f"Portal     {trial.url}/portal/")
    click.echo(f"           Sign in with this operator's token: {trial.token}")
    click.echo(f"Recipient  {link}")
    click.echo("           What the person sees who gets this share; it needs no token.")
    click.echo(f"API        {trial.url}/docs   In another terminal, in {show_path(Path.cwd())}:")
    click.echo(f"  . {client_file}")
    click.echo(f"  curl {auth} -H 'Content-Type: application/json' \\")
    click.echo(f"    -d '{body}' $TEMPOFTP_URL/tmpftp")
    click.echo(f"  curl {auth} $TEMPOFTP_URL/tmpftp/mio_1")
    click.echo("The same with the command line: the password of the share above, a slow copy, and a failure:")
    click.echo(f"  {tempoftp} credentials {share_id}")
    click.echo(f"  {tempoftp} request {REQUESTER} mio_2 source1:/srv/datos/tarda-20 --watch")
    click.echo(f"  {tempoftp} request {REQUESTER} mio_3 source1:/srv/datos/falla-source_not_found --watch")
    click.echo(f"Stop       Ctrl-C. To begin anew, stop it and remove {show_path(trial.folder)}")


def show_command() -> str:
    """Return what a user types to run this `tempoftp`."""
    found, own = shutil.which("tempoftp"), Path(sys.argv[0]).absolute()
    if found is not None and Path(found).absolute() == own:
        return "tempoftp"
    return shlex.quote(show_path(own))


def show_path(path: Path) -> str:
    """Return a path, relative if it is below the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path != here and path.is_relative_to(here) else str(path)


def wait_until_interrupted(trial: Trial) -> None:
    """Return on Ctrl-C or SIGTERM. Raises ServiceFailed when a process of the service ends by itself."""
    try:
        while True:
            trial.check()
            time.sleep(CHECK_SECONDS)
    except KeyboardInterrupt:
        step("Stopping API and worker")
