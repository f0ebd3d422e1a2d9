"""Which of this machine's package sources an image gets."""

from pathlib import Path

import pytest
from lab.image import select_sources

STANZA = "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main"
OTHER = "Types: deb\nURIs: https://other.example/node\nSuites: nodistro\nComponents: main"


def test_stanzas_of_the_release_are_taken_and_renamed() -> None:
    files = {Path("debian.sources"): f"{STANZA}\n\n{OTHER}\n"}
    assert select_sources(files, codename="bookworm", suite="trixie") == (
        STANZA.replace("bookworm", "trixie") + "\n"
    )


def test_lines_of_the_release_are_taken_where_there_are_no_stanzas() -> None:
    line = "deb http://mirror.example/debian bookworm-updates main"
    files = {Path("sources.list"): f"# comment\n{line}\ndeb-src http://mirror.example/debian bookworm main\n"}
    assert select_sources(files, codename="bookworm", suite="bookworm") == line + "\n"


def test_disabled_stanzas_and_foreign_sources_are_left_out() -> None:
    files = {
        Path("debian.sources"): f"Enabled: no\n{STANZA}\n\n{OTHER}\n",
        Path("x.list"): "deb http://x.example ./\n",
    }
    assert select_sources(files, codename="bookworm", suite="bookworm") == ""


@pytest.mark.parametrize("name", ["debian.sources", "sources.list"])
def test_an_old_release_has_its_main_archive_only(name: str) -> None:
    """Its security archive loses packages that its list still names."""
    security = STANZA.replace("/debian", "/debian-security").replace(
        "bookworm bookworm-updates", "bookworm-security"
    )
    main, other = (
        "deb http://mirror.example/debian bookworm main",
        "deb http://x.example bookworm-security main",
    )
    text = f"{STANZA}\n\n{security}\n" if name.endswith(".sources") else f"{main}\n{other}\n"
    chosen = select_sources({Path(name): text}, codename="bookworm", suite="bullseye")
    assert chosen == (STANZA if name.endswith(".sources") else main).replace("bookworm", "bullseye") + "\n"


def test_a_machine_without_a_release_name_contributes_nothing() -> None:
    assert select_sources({Path("debian.sources"): STANZA}, codename="", suite="bookworm") == ""
