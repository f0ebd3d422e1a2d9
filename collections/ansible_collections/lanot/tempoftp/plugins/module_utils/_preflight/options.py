# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a preflight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from .._account.mysql_login import (
    LoginOptions,
)
from .._account.users_table import TableDescription
from .._host.space import Need


class PreflightOptions(NamedTuple):
    """The options of a preflight. *control_time*: the time on the control host, in seconds since the epoch."""

    root: str
    uid: int
    gid: int
    user: str
    group: str
    table: TableDescription
    login: LoginOptions
    mysql_conf: Optional[str]
    reserve: Need
    sources: Sequence[dict[str, Any]]
    control_time: Optional[float]
