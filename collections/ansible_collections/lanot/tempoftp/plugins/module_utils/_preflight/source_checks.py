# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a source host. Each one judges values that ``source_host`` has read. Pure.

The role ``source_host`` installs rsync, makes the user and writes keys into its ``.ssh/authorized_keys``. It changes
nothing of sshd: what keeps such a key out there is a failure that ``site.yml`` would not notice.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple, Optional

from .checks import FAIL, OK, SITE, WARN, Check

KEYS_FILE = ".ssh/authorized_keys"
# Shells that end at once: rsync is started by the user's shell, also for a key with a command of its own.
_NO_SHELLS = ("nologin", "false", "true", "sync")
_DAY = 86400


class Reader(NamedTuple):
    """The user as whom the FTP hosts read. ``groups``: names; ``locked`` and ``expires`` (days) are of its password."""

    name: str
    home: str
    shell: str
    groups: tuple[str, ...] = ()
    locked: bool = False
    expires: Optional[int] = None


class PathFacts(NamedTuple):
    """A path on the way to the keys: its owner and mode."""

    path: str
    uid: int
    mode: int


def check_reader(name: str, reader: Optional[Reader], now: float) -> Check:
    """Check whether the user can run rsync. *reader*: None: there is no such user. *now*: seconds since the epoch."""
    if reader is None:
        return Check("ssh_user", WARN, f"there is no user {name}", f"{SITE}, which makes it")
    if PurePosixPath(reader.shell).name in _NO_SHELLS:
        return Check(
            "ssh_user",
            FAIL,
            f"the login shell of {name} is {reader.shell}",
            f"usermod --shell /bin/sh {name}: rsync is started by this shell. Its keys allow nothing else",
        )
    if reader.expires is not None and reader.expires * _DAY <= now:
        return Check("ssh_user", FAIL, f"the account {name} has expired", f"usermod --expiredate '' {name}")
    return Check("ssh_user", OK, f"{name}, shell {reader.shell}")


def check_rrsync(path: str, is_executable: bool, has_rsync: bool) -> Check:
    """Check the program that restricts a key to its root."""
    if is_executable:
        return Check("rrsync", OK, path)
    what = f"{path} is not there"
    if not has_rsync:
        return Check("rrsync", WARN, what, f"{SITE}, which installs it")
    return Check(
        "rrsync",
        WARN,
        what,
        f"{SITE}, which fails if the package of the distribution does not bring it; else install it there, or set "
        "restricted: false for the root, whose key can then run any command",
    )


def check_source_root(
    name: str,
    path: str,
    reader: Optional[Reader],
    *,
    kind: Optional[str],
    error: Optional[str],
    created: bool,
) -> Check:
    """Check one root. *kind*: ``directory``, ``other`` or None; *error*: why the user could not list it."""
    label = f"root:{name}"
    if kind is None:
        if created:
            return Check(
                label, WARN, f"{path} is not there", f"{SITE}, which makes it (source_host_create_roots)"
            )
        todo = "mount the data, or correct tempoftp_sources: site.yml does not make it"
        return Check(label, FAIL, f"{path} is not there", todo)
    if kind != "directory":
        return Check(label, FAIL, f"{path} is no folder", "correct tempoftp_sources")
    if reader is None:
        todo = f"{SITE}, which makes the user, then look again"
        return Check(label, WARN, f"{path} is there; whether its user can read it is not known yet", todo)
    if error is not None:
        todo = f"let {reader.name} list {path} and every folder above it"
        return Check(label, FAIL, f"{reader.name} cannot list {path}: {error}", todo)
    return Check(label, OK, f"{reader.name} can list {path}; what lies below was not tried")


