"""A real FTPS client, which does what a recipient's program does."""

from __future__ import annotations

import ftplib
import hashlib
import io
import ssl
from pathlib import PurePosixPath


def build_context(certificate: str | None = None) -> ssl.SSLContext:
    """A context that trusts exactly `certificate` (PEM); no name is checked, since the certificate has none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if certificate is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=certificate)
    return context


def log_in(host: str, user: str, password: str, *, certificate: str | None = None) -> ftplib.FTP_TLS:
    """An FTPS session with protected data channel; raises ftplib.error_perm when refused."""
    client = ftplib.FTP_TLS(context=build_context(certificate), timeout=30)
    client.encoding = "utf-8"
    client.connect(host, 21)
    try:
        client.login(user, password)
        client.prot_p()
    except BaseException:
        client.close()
        raise
    return client


def read_tree(client: ftplib.FTP_TLS, folder: str) -> dict[str, str]:
    """Download every file below `folder`; return `{relative path: sha256}`."""
    found: dict[str, str] = {}
    pending = [PurePosixPath(folder)]
    while pending:
        current = pending.pop()
        for name, facts in list(client.mlsd(str(current))):
            if facts["type"] == "dir":
                pending.append(current / name)
            elif facts["type"] == "file":
                path = current / name
                found[str(path.relative_to(folder))] = _download_digest(client, str(path))
    return found


def _download_digest(client: ftplib.FTP_TLS, path: str) -> str:
    digest = hashlib.sha256()
    client.retrbinary(f"RETR {path}", digest.update, blocksize=1 << 20)
    return digest.hexdigest()


def try_upload(client: ftplib.FTP_TLS, path: str, content: bytes = b"x") -> None:
    """Store one small file; raises ftplib.error_perm when the server refuses, as it does for a read-only share."""
    client.storbinary(f"STOR {path}", io.BytesIO(content))
