"""Command lines to paste into a terminal, for one share. None contains the password: each program asks for it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

CERTIFICATE = "servidor.pem"


@dataclass(frozen=True, slots=True)
class PasteLine:
    """A program and its command line."""

    program: str
    line: str


def build_lines(share: Mapping[str, Any]) -> list[PasteLine]:
    """Return the lines for a share that is `listo`, as `describe_share` returns it; none when the server is unknown."""
    server = share["servidor"]
    if not server["host"]:
        return []
    host, port, user = str(server["host"]), int(server["puerto"] or 21), str(share["usuario"])
    folder = str(share["directorio"] or share["id"]).rsplit("/", 1)[-1]
    place = f"[{host}]" if ":" in host else host
    url = f"{place}:{port}/{quote(folder)}/"
    tls = bool(server["tls"])
    lines = []
    if tls:
        lines.append(PasteLine("openssl", _fetch_certificate(f"{place}:{port}")))
    trust = f"set ftp:ssl-force true; set ssl:ca-file {CERTIFICATE}; " if tls else "set ftp:ssl-allow false; "
    commands = f"{trust}mirror --continue {shlex.quote(folder)}; quit"
    lines += [
        PasteLine(
            "lftp", f"lftp -u {shlex.quote(user)} -p {port} -e {shlex.quote(commands)} {shlex.quote(place)}"
        ),
        PasteLine("curl", _list_with_curl(url, user, tls=tls)),
        PasteLine("wget", _mirror_with_wget(url, user, tls=tls)),
    ]
    return lines


def _fetch_certificate(place: str) -> str:
    return (
        f"openssl s_client -starttls ftp -connect {shlex.quote(place)} </dev/null 2>/dev/null | "
        f"openssl x509 -out {CERTIFICATE} && openssl x509 -in {CERTIFICATE} -noout -fingerprint -sha256"
    )


def _list_with_curl(url: str, user: str, *, tls: bool) -> str:
    trust = f"--ssl-reqd --cacert {CERTIFICATE} " if tls else ""
    return f"curl {trust}--user {shlex.quote(user)} {shlex.quote('ftp://' + url)}"


def _mirror_with_wget(url: str, user: str, *, tls: bool) -> str:
    trust = f"--ca-certificate={CERTIFICATE} " if tls else ""
    scheme = "ftps://" if tls else "ftp://"
    return f"wget -r -nH -c {trust}--user={shlex.quote(user)} --ask-password {shlex.quote(scheme + url)}"
