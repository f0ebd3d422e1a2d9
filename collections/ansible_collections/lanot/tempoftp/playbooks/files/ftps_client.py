"""A real FTP client for the scenarios: sessions asked for in JSON on stdin, answered in JSON on stdout.

    {"host": "…", "port": 21, "user": "…", "password_file": "…", "fingerprint": "sha256:AA:BB…", "fetch": "id"}

With `hold` the session then stays open, idle, for so many seconds: `ended` says whether the server ended it before.
`tls: false` tries in clear text, `password` replaces the file, `commands` are sent after the login as they are, and
`upload` is a path to write to. Of a list, all are tried at the same time: a server makes whom it refuses wait.

A refused login is an answer (`logged_in: false` with the server's `reply`); a server that cannot be reached, or that
shows another certificate, is an error: exit status 1. So no test of a refusal passes because nothing runs.
"""

from __future__ import annotations

import ftplib
import hashlib
import io
import json
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

TIMEOUT = 30  # seconds, for every single reply


class ClientError(RuntimeError):
    """The session could not be started; the message says why."""


def run_session(wanted: dict[str, Any]) -> dict[str, Any]:
    """Connect, log in and do the requested steps; return the answers of the server."""
    try:
        session = connect(wanted)
    except ftplib.Error as error:  # it does not even begin: this is what clear text may get
        return {"logged_in": False, "reply": str(error)}
    try:
        reply = session.login(wanted["user"], read_password(wanted))
    except ftplib.Error as error:
        return {"logged_in": False, "reply": str(error)}
    answer: dict[str, Any] = {"logged_in": True, "reply": reply}
    if isinstance(session, ftplib.FTP_TLS):
        session.prot_p()
    if "commands" in wanted:
        answer["replies"] = [send(session, command) for command in wanted["commands"]]
    if "upload" in wanted:
        answer["upload"] = upload(session, wanted["upload"])
    if "fetch" in wanted:
        answer["names"] = sorted(name for name, _kind in list_folder(session, "/"))
        answer["sha256"] = sorted(fetch(session, wanted["fetch"], "."))
    if "hold" in wanted:
        answer["ended"] = is_ended_within(session, wanted["hold"])
    session.close()
    return answer


def connect(wanted: dict[str, Any]) -> ftplib.FTP:
    """Open the control connection; with TLS, only to the server whose certificate is expected."""
    if not wanted.get("tls", True):
        plain = ftplib.FTP(timeout=TIMEOUT, encoding="utf-8")
        plain.connect(wanted["host"], wanted["port"])
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # self-signed: the fingerprint below is what counts
    session = ftplib.FTP_TLS(timeout=TIMEOUT, encoding="utf-8", context=context)
    session.connect(wanted["host"], wanted["port"])
    session.auth()
    assert isinstance(session.sock, ssl.SSLSocket)
    certificate = session.sock.getpeercert(binary_form=True) or b""
    seen = "sha256:" + hashlib.sha256(certificate).digest().hex(":").upper()
    if seen != wanted["fingerprint"]:
        raise ClientError(f"the server shows the certificate {seen}, not {wanted['fingerprint']}")
    return session


def read_password(wanted: dict[str, Any]) -> str:
    if "password" in wanted:
        return str(wanted["password"])
    return Path(wanted["password_file"]).read_text(encoding="utf-8").strip()


def is_ended_within(session: ftplib.FTP, seconds: float) -> bool:
    """Wait without sending anything; return whether the server ended the session meanwhile."""
    assert session.sock is not None
    session.sock.settimeout(seconds)
    try:
        return not session.sock.recv(4096) or is_ended_within(session, seconds)
    except TimeoutError:
        return False
    except OSError:
        return True


def send(session: ftplib.FTP, command: str) -> str:
    """Send one command and return the server's reply, also a refusal."""
    try:
        return session.sendcmd(command)
    except ftplib.Error as error:
        return str(error)


def upload(session: ftplib.FTP, path: str) -> str:
    """Try to write a file and return the server's reply."""
    try:
        return session.storbinary(f"STOR {path}", io.BytesIO(b"not wanted here\n"))
    except ftplib.Error as error:
        return str(error)


def list_folder(session: ftplib.FTP, path: str) -> list[tuple[str, str]]:
    """Return name and type (`file`, `dir`, …) of what is in a folder."""
    session.cwd(path)
    return [(name, facts["type"]) for name, facts in session.mlsd() if facts["type"] not in ("cdir", "pdir")]


def fetch(session: ftplib.FTP, root: str, folder: str) -> list[str]:
    """Download all files below /root/folder; return lines as `sha256sum` prints them in /root."""
    lines = []
    for name, kind in list_folder(session, f"/{root}/{folder}"):
        path = f"{folder}/{name}"
        if kind == "dir":
            lines += fetch(session, root, path)
            continue
        digest = hashlib.sha256()
        session.retrbinary(f"RETR /{root}/{path}", digest.update)
        lines.append(f"{digest.hexdigest()}  {path}")
    return lines


def main() -> int:
    try:
        wanted = json.load(sys.stdin)
        if isinstance(wanted, list):
            with ThreadPoolExecutor(len(wanted)) as pool:
                answer: Any = list(pool.map(run_session, wanted))
        else:
            answer = run_session(wanted)
    except (ClientError, OSError, EOFError) as error:
        print(f"ftps_client: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
