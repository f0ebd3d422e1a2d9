"""`tempoftp config`: what the client commands would use, and where it stands."""

from __future__ import annotations

import click

from tempoftp.cli.command import Command
from tempoftp.cli.config import SECRETS, VARIABLES, ClientConfig, list_files
from tempoftp.cli.exits import USAGE
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import print_json, print_rows


@click.command(cls=Command, examples=["tempoftp config"], exits=(USAGE,))
@json_option
def config(as_json: bool) -> None:
    """Show which service, token and key the other commands would use, and where each was found.

    Secrets are not shown. What stands in the environment wins over ~/.config/tempoftp/config.toml, and that over
    /etc/tempoftp/config.toml.
    """
    found = ClientConfig()
    values = {name: found.find(name) for name in VARIABLES}
    if as_json:
        origins = {name: value.origin if value is not None else None for name, value in values.items()}
        url = values["url"]
        print_json({"url": url.text if url is not None else None, "origins": origins})
        return
    rows = []
    for name, value in values.items():
        shown = "-" if value is None else "(set)" if name in SECRETS else value.text
        places = " or ".join((VARIABLES[name], *map(str, list_files())))
        rows.append((name, shown, value.origin if value is not None else f"not set: {places}"))
    print_rows(("setting", "value", "from"), rows)
