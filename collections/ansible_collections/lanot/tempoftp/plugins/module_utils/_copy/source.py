# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the options of a source before anything runs."""

from __future__ import annotations

from typing import Optional

from .._copy.ssh import SourceOptions, check_file, resolve_source
from .._host.errors import InvalidValueError
from .._host.names import parse_source_root, relativize_path

# How a source on the FTP host itself may be delivered. For a source over ssh, only the first two are possible.
METHODS = ("auto", "rsync", "copy", "reflink", "bind")

_REMOTE_METHODS = ("auto", "rsync")


def check_source(options: SourceOptions) -> Optional[str]:
    """Check the options of a source and return its source_root; raise InvalidValueError for one that is not valid."""
    source = resolve_source(options.source, options.ssh_user)
    source_root = None if options.source_root is None else parse_source_root(options.source_root)
    if source_root is not None:
        relativize_path(source.path, source_root)
        if options.size_probe == "du":
            raise InvalidValueError(
                "size_probe du needs a shell on the source, which a source_root excludes: use rsync"
            )
    if options.size_probe not in ("rsync", "du"):
        raise InvalidValueError(f"size_probe {options.size_probe!r} is refused: it is rsync or du")
    _check_method(options)
    check_file(options.ssh_key_file or "", "ssh_key_file")
    check_file(options.ssh_config_file or "", "ssh_config_file")
    check_file(options.ssh_known_hosts_file or "", "ssh_known_hosts_file")
    return source_root


def _check_method(options: SourceOptions) -> None:
    method = options.method
    if method not in METHODS:
        raise InvalidValueError(f"method {method!r} is refused: it is one of {', '.join(METHODS)}")
    if not options.local and method not in _REMOTE_METHODS:
        raise InvalidValueError(
            f"method {method} is refused for {options.source}: it needs a source on the FTP host itself (local)"
        )
    if options.local and method == "rsync":
        raise InvalidValueError(
            f"method rsync is refused for {options.source}: it is local; use auto or copy"
        )
    if options.local and options.size_probe != "rsync":
        raise InvalidValueError(
            f"size_probe {options.size_probe} is refused for {options.source}: it is local; use rsync"
        )
