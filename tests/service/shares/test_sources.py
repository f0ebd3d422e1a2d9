"""`ruta` against the allow-list: what passes is canonical, what does not is refused before anything happens."""

from __future__ import annotations

import os
import posixpath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempoftp.refusals import InvalidSource, Refused, SourceNotAllowed
from tempoftp.settings import Settings, SettingsError
from tempoftp.shares.sources import (
    ResolvedSource,
    SourceCatalogue,
    SourceDefaults,
    SourcesFile,
    parse_ruta,
    read_sources,
)

CATALOGUE = SourceCatalogue(
    SourcesFile.model_validate(
        {
            "sources": {
                "source1": {
                    "aliases": ["datos.example.org"],
                    "ssh_user": "lanotadm",
                    "roots": [
                        {"name": "datos", "path": "/srv/datos", "ssh_key_file": "/etc/k1"},
                        {"name": "goes", "path": "/srv/datos/goes", "ssh_key_file": "/etc/k2"},
                    ],
                },
                "plain": {"size_probe": "du", "roots": [{"name": "todo", "path": "/archivo"}]},
                "here": {"local": True, "roots": [{"name": "todo", "path": "/archivo"}]},
            }
        }
    ),
    SourceDefaults("defecto"),
)


@pytest.mark.parametrize(
    ("ruta", "canonical", "root"),
    [
        ("source1:/srv/datos/a", "lanotadm@source1:/srv/datos/a", "/srv/datos"),
        ("lanotadm@source1:/srv/datos/a", "lanotadm@source1:/srv/datos/a", "/srv/datos"),
        ("lanotadm@datos.example.org:/srv/datos/a/", "lanotadm@source1:/srv/datos/a", "/srv/datos"),
        ("Source1:/srv//datos/./a", "lanotadm@source1:/srv/datos/a", "/srv/datos"),
        ("source1:/srv/datos", "lanotadm@source1:/srv/datos", "/srv/datos"),
        ("source1:/srv/datos/goes/x", "lanotadm@source1:/srv/datos/goes/x", "/srv/datos/goes"),
        ("source1:/srv/datos/con espacio", "lanotadm@source1:/srv/datos/con espacio", "/srv/datos"),
        ("source1:/srv/datos/%h$x", "lanotadm@source1:/srv/datos/%h$x", "/srv/datos"),
        # Two spellings of one letter are two names on a disk: a path is taken as it was written.
        ("source1:/srv/datos/n\u0303", "lanotadm@source1:/srv/datos/n\u0303", "/srv/datos"),
        ("plain:/archivo/x", "defecto@plain:/archivo/x", "/archivo"),
        ("here:/archivo/x", "defecto@here:/archivo/x", "/archivo"),
    ],
)
def test_resolves(ruta: str, canonical: str, root: str) -> None:
    found = CATALOGUE.resolve_source(ruta)
    assert (found.canonical, found.root) == (canonical, root)


def test_carries_what_the_run_needs() -> None:
    found = CATALOGUE.resolve_source("source1:/srv/datos/goes/x")
    assert (found.ssh_user, found.ssh_key_file, found.size_probe) == ("lanotadm", "/etc/k2", "rsync")
    assert CATALOGUE.resolve_source("plain:/archivo/x").size_probe == "du"


@pytest.mark.parametrize(
    "ruta",
    [
        "-oProxyCommand=touch /tmp/P:/x",
        "lanotadm@-oX:/x",
        "--rsh=x :/x",
        "h::module",
        "source1::/srv/datos",
        "rsync://",
        "/a:b",
        "source1",
        "source1:",
        "source1:srv/datos",
        ":/srv/datos",
        "@source1:/srv/datos",
        "source1:/",
        "source1:///",
        "source1:/srv/datos/../etc",
        "source1:/srv/datos/..",
        "source1:/srv/datos/g*",
        "source1:/srv/datos/[a]",
        "source1:/srv/datos/{a,b}",
        "source1:/srv/datos/{{ lookup('pipe','id') }}",
        "source1:/srv/datos/${X}",
        "source1:/srv/datos/a\\b",
        "source1:/srv/datos/a\n",
        "source1:/srv/datos/a\x00b",
        "source1:/srv/datos/a\x7f",
        "source1:/srv/datos/a\u202eb",
        "sou rce1:/srv/datos",
        "source1:/srv/datos/" + "a" * 256,
        "source1:/" + "a/" * 2100,
    ],
)
def test_refuses_malformed(ruta: str) -> None:
    with pytest.raises(InvalidSource):
        CATALOGUE.resolve_source(ruta)


