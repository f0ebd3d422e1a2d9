"""What commands on the service's host say when the domains refuse: one English text for every code that they meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tempoftp.refusals import Refused

_ACCOUNT_TAKEN = "The account is taken"
_INVALID = "The request is not valid"
_TOKEN_REFUSED = "The token is refused"  # noqa: S105 - words

REFUSALS: dict[str, tuple[str, str]] = {
    "ftpuser_malformed": (_INVALID, "account %(name)r is refused: it must match ^%(pattern)s$"),
    "email_malformed": (_INVALID, "%(email)r %(why)s"),
    "account_not_mapped": (_INVALID, "no account was mapped to %(email)s: see tempoftp account list"),
    "account_of_another": (
        _ACCOUNT_TAKEN,
        "account %(name)s is %(email)s's: unmap that one first, or map another account",
    ),
    "email_has_account": (
        _ACCOUNT_TAKEN,
        "%(email)s has the account %(name)s on %(ftp_host)s: two would need two e-mails "
        "(tempoftp account unmap gives it up when no share ever used it)",
    ),
    "account_on_other_host": (
        _ACCOUNT_TAKEN,
        "account %(name)s is on %(ftp_host)s: accounts do not move between FTP hosts",
    ),
    "account_used": (
        _ACCOUNT_TAKEN,
        "account %(name)s has been used for shares of %(email)s: an account is never given to a second person",
    ),
    "token_name_malformed": (
        _TOKEN_REFUSED,
        "a token's name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit",
    ),
    "token_name_used": (
        _TOKEN_REFUSED,
        "there is a token %(name)r already, or was: histories name their authors by it, so choose another name",
    ),
    "token_emails_unwanted": (
        _TOKEN_REFUSED,
        "an operator acts for everybody: give no e-mails, or the role cliente",
    ),
    "token_emails_missing": (
        _TOKEN_REFUSED,
        "say for which e-mails the token may act, or * for a trusted application",
    ),
    "token_email_malformed": (_TOKEN_REFUSED, "an e-mail %(why)s"),
    "token_not_found": (
        _TOKEN_REFUSED,
        "there is no token %(name)r; `tempoftp token list` shows those there are",
    ),
    "identity_not_found": (
        _TOKEN_REFUSED,
        "%(name)r is nobody who signs in through the provider; a token that was revoked stays so: make another",
    ),
    "identity_revoked": (
        _TOKEN_REFUSED,
        "%(name)s was revoked; `tempoftp token readmit` lets this person in again",
    ),
}


def word_refusal(error: Refused) -> str:
    """Return a refusal as a command prints it: what was refused, why, and what to do."""
    title, detail = REFUSALS[error.code]
    return f"{title}: {detail % error.params}"
