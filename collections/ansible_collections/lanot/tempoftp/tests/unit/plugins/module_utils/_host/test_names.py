# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names from outside: what passes, and every form that must not."""

from __future__ import annotations

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import (
    InvalidValueError,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.names import (
    Source,
    parse_ftpuser,
    parse_id,
    parse_source,
    parse_source_root,
    parse_ssh_user,
    relativize_path,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("value", ["a", "proyecto_real_1", "A-b_9", "x" * 64, "Expired"])
def test_ids_pass(value: str) -> None:
    assert parse_id(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        "../x",
        "/etc",
        "a/b",
        "a.b",
        "-x",
        "_x",
        "x" * 65,
        "a\n",
        "a\0",
        "ñ",
        "expired",
        "user",
        "auditoria",
        None,
        3,
    ],
)
def test_other_ids_are_refused(value: str) -> None:
    with pytest.raises(InvalidValueError):
        parse_id(value)


@pytest.mark.parametrize("value", ["ftp_alguien_dominio", "a.b-c", "F" * 32])
def test_account_names_pass(value: str) -> None:
    assert parse_ftpuser(value) == value


@pytest.mark.parametrize(
    "value", ["", ".tempoftp", "..", "a/b", "lost+found", "x" * 33, "a ", "a\n", "' OR 1=1 -- "]
)
def test_other_account_names_are_refused(value: str) -> None:
    with pytest.raises(InvalidValueError):
        parse_ftpuser(value)


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("h:/x", Source("", "h", "/x")),
        (
            "lanotadm@datos.example.org:/srv/datos/goes/",
            Source("lanotadm", "datos.example.org", "/srv/datos/goes"),
        ),
        ("h:/a b/ñ/$(touch P):{c,d}", Source("", "h", "/a b/ñ/$(touch P):{c,d}")),
    ],
)
def test_sources_pass(value: str, source: Source) -> None:
    assert parse_source(value) == source


@pytest.mark.parametrize(
    "value",
    [
        "",
        "/x",
        "h",
        "h:x",
        "h:/",
        "h://x",
        "h:/x//y",
        "h:/x/../y",
        "h:/x/.",
        "h:/x/..",
        "h::module",
        "rsync://h/x",
        "/a:b",
        "-oProxyCommand=touch /tmp/P:/x",
        "lanotadm@-oX:/x",
        "--rsh=x :/x",
        "a b:/x",
        "h:/data/g*",
        "h:/a?",
        "h:/[ab]",
        "h:/a\\b",
        "h:/x\n",
        "h:/x\0",
        "h:/x\u202e",
        "h:/x\ud800",
        "localhost:/etc",
        "LOCALHOST:/etc",
        "127.0.0.1:/etc",
        "127.1:/etc",
        "a.localhost:/etc",
        "h:/" + "x" * 1100,
        None,
    ],
)
def test_other_sources_are_refused(value: str) -> None:
    with pytest.raises(InvalidValueError):
        parse_source(value)


@given(st.text())
def test_any_text_is_a_normal_source_or_refused(text: str) -> None:
    try:
        source = parse_source(text)
    except InvalidValueError as error:
        assert error.message.isprintable()
        return
    assert source.path.startswith("/") and ".." not in source.path.split("/")
    assert not source.host.startswith("-") and not source.user.startswith("-")


@pytest.mark.parametrize("value", ["", "-l", "a b", "root\n", "a@b"])
def test_other_login_names_are_refused(value: str) -> None:
    with pytest.raises(InvalidValueError):
        parse_ssh_user(value)


@pytest.mark.parametrize(
    ("path", "root", "relative"),
    [("/a/b", "/a", "b"), ("/a", "/a", "."), ("/a/b/c", "/", "a/b/c")],
)
def test_paths_become_relative_to_their_root(path: str, root: str, relative: str) -> None:
    assert relativize_path(path, parse_source_root(root)) == relative


@pytest.mark.parametrize(("path", "root"), [("/ab", "/a"), ("/b", "/a"), ("/", "/a")])
def test_paths_outside_of_their_root_are_refused(path: str, root: str) -> None:
    with pytest.raises(InvalidValueError):
        relativize_path(path, root)
