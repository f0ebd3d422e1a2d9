# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the results of a run as one JSON file on the control host: step 6 of docs/dataflow.md.

It is an action plugin and runs nothing on the managed host, so the outcome of an unreachable host is written too.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.files import sync_directory

_MODE = 0o600


class ActionModule(ActionBase):
    """See plugins/modules/write_outcome.py for the options."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _VALID_ARGS = frozenset({"path", "content"})

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Write the file unless it has this content already."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            argument_spec={
                "path": {"type": "path", "required": True},
                "content": {"type": "dict", "required": True, "no_log": True},
            }
        )
        path = Path(arguments["path"])
        if not path.is_absolute():
            raise AnsibleActionFail(f"write_outcome: path {str(path)!r} is refused: it must be absolute")
        text = build_text(arguments["content"])
        try:
            changed = not _holds(path, text)
            if changed and not self._task.check_mode:
                _replace(path, text)
        except OSError as error:
            raise AnsibleActionFail(
                f"write_outcome: {path} on the control host could not be written: {error.strerror}"
            ) from None
        result.update(changed=changed, path=str(path))
        # Also without no_log in the task: with -vvv the result would contain the arguments.
        result["_ansible_no_log"] = True
        return result


def build_text(content: dict[str, Any]) -> str:
    """Return *content* as one line of JSON; raise AnsibleActionFail when a value has no JSON form."""
    try:
        return json.dumps(content, sort_keys=True, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise AnsibleActionFail(f"write_outcome: content cannot be written as JSON: {error}") from None


def _holds(path: Path, text: str) -> bool:
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(facts.st_mode) or stat.S_IMODE(facts.st_mode) != _MODE:
        return False
    return path.read_text(encoding="utf-8") == text


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE
    )
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
