"""Write the generated parts of docs/: tables of settings, rendered templates, the gallery, and docs/modules.

`python docs/generate.py` writes what has changed; tests/docs/test_generated.py fails while a part is not current.
The Spanish texts are in docs/settings.es.yml, each beside the English text that it translates. When an English text
changes, the test fails until the translation was checked.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import jinja2
import module_pages
import yaml

from tempoftp.settings import Settings, variable_of

PROJECT = Path(__file__).resolve().parents[1]
COLLECTION = PROJECT / "collections/ansible_collections/lanot/tempoftp"
SPANISH_FILE = PROJECT / "docs" / "settings.es.yml"
BEGIN, END = "<!-- settings: begin (docs/generate.py) -->", "<!-- settings: end -->"
PICTURES = PROJECT / "docs" / "screenshots"
LOOKS = ("light-desktop", "dark-desktop", "light-phone", "dark-phone")
PICTURES_BEGIN, PICTURES_END = "<!-- pictures: begin (docs/generate.py) -->", "<!-- pictures: end -->"
HEADINGS = {
    "docs/settings.md": ("Variable", "Default", "Meaning", "required"),
    "docs/settings.es.md": ("Variable", "Por omisión", "Significado", "obligatoria"),
}
GALLERY = "docs/screenshots.md"
RENDERED = ("docs/ftp-host.md", "docs/ftp-host.es.md")
DOCUMENTS = (*HEADINGS, GALLERY, *RENDERED)
COLUMN_NAMES = {
    "name": "User",
    "password": "Password",
    "uid": "Uid",
    "gid": "Gid",
    "home": "Dir",
    "status": "Status",
    "expires": "Expires",
}
# The values of a host that keeps the roles' defaults; a password is never shown.
RENDER_VALUES = {
    "ftp_server_columns": {"query_result": [[{"name": "Expires"}]]},
    "ftp_server_column_names": COLUMN_NAMES,
    "ftp_database_column_names": COLUMN_NAMES,
    "tempoftp_db_host": "127.0.0.1",
    "tempoftp_db_name": "pureftpd",
    "tempoftp_table": "users",
    "ftp_server_logins": [{}, {"user": "pureftpd", "password": "…"}],
}
_RENDERED = re.compile(r"(<!-- render: (?P<template>\S+) -->\n```\w*\n)(?P<body>.*?)(```\n)", re.DOTALL)


class StaleTranslation(Exception):  # noqa: N818 - what was found, not a bug
    """A setting has no Spanish text, or its English text has changed since; the message says which."""


def show_default(field_name: str, required: str) -> str:
    """Return a default as it is written in the environment; an en dash for none."""
    field = Settings.model_fields[field_name]
    if field.is_required():
        return required
    value: Any = field.default
    if value is None or value == ():
        return "–"
    if isinstance(value, bool):
        value = int(value)
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def read_spanish() -> dict[str, str]:
    """Return variable → Spanish text. Raises StaleTranslation."""
    known: dict[str, dict[str, str]] = yaml.safe_load(SPANISH_FILE.read_text(encoding="utf-8"))
    wanted = {variable_of(name): field.description or "" for name, field in Settings.model_fields.items()}
    stale = sorted(name for name, text in wanted.items() if known.get(name, {}).get("en") != text)
    gone = sorted(set(known) - set(wanted))
    if stale or gone:
        raise StaleTranslation(
            f"{SPANISH_FILE.relative_to(PROJECT)}: translate again {', '.join(stale) or 'nothing'}; "
            f"remove {', '.join(gone) or 'nothing'}; then run python docs/generate.py"
        )
    return {name: entry["es"] for name, entry in known.items()}


def build_table(document: str) -> str:
    """Return the settings table for one of the two settings pages."""
    variable, default, meaning, required = HEADINGS[document]
    spanish = read_spanish() if document.endswith(".es.md") else {}
    lines = [f"| {variable} | {default} | {meaning} |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        text = spanish.get(variable_of(name)) or field.description or ""
        lines.append(f"| `{variable_of(name)}` | {show_default(name, required)} | {text} |")
    return "\n".join(lines)


def build_gallery(folder: Path = PICTURES) -> str:
    """Return every page of the portal in each look, one row for each page."""
    names = sorted(
        {path.name.removesuffix(f"-{look}.png") for look in LOOKS for path in folder.glob(f"*-{look}.png")}
    )
    rows = []
    for name in names:
        pictures = (f"screenshots/{name}-{look}.png" for look in LOOKS)
        cells = (f'<a href="{path}"><img src="{path}" alt="{name}" width="150"></a>' for path in pictures)
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(["| | ☀ | ☾ | ☀ | ☾ |", "|---|---|---|---|---|", *rows])


def insert_table(text: str, table: str, begin: str = BEGIN, end: str = END) -> str:
    """Return the document with `table` between its two marks. Raises ValueError when they are missing."""
    before, found_begin, rest = text.partition(begin)
    _old, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"the marks {begin} and {end} are missing")
    return f"{before}{begin}\n{table}\n{end}{after}"


def render_template(template: str) -> str:
    """Return a template of the collection as it looks on a Debian host with the roles' defaults."""
    path = COLLECTION / template
    debian = yaml.safe_load((path.parents[1] / "vars" / "Debian.yml").read_text(encoding="utf-8"))
    # As Ansible sets it up. The results are configuration files, not HTML.
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    # Some of the distribution's values are themselves templates, of a variable that the inventory may set.
    values = {
        name: environment.from_string(value).render(RENDER_VALUES) if isinstance(value, str) else value
        for name, value in debian.items()
    }
    text = environment.from_string(path.read_text(encoding="utf-8")).render(**values, **RENDER_VALUES)
    return text.strip() + "\n"


def insert_rendered(text: str) -> str:
    """Return the document with every block after a `<!-- render: … -->` filled."""
    return _RENDERED.sub(lambda match: match[1] + render_template(match["template"]) + match[4], text)


def build_document(name: str, current: str) -> str:
    """Return one of DOCUMENTS with its generated parts current."""
    if name in HEADINGS:
        return insert_table(current, build_table(name))
    if name == GALLERY:
        # Python-Markdown needs an empty line before a table.
        return insert_table(current, f"\n{build_gallery()}\n", PICTURES_BEGIN, PICTURES_END)
    return insert_rendered(current)


def main() -> int:
    """Bring every document up to date and print those that changed."""
    wanted = {name: build_document(name, (PROJECT / name).read_text(encoding="utf-8")) for name in DOCUMENTS}
    pages = module_pages.build_pages()
    for path in sorted((PROJECT / module_pages.FOLDER).glob("*.md")):
        name = path.relative_to(PROJECT).as_posix()
        if name not in pages:
            path.unlink()
            sys.stdout.write(f"{name}: removed\n")
    for name, text in (wanted | pages).items():
        path = PROJECT / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{name}: written\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
