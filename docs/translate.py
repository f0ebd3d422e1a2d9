"""Bring the portal's English catalogue up to date: `python docs/translate.py`.

The texts in templates and code are Spanish; the catalogue has them in English. New texts get an empty translation, to
be filled in by hand; unused ones are removed. Then the catalogue is compiled, because the portal also runs from a bare
checkout. tests/service/portal/test_languages.py fails while a translation is missing.
"""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from tempoftp.portal.languages import TRANSLATIONS, list_sentences

PORTAL = TRANSLATIONS.parent
CATALOGUE = TRANSLATIONS / "en" / "LC_MESSAGES" / "messages.po"
METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
# The same options as in start.py.
OPTIONS = {"**/templates/**.html": {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}}
KEYWORDS = DEFAULT_KEYWORDS | {"lazy_gettext": None}


def collect_texts() -> Catalog:
    """Return every text of the portal, and the sentences of the domain that it shows."""
    texts = Catalog(locale="en", project="tempoftp", charset="utf-8", fuzzy=False)
    found = extract_from_dir(PORTAL, METHODS, OPTIONS, KEYWORDS)
    for name, _line, text, _comments, _context in found:
        texts.add(text, locations=[(f"service/tempoftp/portal/{name}", 0)])
    for sentence in list_sentences():
        texts.add(sentence)
    return texts


def update_catalogue() -> Catalog:
    """Return the catalogue with the current texts and their known translations."""
    with CATALOGUE.open("rb") as file:
        known = read_po(file, locale="en")
    wanted = collect_texts()
    catalogue = Catalog(
        locale="en",
        project="tempoftp",
        charset="utf-8",
        fuzzy=False,
        header_comment="# English texts of the portal.",
    )
    for message in wanted:
        if not message.id:
            continue
        old = known.get(message.id if isinstance(message.id, str) else message.id[0])
        catalogue.add(
            message.id,
            old.string if old is not None else None,
            locations=sorted({(name, None) for name, _line in message.locations}),
            flags=message.flags,
        )
    return catalogue


def write_text(catalogue: Catalog) -> bytes:
    """Return the catalogue as the bytes of its file, without times, so that the same texts give the same bytes."""
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=120, sort_output=True, omit_header=False, include_lineno=False)
    lines = buffer.getvalue().decode().splitlines(keepends=True)
    unsteady = (
        "POT-Creation-Date",
        "PO-Revision-Date",
        "Generated-By",
        "Last-Translator",
        "Report-Msgid-Bugs-To",
        "Language-Team",
    )
    return "".join(
        line for line in lines if not line.startswith(tuple(f'"{name}' for name in unsteady))
    ).encode()


def compile_text(text: bytes) -> bytes:
    """Return the compiled catalogue."""
    buffer = io.BytesIO()
    catalogue = read_po(io.BytesIO(text), locale="en")
    # A fixed time, because the same texts have to give the same bytes.
    catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def list_untranslated(catalogue: Catalog) -> list[str]:
    """Return the texts without a translation, or without one for each number."""
    found = []
    for message in catalogue:
        translations = [message.string] if isinstance(message.id, str) else list(message.string or [None])
        if message.id and not all(translations):
            found.append(message.id if isinstance(message.id, str) else message.id[0])
    return found


def main() -> int:
    """Write both files, and print the texts without a translation."""
    catalogue = update_catalogue()
    text = write_text(catalogue)
    CATALOGUE.write_bytes(text)
    CATALOGUE.with_suffix(".mo").write_bytes(compile_text(text))
    missing = list_untranslated(catalogue)
    for entry in missing:
        sys.stdout.write(f"without a translation: {entry}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