@pytest.mark.parametrize(
    "ruta",
    [
        "rsync://source1/srv/datos",
        "localhost:/etc",
        "127.0.0.1:/etc",
        "root@source1:/srv/datos/a",
        "LANOTADM@source1:/srv/datos/a",
        "source1:/etc/shadow",
        "source1:/srv/datosx",
        "source1:/srv",
        "otro:/srv/datos",
        "source1.example.org:/srv/datos",
    ],
)
def test_refuses_off_the_list(ruta: str) -> None:
    with pytest.raises(SourceNotAllowed):
        CATALOGUE.resolve_source(ruta)


# Put together from what a `ruta` is made of and from what breaks one: about half of them pass.
PIECES = st.sampled_from(
    ["a", "b.c", "año", "goes", "..", ".", "", " ", "-x", "*", "$(x)", "\n", "{", "\\", "~"]
)
PATHS = st.lists(PIECES, max_size=5).map("/".join)
ROOTS = st.sampled_from(["/srv/datos", "/srv/datos/goes", "/srv", "/", "/etc", ""])
RUTAS = st.builds(
    "{}{}:{}/{}".format,
    st.sampled_from(["", "", "lanotadm@", "root@", "-o@", "@"]),
    st.sampled_from(["source1", "source1", "datos.example.org", "otro", "-x", ""]),
    ROOTS,
    PATHS | st.text(max_size=20),
)


@given(RUTAS | st.text(max_size=60))
def test_whatever_passes_is_under_its_root(ruta: str) -> None:
    for attempt in (ruta, f"source1:/srv/datos/{ruta}", f"lanotadm@source1:/srv/datos{ruta}"):
        try:
            found = CATALOGUE.resolve_source(attempt)
        except Refused:
            continue
        assert found.path == posixpath.normpath(found.path)
        assert found.path == found.root or found.path.startswith(found.root + "/")
        assert not set(found.canonical) & set("*?[]{}\\\n\r\0")
        assert CATALOGUE.resolve_source(found.canonical) == found


@given(RUTAS | st.text(max_size=80))
def test_parser_returns_or_refuses(ruta: str) -> None:
    try:
        user, host, path = parse_ruta(ruta)
    except InvalidSource:
        return
    assert path.startswith("/")
    assert ".." not in path.split("/")
    assert not host.startswith("-")
    assert user is None or not user.startswith("-")


def build_source(**changes: Any) -> dict[str, Any]:
    return {"roots": [{"name": "x", "path": "/x", "ssh_key_file": "/k"}], **changes}


def resolve(source: dict[str, Any], **defaults: Any) -> ResolvedSource:
    content = SourcesFile.model_validate({"sources": {"a": source}})
    return SourceCatalogue(content, SourceDefaults("u", **defaults)).resolve_source("a:/x/y")


@pytest.mark.parametrize(
    ("source", "defaults", "expected"),
    [
        ({}, {}, ("auto", False, False)),
        ({}, {"local_method": "copy", "reuse": True, "checksums": True}, ("auto", True, True)),
        (
            {"method": "rsync", "reuse": False, "checksums": False},
            {"reuse": True, "checksums": True},
            ("rsync", False, False),
        ),
        ({"reuse": True, "checksums": True}, {}, ("auto", True, True)),
        ({"local": True}, {}, ("auto", False, False)),
        ({"local": True}, {"local_method": "reflink"}, ("reflink", False, False)),
        ({"local": True, "method": "copy"}, {"local_method": "bind"}, ("copy", False, False)),
        # What a bind cannot have is not asked for because of a general setting.
        ({"local": True, "method": "bind"}, {"checksums": True}, ("bind", False, False)),
        ({"local": True}, {"local_method": "bind", "checksums": True}, ("bind", False, False)),
    ],
)
def test_says_how_it_is_delivered(
    source: dict[str, Any], defaults: dict[str, Any], expected: tuple[str, bool, bool]
) -> None:
    found = resolve(build_source(**source), **defaults)
    assert (found.method, found.reuse, found.checksums) == expected
    assert found.local is source.get("local", False)


