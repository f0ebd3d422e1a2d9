#!/usr/bin/env python3
"""Make files from the service's settings and the roles' templates: `python deploy/generate_deploy.py [--check]`.

- `roles/service/vars/main/settings.yml`: every setting with its description and default, from `tempoftp.settings`;
- the table of options in each role's README, from its `meta/argument_specs.yml`;
- `deploy/tempoftp.service`, `deploy/tempoftp-worker.service`, `deploy/tempoftp.env.example` and
  `deploy/tempoftp-expire.*`: for an install by hand, from the templates of the roles `service` and `ftp_server`.

`--check` writes nothing and exits with 1 when one of them is not current.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from tempoftp.settings import Settings, variable_of

DEPLOY = Path(__file__).resolve().parent
ROLES = DEPLOY.parent / "collections/ansible_collections/lanot/tempoftp/roles"
ROLE = ROLES / "service"
CATALOGUE = ROLE / "vars/main/settings.yml"
RENDERED = {
    "tempoftp.service.j2": DEPLOY / "tempoftp.service",
    "tempoftp-worker.service.j2": DEPLOY / "tempoftp-worker.service",
    "tempoftp.env.j2": DEPLOY / "tempoftp.env.example",
}
# From the role that sets up FTP hosts: the units that a host needs besides pure-ftpd.
FTP_SERVER = ROLES / "ftp_server"
RENDERED_FTP = {
    "tempoftp-expire.service.j2": DEPLOY / "tempoftp-expire.service",
    "tempoftp-expire.timer.j2": DEPLOY / "tempoftp-expire.timer",
}
ORIGIN = "Made by deploy/generate_deploy.py from the templates of the role lanot.tempoftp.service."
# An install by hand is as in the seed: everything on one machine.
EXAMPLE = {
    "service_origin": ORIGIN,
    "service_install_dir": "/opt/tempoftp",
    "service_state_dir": "/var/lib/tempoftp",
    "service_ftp_hosts": ["localhost"],
    "service_local_ftp_hosts": ["localhost"],
    "service_api_memory": "1G",
    "service_worker_memory": "2G",
}
EXAMPLE_SETTINGS = {
    "TEMPOFTP_ENCRYPTION_KEY": "",
    "TEMPOFTP_SECRET_KEY": "",
    "TEMPOFTP_SIMULACRO": "0",
    "TEMPOFTP_WORKER_DIR": "/var/lib/tempoftp-worker",
    "TEMPOFTP_LOG_DIR": "/var/log/tempoftp",
    "TEMPOFTP_INVENTORY": "/opt/tempoftp/inventories/local/hosts.yml",
    "TEMPOFTP_FTP_HOSTS": "localhost",
}


class IndentedDumper(yaml.SafeDumper):
    """Writes lists two spaces further in than their key, as everywhere else in the project."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent a list below its key."""
        super().increase_indent(flow, False)


def describe_settings() -> list[dict[str, str]]:
    """Return every setting's name, description and default, in the order of the class."""
    return [
        {
            "name": variable_of(name),
            "description": str(field.description),
            "default": _show_default(field.default),
        }
        for name, field in Settings.model_fields.items()
    ]


def build_catalogue() -> str:
    """Return the content of `vars/main/settings.yml`."""
    head = "---\n# Made by deploy/generate_deploy.py from tempoftp.settings; do not edit.\n"
    return head + yaml.dump(
        {"service_catalogue": describe_settings()},
        Dumper=IndentedDumper,
        sort_keys=False,
        allow_unicode=True,
        width=130,
    )


def build_role_readme(readme: Path) -> str:
    """Return a role's README with a table of the options in its argument_specs."""
    specs = yaml.safe_load((readme.parent / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    rows = [
        f"| `{name}` | {_show_option_default(option)} | {_strip_markup(option['description'])} |"
        for name, option in specs["argument_specs"]["main"]["options"].items()
    ]
    table = "\n".join(["| option | default | |", "|---|---|---|", *rows])
    text = readme.read_text(encoding="utf-8")
    block = re.compile(r"(<!-- options -->\n).*?(<!-- /options -->)", re.DOTALL)
    return block.sub(lambda match: f"{match[1]}{table}\n{match[2]}", text)


def render(template: str, values: dict[str, Any]) -> str:
    """Render a template of the role as Ansible does."""
    fixed = yaml.safe_load((ROLE / "vars/main/main.yml").read_text(encoding="utf-8"))
    fixed["service_catalogue"] = describe_settings()
    variables = {name: _trust(value) for name, value in {**fixed, **values}.items()}
    templar = Templar(loader=DataLoader(), variables=variables)
    text = (ROLE / "templates" / template).read_text(encoding="utf-8")
    return str(templar.template(trust_as_template(text)))


def render_ftp(template: str) -> str:
    """Render a template of the role ftp_server for the default delivery root."""
    origin = ORIGIN.replace(".service.", ".ftp_server.")
    variables = {"ftp_server_origin": origin, "tempoftp_root": "/data"}
    templar = Templar(
        loader=DataLoader(), variables={name: _trust(value) for name, value in variables.items()}
    )
    text = (FTP_SERVER / "templates" / template).read_text(encoding="utf-8")
    return str(templar.template(trust_as_template(text)))


def build_all() -> dict[Path, str]:
    """Return every generated file's content."""
    values = {**EXAMPLE, "service_values": EXAMPLE_SETTINGS}
    files = {CATALOGUE: build_catalogue()}
    files |= {path: build_role_readme(path) for path in sorted(ROLES.glob("*/README.md"))}
    files |= {path: render_ftp(template) for template, path in RENDERED_FTP.items()}
    return files | {path: render(template, values) for template, path in RENDERED.items()}


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` name those that are not current."""
    stale = [
        path
        for path, text in build_all().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if arguments == ["--check"]:
        for path in stale:
            sys.stderr.write(
                f"{path.relative_to(DEPLOY.parent)} is not current: run python deploy/generate_deploy.py\n"
            )
        return 1 if stale else 0
    contents = build_all()
    for path in stale:
        path.write_text(contents[path], encoding="utf-8")
        sys.stdout.write(f"wrote {path.relative_to(DEPLOY.parent)}\n")
    return 0


def _trust(value: Any) -> Any:
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, list):
        return [_trust(item) for item in value]
    if isinstance(value, dict):
        return {key: _trust(item) for key, item in value.items()}
    return value


def _show_option_default(option: dict[str, Any]) -> str:
    if "default" not in option:
        return ""
    default = option["default"]
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if default != "" else "empty"


def _strip_markup(description: str) -> str:
    return re.sub(r"\b[A-Z]\(([^)]*)\)", r"`\1`", description)


def _show_default(default: Any) -> str:
    if default is None or default is PydanticUndefined or isinstance(default, SecretStr):
        return ""
    if isinstance(default, bool):
        return str(int(default))
    if isinstance(default, tuple):
        return ",".join(str(item) for item in default)
    return f"{default:g}" if isinstance(default, float) else str(default)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
