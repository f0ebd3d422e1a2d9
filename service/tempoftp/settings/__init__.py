"""Every setting of the service, read once from the environment into one typed object.

One file for each part of the settings; `load.py` puts the parts together. The descriptions of the fields are the
documentation: docs/settings.md and `deploy/tempoftp.env.example` are made from them. A variable that starts with
`TEMPOFTP_` and is not known is refused: otherwise a typo would leave a default in force without any message.
"""

from tempoftp.settings.access import RoleRule
from tempoftp.settings.addresses import is_safe_url
from tempoftp.settings.core import SIMULATED_FTP_HOST
from tempoftp.settings.http import AddressRole
from tempoftp.settings.load import (
    CLIENT_VARIABLES,
    INVENTORY_VARIABLES,
    PREFIX,
    Settings,
    SettingsError,
    load_settings,
    parse_settings,
    variable_of,
)
from tempoftp.settings.notices import parse_sender

__all__ = [
    "CLIENT_VARIABLES",
    "INVENTORY_VARIABLES",
    "PREFIX",
    "SIMULATED_FTP_HOST",
    "AddressRole",
    "RoleRule",
    "Settings",
    "SettingsError",
    "is_safe_url",
    "load_settings",
    "parse_sender",
    "parse_settings",
    "variable_of",
]
