"""The tables, one file for each group. Times are UTC; identifiers compare byte by byte in every database."""

from tempoftp.db.models.accounts import Account
from tempoftp.db.models.base import Base, Leased, UtcDateTime, identifier
from tempoftp.db.models.hosts import FtpHost, HostAudit, Preview, Run, RunTotal, WorkerProcess
from tempoftp.db.models.notices import Notice, NoticeDelivery
from tempoftp.db.models.shares import Downloads, ExtensionRequest, HistoryEntry, Share, draw_nonce
from tempoftp.db.models.tokens import Caller, Token

__all__ = [
    "Account",
    "Base",
    "Caller",
    "Downloads",
    "ExtensionRequest",
    "FtpHost",
    "HistoryEntry",
    "HostAudit",
    "Leased",
    "Notice",
    "NoticeDelivery",
    "Preview",
    "Run",
    "RunTotal",
    "Share",
    "Token",
    "UtcDateTime",
    "WorkerProcess",
    "draw_nonce",
    "identifier",
]
