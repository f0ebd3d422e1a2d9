"""What the holder of a recipient's link may see and do, in the API and on the pages."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from tempoftp.db.models import Account, Share
from tempoftp.downloads.counts import describe_downloads
from tempoftp.phrases import Phrase, Translate, keep
from tempoftp.refusals import ConfirmationNeeded, IllegalTransition
from tempoftp.settings import Settings
from tempoftp.shares.credentials import PasswordShown, describe_credentials, list_opened, request_rotation
from tempoftp.shares.extensions import describe_extension, find_last_extension
from tempoftp.shares.lifecycle import record_change
from tempoftp.shares.serializers import SECRET_FIELDS, describe_share
from tempoftp.states import State

RECIPIENT = "recipient"
"""Author of what is done through a link."""


def describe_for_recipient(
    session: Session, settings: Settings, share: Share, translate: Translate = keep
) -> dict[str, Any]:
    """Return a share for the recipient's page: state, progress, end and downloads, without credentials."""
    described = describe_share(session, settings, share, translate)
    answer = {key: value for key, value in described.items() if key not in SECRET_FIELDS}
    request = find_last_extension(session, share)
    return {
        **answer,
        "expira": answer.get("expira"),
        "descargas": answer.get("descargas") or describe_downloads(session, share),
        "vigencia_maxima": settings.lifetime_max,
        "prorroga": None if request is None else describe_extension(request),
    }


def reveal_credentials(session: Session, settings: Settings, share: Share) -> dict[str, Any]:
    """Return how to log in, with the clear password or the reason why it is not shown.

    It writes to the history of the share that they were shown, so it needs a write transaction. Raises
    IllegalTransition for a share that is not ready.
    """
    if share.state != State.LISTO:
        raise IllegalTransition("credentials_not_ready", state=share.state)
    answer = describe_credentials(session, settings, share)
    if answer["password_estado"] == PasswordShown.VISIBLE:
        reason = Phrase("password_shown_to_recipient")
    else:
        reason = Phrase("access_shown_to_recipient", shown=answer["password_estado"])
    record_change(session, share, reason=reason, author=RECIPIENT)
    return answer


def list_others_opened(session: Session, share: Share) -> list[str]:
    """Return the other shares that the password of a share's account opens."""
    account = session.get_one(Account, share.ftpuser)
    return [name for name in list_opened(session, account) if name != share.id]


def request_new_password(
    session: Session, settings: Settings, share: Share, *, confirmed: bool, request_id: str
) -> Account:
    """Give the share's account a new password, in a write transaction. The caller commits, then wakes its host.

    Without `confirmed` it raises ConfirmationNeeded with the other shares that the password opens. Raises also what
    `request_rotation` raises.
    """
    if not confirmed:
        others = list_others_opened(session, share)
        code = "confirm_new_password_of_others" if others else "confirm_new_password"
        raise ConfirmationNeeded(code, opens=others)
    _share, account = request_rotation(
        session, settings, share.id, emails=frozenset({share.email}), author=RECIPIENT, request_id=request_id
    )
    return account
