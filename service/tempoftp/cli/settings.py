"""`tempoftp settings check`: what is wrong with a settings file or a sources file, before the service reads it."""

from __future__ import annotations

from pathlib import Path

import click

from tempoftp.cli.command import Group, json_option
from tempoftp.cli.exits import USAGE
from tempoftp.cli.output import print_json


@click.group(cls=Group)
def settings() -> None:
    """Check the settings of the service."""


@settings.command(
    "check",
    examples=[
        "tempoftp settings check /etc/default/tempoftp",
        "tempoftp settings check --sources /etc/tempoftp/sources.yml",
    ],
    exits=(USAGE,),
)
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--sources", is_flag=True, help="FILE is a sources file.")
@json_option
def check(file: Path | None, sources: bool, as_json: bool) -> None:
    """Say all that is wrong with FILE, and with the files that it names.

    FILE is a settings file as systemd reads it, or with --sources a sources file. Without FILE, check the settings
    of this host's service. Nothing is changed. Run it as root: others cannot read every file.
    """
    from tempoftp.cli.exits import BadSetting
    from tempoftp.cli.service import find_file_mistakes, find_source_mistakes, write_mistakes

    if sources and file is None:
        raise click.UsageError("--sources needs FILE")
    mistakes = find_source_mistakes(file) if sources and file is not None else find_file_mistakes(file)
    if as_json:
        print_json({"file": None if file is None else str(file), "mistakes": mistakes})
    elif not mistakes:
        click.echo("no mistake found")
    if mistakes:
        raise BadSetting(write_mistakes(mistakes))