def test_a_local_source_has_no_key_and_a_key_for_more_than_a_root_no_root() -> None:
    assert (resolve(build_source()).restricted, resolve(build_source()).ssh_key_file) == (True, "/k")
    local = resolve(build_source(local=True))
    assert (local.restricted, local.ssh_key_file) == (False, None)
    root = {"name": "x", "path": "/x", "ssh_key_file": "/k", "restricted": False}
    free = resolve(build_source(roots=[root]))
    assert (free.restricted, free.ssh_key_file, free.root) == (False, "/k", "/x")


def test_settings_are_the_defaults(settings: Settings) -> None:
    assert read_sources(settings).resolve_source("here:/archivo/x").method == "auto"
    changed = settings.model_copy(update={"local_method": "bind", "reuse_copies": True, "checksums": True})
    found = read_sources(changed).resolve_source("here:/archivo/x")
    assert (found.method, found.reuse, found.checksums) == ("bind", True, False)
    assert read_sources(changed).resolve_source("source1:/srv/datos/x").checksums is True


def test_file_is_read_again_when_it_changes(settings: Settings) -> None:
    read_sources(settings).resolve_source("source1:/srv/datos/a")
    settings.sources_file.write_text("sources: {otro: {roots: [{name: x, path: /x}]}}")
    os.utime(settings.sources_file, ns=(1, 1))
    with pytest.raises(SourceNotAllowed):
        read_sources(settings).resolve_source("source1:/srv/datos/a")
    assert read_sources(settings).resolve_source("otro:/x/y").canonical == "lanotadm@otro:/x/y"


@pytest.mark.parametrize(
    "content",
    [
        "[",
        "sources: []",
        "sources: {a: {roots: []}}",
        "sources: {a: {roots: [{name: x, path: relative}]}}",
        "sources: {a: {roots: [{name: x, path: /}]}}",
        "sources: {a: {roots: [{name: x, path: /a/../b}]}}",
        "sources: {a: {method: copy, roots: [{name: x, path: /a}]}}",
        "sources: {a: {method: bind, roots: [{name: x, path: /a}]}}",
        "sources: {a: {method: move, local: true, roots: [{name: x, path: /a}]}}",
        "sources: {a: {method: rsync, local: true, roots: [{name: x, path: /a}]}}",
        "sources: {a: {size_probe: du, local: true, roots: [{name: x, path: /a}]}}",
        "sources: {a: {method: bind, checksums: true, local: true, roots: [{name: x, path: /a}]}}",
        "sources: {a: {reuse: perhaps, roots: [{name: x, path: /a}]}}",
        "sources: {a: {typo: 1, roots: [{name: x, path: /a}]}}",
        "sources: {-a: {roots: [{name: x, path: /a}]}}",
        "sources: {a: {ssh_user: '-l', roots: [{name: x, path: /a}]}}",
        "sources: {a: {aliases: [c], roots: [{name: x, path: /a}]}, b: {aliases: [C], roots: [{name: x, path: /a}]}}",
    ],
)
def test_refuses_a_bad_file(settings: Settings, content: str) -> None:
    settings.sources_file.write_text(content)
    with pytest.raises(SettingsError, match="sources file"):
        read_sources(settings)


def test_says_when_the_file_is_missing(settings: Settings) -> None:
    settings.sources_file.unlink()
    with pytest.raises(SettingsError, match="TEMPOFTP_SOURCES_FILE"):
        read_sources(settings)


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        (
            "sources:\n  a: {roots: [{name: x, path: /x}]}\n  b: {roots: [{name: x, path: /x}]}\n"
            "  a: {roots: [{name: y, path: /y}]}\n",
            "key 'a' in line 4 stands in line 2 already",
        ),
        (
            "sources:\n  a:\n    roots:\n      - {name: x, path: /x, path: /y}\n",
            "key 'path' in line 4 stands in line 4 already",
        ),
    ],
)
def test_refuses_a_key_that_stands_twice(settings: Settings, content: str, mistake: str) -> None:
    assert settings.sources_file is not None
    settings.sources_file.write_text(content)
    with pytest.raises(SettingsError, match=mistake):
        read_sources(settings)


def test_a_key_may_take_the_place_of_a_merged_one(settings: Settings) -> None:
    assert settings.sources_file is not None
    settings.sources_file.write_text(
        "sources:\n  a: &a\n    ssh_user: one\n    roots: [{name: x, path: /x}]\n  b:\n    <<: *a\n    ssh_user: two\n"
    )
    assert read_sources(settings).resolve_source("b:/x/y").ssh_user == "two"
