"""One spelling for the e-mail addresses of requesters."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email


def normalise_email(value: str) -> str:
    """Return the e-mail in the spelling that identifies its owner: NFC, lower case.

    A domain without a dot is accepted, for names of the local network. Raises ValueError.
    """
    try:
        found = validate_email(
            value, check_deliverability=False, globally_deliverable=False, test_environment=True
        )
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {error}") from None
    return found.normalized.lower()