def check_keys_file(
    reader: Reader, sshd: Mapping[str, Sequence[str]], paths: Sequence[PathFacts], uid: int
) -> Check:
    """Check whether sshd reads the file into which the role writes the keys, and trusts it.

    *paths*: the home, and of the folder and file of the keys what is there. *uid*: that of the user.
    """
    wanted = f"{reader.home}/{KEYS_FILE}"
    files = sshd.get("authorizedkeysfile", (KEYS_FILE,))
    if wanted not in [_expand(file, reader) for file in files]:
        return Check(
            "authorized_keys",
            FAIL,
            f"sshd reads the keys of {reader.name} from {' '.join(files)}",
            f"add {KEYS_FILE} to AuthorizedKeysFile: site.yml writes the keys to {wanted}",
        )
    if not paths:
        return Check(
            "authorized_keys",
            FAIL,
            f"the home of {reader.name}, {reader.home}, is not there",
            "make it: the keys are written below it",
        )
    loose = [facts.path for facts in paths if facts.uid not in (0, uid) or facts.mode & 0o022]
    if loose and sshd.get("strictmodes", ("yes",))[0] != "no":
        return Check(
            "authorized_keys",
            FAIL,
            f"{', '.join(loose)}: others may change it, so sshd ignores the keys (StrictModes)",
            f"chown {reader.name} and chmod go-w",
        )
    return Check("authorized_keys", OK, wanted)


def check_sshd(reader: Reader, sshd: Mapping[str, Sequence[str]], address: str) -> Check:
    """Check whether sshd lets the user in by a key and runs what the key says. *address*: where it comes from."""
    name = reader.name
    methods = sshd.get("authenticationmethods", ("any",))
    forced = " ".join(sshd.get("forcecommand", ("none",)))
    problems = [
        (sshd.get("pubkeyauthentication", ("yes",))[0] == "no", "PubkeyAuthentication no", "allow keys"),
        (
            not {"any", "publickey"} & set(methods),
            f"AuthenticationMethods {' '.join(methods)}",
            "let publickey alone be enough",
        ),
        (forced != "none", f"ForceCommand {forced}", "it replaces the command of the keys: take it away"),
        (
            reader.locked and sshd.get("usepam", ("yes",))[0] == "no",
            f"the password of {name} is locked, and UsePAM is no",
            f"usermod --password '*' {name}",
        ),
        *_judge_lists(reader, sshd, address),
    ]
    wrong = [(what, todo) for is_wrong, what, todo in problems if is_wrong]
    if wrong:
        whats, todos = zip(*wrong)
        todo = f"in sshd's configuration, for {name} (Match User {name}): {'; '.join(todos)}"
        return Check("sshd", FAIL, "; ".join(whats), todo)
    return Check("sshd", OK, f"lets {name} in by a key{f' from {address}' if address else ''}")


def parse_sshd(text: str) -> dict[str, tuple[str, ...]]:
    """Return what ``sshd -T`` prints: each option in small letters with its words, of all its lines."""
    options: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        name, *words = line.split()[:1] + line.split()[1:]
        options[name.lower()] = options.get(name.lower(), ()) + tuple(words)
    return options


def _judge_lists(
    reader: Reader, sshd: Mapping[str, Sequence[str]], address: str
) -> list[tuple[bool, str, str]]:
    """Return whether each list of users and groups keeps the user out, in the words of sshd's configuration."""
    judged = []
    for option, names, is_allow in (
        ("AllowUsers", (reader.name,), True),
        ("DenyUsers", (reader.name,), False),
        ("AllowGroups", reader.groups, True),
        ("DenyGroups", reader.groups, False),
    ):
        patterns = sshd.get(option.lower(), ())
        is_named = any(_matches(pattern, name, address) for pattern in patterns for name in names)
        todo = f"add it to {option}" if is_allow else f"take it off {option}"
        judged.append((bool(patterns) and is_named is not is_allow, f"{option} {' '.join(patterns)}", todo))
    return judged


def _matches(pattern: str, name: str, address: str) -> bool:
    """Whether a pattern of sshd, ``NAME`` or ``NAME@HOST``, names the user. A negated one names nobody."""
    user, _at, host = pattern.partition("@")
    if pattern.startswith("!") or not _glob(user, name):
        return False
    if not host or _glob(host, address):
        return True
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(host, strict=False)
    except ValueError:
        return False


def _glob(pattern: str, text: str) -> bool:
    """Whether *text* fits a pattern with ``*`` and ``?`` only, as sshd reads it."""
    return bool(re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text))


def _expand(file: str, reader: Reader) -> str:
    """Return the path of an AuthorizedKeysFile: relative ones begin in the home."""
    path = file.replace("%h", reader.home).replace("%u", reader.name).replace("%%", "%")
    return path if path.startswith("/") else f"{reader.home}/{path}"
