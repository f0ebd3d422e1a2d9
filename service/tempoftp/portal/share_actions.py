"""Which changes a page offers for a share, by its state and the caller's role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext

from tempoftp.access.links import LIVING
from tempoftp.access.tokens import Role
from tempoftp.states import DELIVERED, ENDING, ON_ITS_WAY, TERMINAL, State


@dataclass(frozen=True, slots=True)
class Action:
    """A change that a page offers. `name` is the last part of its path."""

    name: str
    label: Any
    """A lazy text: it is translated when the page is written."""
    role: Role = Role.CLIENTE
    harmful: bool = False


EXTEND = Action("vigencia", lazy_gettext("Cambiar la vigencia"))
RETRY = Action("reintentar", lazy_gettext("Reintentar"))
PASSWORD = Action("password", lazy_gettext("Contraseña nueva"))
BLOCK = Action("bloquear", lazy_gettext("Bloquear"), Role.OPERADOR, harmful=True)
UNBLOCK = Action("desbloquear", lazy_gettext("Desbloquear"), Role.OPERADOR)
LINKS = Action("enlaces", lazy_gettext("Retirar los enlaces"), harmful=True)
DELETE = Action("eliminar", lazy_gettext("Eliminar"), harmful=True)
ACTIONS = {action.name: action for action in (EXTEND, RETRY, PASSWORD, BLOCK, UNBLOCK, LINKS, DELETE)}


def list_actions(share: Mapping[str, Any], role: Role) -> list[Action]:
    """Return the changes that fit the state of a share (as `describe_share` returns it) and that this role may ask for.

    The functions that carry out a change check again whether it is possible.
    """
    state = State(share["status"])
    living = state in ON_ITS_WAY | DELIVERED
    is_blocked = share.get("alcance") is not None
    offered = {
        EXTEND: living,
        RETRY: state is State.ERROR or (living and share["error"] is not None),
        PASSWORD: living,
        BLOCK: living and not is_blocked,
        UNBLOCK: living and is_blocked,
        LINKS: state in LIVING,
        DELETE: state not in TERMINAL | ENDING,
    }
    return [action for action, fits in offered.items() if fits and role.includes(action.role)]
