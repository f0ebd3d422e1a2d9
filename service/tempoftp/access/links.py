"""Recipients' links: a signed link to one share that expires, for a person without a token.

A link contains the random nonce of the share's row (`link_nonce`), which is another one after each revocation and for
each new request of the id. So a link that was revoked, or whose share has ended, is dead also for somebody who knows
the signing key. That key is derived from TEMPOFTP_SECRET_KEY. With several keys, the first one signs and all of them
verify. A link is compared as a whole, so each has exactly one spelling.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta

from itsdangerous import Signer
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now, utc_now
from tempoftp.db.models import Share, draw_nonce
from tempoftp.phrases import Phrase
from tempoftp.refusals import IllegalTransition, LinkNotFound
from tempoftp.settings import Settings
from tempoftp.shares.lifecycle import record_change
from tempoftp.shares.queries import lock_share
from tempoftp.states import DELIVERED, ON_ITS_WAY, State

LINK_PATH = "/enlace"
TOKEN_LENGTH = 512
"""A longer text is not a token."""
LIVING = ON_ITS_WAY | DELIVERED | {State.ERROR}
"""States in which a share has something to show, or may have it again."""


def is_link_alive(share: Share) -> bool:
    """Whether links of a share work in its present state."""
    return share.state in LIVING


def issue_link(
    session: Session, settings: Settings, share_id: str, *, author: str, request_id: str, base: str = ""
) -> str:
    """Return a new link, and write to the history who asked for it, in a write transaction.

    Without TEMPOFTP_PUBLIC_URL the link starts with `base`. Raises ShareNotFound, IllegalTransition.
    """
    share = lock_share(session, share_id, None)
    if not is_link_alive(share):
        raise IllegalTransition("nothing_to_show", state=share.state)
    share.request_id = request_id
    record_change(session, share, reason=Phrase("link_made"), author=author)
    return make_link(settings, share) or f"{base}{LINK_PATH}/{make_link_token(settings, share)}"


def make_link(settings: Settings, share: Share) -> str | None:
    """Return the address of the recipient's page of a share; None without TEMPOFTP_PUBLIC_URL."""
    if settings.public_url is None:
        return None
    return f"{settings.public_url}{LINK_PATH}/{make_link_token(settings, share)}"


def make_link_token(settings: Settings, share: Share) -> str:
    """Return a new token for a share. It is valid for `link_days`, unless the share ends earlier."""
    ends = utc_now() + timedelta(days=settings.link_days)
    content = [share.id, share.link_nonce, int(ends.timestamp())]
    payload = base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).rstrip(b"=")
    return _build_signers(settings)[0].sign(payload).decode()


def find_linked_share(session: Session, settings: Settings, token: str) -> Share:
    """Return the share of a link's token. Raises LinkNotFound, the same for every kind of invalid token."""
    content = _read_token(settings, token)
    if content is None:
        raise LinkNotFound("link_not_found")
    share_id, nonce, ends = content
    share = session.get(Share, share_id)
    if (
        share is None
        or not is_link_alive(share)
        or not hmac.compare_digest(share.link_nonce.encode(), nonce.encode())
        or database_now(session).timestamp() >= ends
    ):
        raise LinkNotFound("link_not_found")
    return share


def revoke_links(
    session: Session, share_id: str, *, emails: frozenset[str] | None, author: str, request_id: str
) -> Share:
    """Revoke every link of a share, in a write transaction. Raises ShareNotFound."""
    share = lock_share(session, share_id, emails)
    share.link_nonce = draw_nonce()
    share.request_id = request_id
    record_change(session, share, reason=Phrase("links_revoked"), author=author)
    return share


def _read_token(settings: Settings, token: str) -> tuple[str, str, int] | None:
    """Return the contents of a token that one of the present keys has signed; None for any other text."""
    if len(token) > TOKEN_LENGTH or not token.isascii():
        return None
    payload, separator, _signature = token.rpartition(".")
    if not separator:
        return None
    signed = [signer.sign(payload.encode()) for signer in _build_signers(settings)]
    if not any([hmac.compare_digest(token.encode(), text) for text in signed]):
        return None
    match json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))):
        case [str(share_id), str(nonce), int(ends)]:
            return share_id, nonce, ends
    return None  # signed by another version of this service


def _build_signers(settings: Settings) -> list[Signer]:
    return [
        Signer(key, salt="tempoftp.recipient", key_derivation="none", digest_method=hashlib.sha256)
        for key in settings.derive_keys("recipient links")
    ]
