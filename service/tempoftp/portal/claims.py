"""Reads a person's identity and role from the provider's claims. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tempoftp.access.identities import Identity
from tempoftp.access.tokens import Role
from tempoftp.accounts.emails import normalise_email
from tempoftp.portal.sign_in_failures import Failure, SignInFailed
from tempoftp.settings import Settings

Claims = Mapping[str, Any]


def read_identity(settings: Settings, documents: Sequence[Claims]) -> Identity:
    """Return the identity from the claims of the ID token and, after them, those of the userinfo endpoint.

    Raises SignInFailed for a person without a role, and for a `cliente` without an e-mail.
    """
    role = choose_role(settings, documents)
    if role is None:
        raise SignInFailed(Failure.NO_ROLE)
    email = find_email(settings, documents)
    if role is Role.CLIENTE and email is None:
        raise SignInFailed(Failure.NO_EMAIL)
    return Identity(str(settings.oidc_issuer), str(documents[0]["sub"]), role, email)


def choose_role(settings: Settings, documents: Sequence[Claims]) -> Role | None:
    """Return the highest role of the first document that has the claim; None when it gives no role."""
    for claims in documents:
        found = read_claim(claims, settings.oidc_role_claim)
        if found is None:
            continue
        values = found if isinstance(found, list) else [found]
        roles = {Role(rule.role) for rule in settings.oidc_roles if rule.value in values}
        return max(roles, key=list(Role).index, default=None)
    return None


def find_email(settings: Settings, documents: Sequence[Claims]) -> str | None:
    """Return the first e-mail that its document calls verified; any e-mail counts when the settings trust it."""
    for claims in documents:
        email = claims.get("email")
        # Some providers send the text "true" instead of the value.
        verified = claims.get("email_verified") in (True, "true")
        if isinstance(email, str) and (verified or settings.oidc_trust_email):
            try:
                return normalise_email(email)
            except ValueError:
                continue
    return None


def read_claim(claims: Claims, name: str) -> Any:
    """Return a claim by its name, or by the name as a path with dots; None when there is none."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found
