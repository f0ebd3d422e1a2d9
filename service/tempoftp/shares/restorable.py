"""Until when an ended share can be restored. Its FTP host says so when the share is gone (`restorable_until`)."""

from __future__ import annotations

from datetime import datetime

from tempoftp.db.models import Account, Share
from tempoftp.settings import Settings
from tempoftp.states import TERMINAL


def find_restorable_until(
    settings: Settings, share: Share, account: Account, now: datetime
) -> datetime | None:
    """Return until when a share can be restored; None when it cannot."""
    if share.state not in TERMINAL or not is_in_trash(share, now):
        return None
    return share.restorable_until if is_host_there(settings, share, account) else None


def is_in_trash(share: Share, now: datetime) -> bool:
    """Whether the FTP host still keeps the data of an ended share."""
    return share.restorable_until is not None and share.restorable_until > now


def is_host_there(settings: Settings, share: Share, account: Account) -> bool:
    """Whether the share's FTP host is one of ours, and its account still lives there."""
    return share.ftp_host in settings.ftp_host_names and account.ftp_host == share.ftp_host
