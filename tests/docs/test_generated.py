"""The generated parts of both READMEs are current."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest
from documents import PROJECT, READMES, Document

from tempoftp.settings import Settings, variable_of


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """`docs/generate.py`, which is a script and no package."""
    specification = importlib.util.spec_from_file_location("docs_generate", PROJECT / "docs" / "generate.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("document", READMES, ids=lambda document: document.name)
def test_generated_parts_are_current(generate: ModuleType, document: Document) -> None:
    wanted = generate.build_document(document.name, document.text)
    assert document.text == wanted, f"{document.name} is not current: run python docs/generate.py"


@pytest.mark.parametrize("document", READMES, ids=lambda document: document.name)
def test_every_setting_has_one_row(generate: ModuleType, document: Document) -> None:
    table = document.text.partition(generate.BEGIN)[2].partition(generate.END)[0]
    names = [line.split("`")[1] for line in table.strip().splitlines()[2:]]
    assert names == [variable_of(field) for field in Settings.model_fields]


def test_spanish_texts_are_translations_of_the_present_ones(generate: ModuleType) -> None:
    spanish = generate.read_spanish()
    english = {variable_of(name): field.description for name, field in Settings.model_fields.items()}
    assert all(spanish[name] and spanish[name] != text for name, text in english.items())


def test_a_changed_description_makes_its_translation_stale(
    generate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settings.model_fields["port"], "description", "Another text.")
    with pytest.raises(generate.StaleTranslation, match="TEMPOFTP_PORT"):
        generate.read_spanish()


def test_a_document_without_marks_is_refused(generate: ModuleType) -> None:
    with pytest.raises(ValueError, match="marks"):
        generate.insert_table("no marks here", "table")


def test_a_rendered_block_is_replaced_whole(generate: ModuleType) -> None:
    old = "<!-- render: roles/ftp_database/templates/users.sql.j2 -->\n```sql\nold\n```\nafter\n"
    new = generate.insert_rendered(old)
    assert "old" not in new
    assert "CREATE TABLE `users`" in new
    assert new.endswith("```\nafter\n")
    assert generate.insert_rendered(new) == new
