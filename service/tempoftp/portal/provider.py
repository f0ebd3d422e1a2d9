"""The OpenID Connect provider, through Authlib: the authorization code flow with PKCE (S256), state and nonce.

This module adds what Authlib does not check: only known keys of the discovery document are used, its issuer must be the
configured one, the audience must be this client, and only signatures with a private key are accepted (never `none`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import httpx
from authlib.integrations.base_client import (
    BaseApp,
    FrameworkIntegration,
    MismatchingStateError,
    OAuth2Mixin,
    OAuthError,
    OpenIDMixin,
)
from flask import Flask, current_app, request, session
from joserfc.errors import JoseError

from tempoftp.access.identities import Identity
from tempoftp.access.tokens import Role
from tempoftp.accounts.emails import normalise_email
from tempoftp.http.context import get_context
from tempoftp.notices.sending import clean
from tempoftp.portal.provider_calls import ProviderSession
from tempoftp.portal.routes import PREFIX
from tempoftp.portal.sign_in_failures import Failure, SignInFailed
from tempoftp.settings import Settings, is_safe_url

PROVIDER = "proveedor"
START_PATH = "/entrar/proveedor"
RETURN_PATH = f"{START_PATH}/vuelta"
DISCOVERY_PATH = "/.well-known/openid-configuration"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signature algorithms with a private key, which only the provider has."""
METADATA_SECONDS = 3600
"""After this time the discovery document and the keys are fetched again."""
LEEWAY_SECONDS = 60
"""How much the provider's clock may differ from this one."""
_STATE_PREFIX = f"_state_{PROVIDER}_"
_EXTENSION = "tempoftp_provider"

Claims = Mapping[str, Any]


class SessionStates(FrameworkIntegration):  # type: ignore[misc]
    """Lets Authlib keep a sign-in that was begun in the portal's session. (Its own class for Flask needs requests.)"""

    def update_token(self, token: Any, refresh_token: Any = None, access_token: Any = None) -> None:
        """Do nothing: a token is used once, for its claims."""


class ProviderApp(OAuth2Mixin, OpenIDMixin, BaseApp):  # type: ignore[misc]
    """Authlib's client, with a discovery document that is checked and fetched again from time to time."""

    client_cls = ProviderSession
    server_metadata: dict[str, Any]

    def load_server_metadata(self) -> dict[str, Any]:
        """Return the checked discovery document. Raises SignInFailed."""
        if time.time() - self.server_metadata.get("_loaded_at", 0) > METADATA_SECONDS:
            with self._get_session() as calls:
                answer = calls.request("GET", self._server_metadata_url, withhold_token=True)
                answer.raise_for_status()
                found = answer.json()
            issuer = get_context().settings.oidc_issuer
            self.server_metadata = check_metadata(found, str(issuer)) | {"_loaded_at": time.time()}
        return self.server_metadata

    def authorize_access_token(self, claims_options: dict[str, Any], leeway: int) -> dict[str, Any]:
        """Return the token for the code of the present request, with the checked claims as its `userinfo`."""
        state = request.args.get("state")
        begun = self.framework.get_state_data(session, state)
        self.framework.clear_state_data(session, state)
        parameters = self._format_state_params(begun, {"code": request.args.get("code"), "state": state})
        token: dict[str, Any] = self.fetch_access_token(**parameters)
        if "id_token" in token and "nonce" in begun:
            token["userinfo"] = self.parse_id_token(
                token, nonce=begun["nonce"], claims_options=claims_options, leeway=leeway
            )
        return token


