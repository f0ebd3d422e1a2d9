"""E-mail addresses of requesters, in one spelling."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email


def normalise_email(value: str) -> str:
    """Return the e-mail in the one spelling that stands for its owner: NFC, lower case.

    A domain without a dot is fine (names of the own network). Raises ValueError.
    """
    try:
        found = validate_email(
            value, check_deliverability=False, globally_deliverable=False, test_environment=True
        )
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {error}") from None
    return found.normalized.lower()
