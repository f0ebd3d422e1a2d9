"""The generated parts of docs/, and the module reference, are current."""

from __future__ import annotations

import generate
import module_pages
import pytest

from tempoftp.settings import Settings, variable_of
from tests.support.documents import COLLECTION, PROJECT, Document, read_pair


@pytest.mark.parametrize("name", generate.DOCUMENTS)
def test_generated_parts_are_current(name: str) -> None:
    document = Document(PROJECT / name)
    wanted = generate.build_document(document.name, document.text)
    assert document.text == wanted, f"{document.name} is not current: run python docs/generate.py"


def test_every_mark_is_in_a_page_that_is_generated() -> None:
    marks = (generate.BEGIN, generate.PICTURES_BEGIN, "<!-- render: ")
    pages = (*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"))
    marked = {page for page in pages if any(mark in page.read_text(encoding="utf-8") for mark in marks)}
    assert {page.relative_to(PROJECT).as_posix() for page in marked} == set(generate.DOCUMENTS)


@pytest.mark.parametrize("document", read_pair("docs/settings"), ids=lambda document: document.name)
def test_every_setting_has_one_row(document: Document) -> None:
    table = document.text.partition(generate.BEGIN)[2].partition(generate.END)[0]
    names = [line.split("`")[1] for line in table.strip().splitlines()[2:]]
    assert names == [variable_of(field) for field in Settings.model_fields]


def test_spanish_texts_are_translations_of_the_present_ones() -> None:
    spanish = generate.read_spanish()
    english = {variable_of(name): field.description for name, field in Settings.model_fields.items()}
    assert all(spanish[name] and spanish[name] != text for name, text in english.items())


def test_a_changed_description_makes_its_translation_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings.model_fields["port"], "description", "Another text.")
    with pytest.raises(generate.StaleTranslation, match="TEMPOFTP_PORT"):
        generate.read_spanish()


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="marks"):
        generate.insert_table("no marks here", "table")


def test_the_gallery_shows_every_page_in_each_look() -> None:
    files = {path.name for path in generate.PICTURES.glob("*.png")}
    assert files
    assert len(files) % len(generate.LOOKS) == 0
    text = (PROJECT / generate.GALLERY).read_text(encoding="utf-8")
    gallery = text.partition(generate.PICTURES_BEGIN)[2].partition(generate.PICTURES_END)[0]
    assert {name for name in files if f'src="screenshots/{name}"' in gallery} == files


def test_a_rendered_block_is_replaced_whole() -> None:
    old = "<!-- render: roles/ftp_database/templates/users.sql.j2 -->\n```sql\nold\n```\nafter\n"
    new = generate.insert_rendered(old)
    assert "old" not in new
    assert "CREATE TABLE `users`" in new
    assert new.endswith("```\nafter\n")
    assert generate.insert_rendered(new) == new


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The reference as it should be."""
    return module_pages.build_pages()


def test_module_reference_is_current(pages: dict[str, str]) -> None:
    there = {
        path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8")
        for path in (PROJECT / module_pages.FOLDER).iterdir()
    }
    stale = sorted(name for name in there.keys() | pages.keys() if there.get(name) != pages.get(name))
    assert stale == [], "run python docs/generate.py"


def test_module_reference_has_every_module_and_role(pages: dict[str, str]) -> None:
    files = [
        *(COLLECTION / "plugins" / "modules").glob("*.py"),
        *(COLLECTION / "plugins" / "filter").glob("[!_]*.py"),  # names with _ are private
    ]
    names = {path.stem for path in (*files, *(COLLECTION / "roles").iterdir())} | {"README"}
    assert {name.removeprefix("docs/modules/").removesuffix(".md") for name in pages} == names
    for name in ("tempoftp_share", "tempoftp_ftpuser", "tempoftp_audit"):
        page = pages[f"docs/modules/{name}.md"]
        assert [
            title for title in ("## Options", "## Examples", "## Return values") if title not in page
        ] == []


def test_markup_of_ansible_is_markdown() -> None:
    write = module_pages._make_writer("lanot.tempoftp.tempoftp_expire", "module")
    modules = "M(lanot.tempoftp.tempoftp_share), P(lanot.tempoftp.service#role)"
    text = f"O(root) is V(ENUM('0'\\)) C(a|b) of {modules}, x_y <z>"
    assert write(text) == (
        "`root` is `ENUM('0')` `a|b` of [lanot.tempoftp.tempoftp_share](tempoftp_share.md), "
        "[lanot.tempoftp.service](service.md), x\\_y \\<z>"
    )
    with pytest.raises(ValueError, match="closing"):
        write("O(root")