def check_metadata(found: object, issuer: str) -> dict[str, Any]:
    """Return the known keys of a discovery document, checked; Authlib would take any other key as an option."""
    if not isinstance(found, Mapping) or found.get("issuer") != issuer:
        raise SignInFailed(Failure.ANSWER, "the discovery document is of another issuer")
    kept = {name: found.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    if found.get("userinfo_endpoint") is not None:
        kept["userinfo_endpoint"] = found["userinfo_endpoint"]
    for name, value in kept.items():
        if not isinstance(value, str) or not is_safe_url(value):
            raise SignInFailed(Failure.ANSWER, f"{name} is no https address")
    offered = found.get("id_token_signing_alg_values_supported", ["RS256"])
    algorithms = [name for name in ALGORITHMS if isinstance(offered, list) and name in offered]
    if not algorithms:
        raise SignInFailed(Failure.ANSWER, "the provider signs with no private key")
    methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    is_basic = not isinstance(methods, list) or "client_secret_basic" in methods
    return {
        **kept,
        "issuer": issuer,
        "id_token_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_method": "client_secret_basic" if is_basic else "client_secret_post",
    }


def init_provider(app: Flask, settings: Settings) -> None:
    """Build the provider's client if one is configured; it makes no call yet."""
    if settings.oidc_issuer is None or settings.oidc_client_secret is None:
        return
    app.extensions[_EXTENSION] = ProviderApp(
        SessionStates(PROVIDER),
        PROVIDER,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        server_metadata_url=settings.oidc_issuer.rstrip("/") + DISCOVERY_PATH,
        client_kwargs={
            "scope": settings.oidc_scopes,
            "code_challenge_method": "S256",
            "seconds": settings.oidc_timeout_seconds,
            "ca": settings.oidc_ca,
        },
    )


def is_configured() -> bool:
    """Whether people may sign in through a provider."""
    return _EXTENSION in current_app.extensions


def begin_sign_in() -> str:
    """Return the provider's address to redirect to; the browser's cookie keeps state, nonce and verifier.

    Raises SignInFailed.
    """
    # Never from the request, whose Host header the client can forge.
    redirect_uri = f"{get_context().settings.public_url}{PREFIX}{RETURN_PATH}"
    client = current_app.extensions[_EXTENSION]
    with _call_provider():
        made = client.create_authorization_url(redirect_uri)
    forget_sign_ins()
    state = made.pop("state")
    client.framework.set_state_data(session, state, {"redirect_uri": redirect_uri, **made})
    return cast("str", made["url"])


def forget_sign_ins() -> None:
    """Drop earlier sign-ins that were begun: only the last one counts, and the cookie has little room."""
    for name in [name for name in session if name.startswith(_STATE_PREFIX)]:
        del session[name]


def finish_sign_in() -> Identity:
    """Return the identity of the person whom the provider has sent back. Raises SignInFailed.

    Success or not, the sign-in is over afterwards: the same address cannot be used a second time.
    """
    settings = get_context().settings
    begun = session.get(f"{_STATE_PREFIX}{request.args.get('state')}")
    if begun is None or begun["exp"] < time.time():
        raise SignInFailed(Failure.STATE)
    client = current_app.extensions[_EXTENSION]
    try:
        error = request.args.get("error")
        if error is not None:
            raise SignInFailed(*_classify_error(error))
        with _call_provider():
            token = client.authorize_access_token(
                claims_options={
                    "iss": {"essential": True, "value": settings.oidc_issuer},
                    "aud": {"essential": True, "value": settings.oidc_client_id},
                    "sub": {"essential": True, "validate": lambda _claims, value: isinstance(value, str)},
                },
                leeway=LEEWAY_SECONDS,
            )
            claims = token.get("userinfo")
            if claims is None:
                raise SignInFailed(Failure.TOKEN, "there is none")
            documents = [claims, *_ask_for_more(client, settings, token, claims)]
    finally:
        forget_sign_ins()
    return read_identity(settings, documents)


def _ask_for_more(client: Any, settings: Settings, token: Any, claims: Claims) -> list[Claims]:
    """Return the claims of the userinfo endpoint when the ID token lacks the role or the e-mail."""
    is_enough = choose_role(settings, [claims]) is not None and find_email(settings, [claims]) is not None
    if is_enough or "userinfo_endpoint" not in client.load_server_metadata():
        return []
    more = client.userinfo(token=token)
    if more.get("sub") != claims["sub"]:
        raise SignInFailed(Failure.TOKEN, "the userinfo endpoint speaks of somebody else")
    return [more]


def _classify_error(error: str) -> tuple[Failure, str]:
    if error == "access_denied":
        return Failure.DENIED, error
    unavailable = error in ("temporarily_unavailable", "server_error")
    return Failure.UNREACHABLE if unavailable else Failure.ANSWER, clean(error, 60)


@contextmanager
def _call_provider() -> Iterator[None]:
    """Hold one of the slots for calls to the provider, and turn every failure into SignInFailed."""
    slots = get_context().sign_in_slots
    if not slots.acquire(blocking=False):
        raise SignInFailed(Failure.BUSY)
    try:
        yield
    except MismatchingStateError:
        raise SignInFailed(Failure.STATE) from None
    except OAuthError as error:
        # The token endpoint answers `invalid_grant` for a code that was used, or that belongs to another browser.
        if error.error == "invalid_grant":
            raise SignInFailed(Failure.STATE, error.error) from None
        raise SignInFailed(Failure.ANSWER, clean(error.error, 60)) from None
    except JoseError as error:
        raise SignInFailed(Failure.TOKEN, _name_claim(error)) from None
    except (httpx.HTTPError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        # Authlib raises any of these for a malformed answer.
        raise SignInFailed(Failure.ANSWER, type(error).__name__) from None
    finally:
        slots.release()


def _name_claim(error: JoseError) -> str:
    claim = getattr(error, "claim", None)
    return f"{error.error} ({claim})" if isinstance(claim, str) else error.error


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
    """Return the first e-mail that its document marks as verified; with TEMPOFTP_OIDC_TRUST_EMAIL, the first e-mail."""
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
