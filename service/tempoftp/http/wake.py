"""Step 3 of the flow, as the API does it: wake the workers of a host after the row is committed."""

from __future__ import annotations

import logging

from tempoftp.hosts.wake_ups import wake
from tempoftp.settings import Settings

logger = logging.getLogger(__name__)


def wake_host(settings: Settings, ftp_host: str) -> None:
    """Tell the workers that a share of this FTP host is due.

    A wake-up that gets lost costs seconds, since the worker looks for due rows by itself. So it never fails a request
    whose row is already committed.
    """
    try:
        wake(settings, ftp_host)
    except Exception as error:
        logger.warning("wake-up for %s was lost (%s); the worker will find the row itself", ftp_host, error)
