# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome file: written whole, by nobody else read, never shown. Through the real plugin in a real task."""

from __future__ import annotations

import json
import os
import stat

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible.template import Templar
from ansible_collections.lanot.tempoftp.plugins.action.write_outcome import ActionModule, build_text
from hypothesis import given
from hypothesis import strategies as st

CONTENT = {"schema": 1, "users": [{"name": "ftp_a", "password_hash": "$2b$12$x"}], "error": None}


@pytest.fixture
def write():
    """Return a function that runs the plugin with the arguments of a task."""

    def write_outcome(check=False, **arguments):
        loader = DataLoader()
        task = Task()
        task.action = "lanot.tempoftp.write_outcome"
        task.args = arguments
        task.check_mode = check
        task.async_val = 0
        action = ActionModule(
            task=task,
            connection=connection_loader.get("local", PlayContext()),
            play_context=PlayContext(),
            loader=loader,
            templar=Templar(loader=loader),
            shared_loader_obj=None,
        )
        return action.run(task_vars={})

    return write_outcome


def test_the_file_has_the_content_and_only_its_owner_reads_it(write, tmp_path):
    path = tmp_path / "outcome.json"
    result = write(path=str(path), content=CONTENT)
    assert result["changed"]
    assert json.loads(path.read_text()) == CONTENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_result_never_shows_what_was_written(write, tmp_path):
    result = write(path=str(tmp_path / "outcome.json"), content=CONTENT)
    assert result["_ansible_no_log"] is True
    assert "$2b$12$x" not in str(result)


def test_the_same_again_changes_nothing(write, tmp_path):
    path = tmp_path / "outcome.json"
    write(path=str(path), content=CONTENT)
    assert not write(path=str(path), content=CONTENT)["changed"]


def test_a_wider_mode_is_put_right(write, tmp_path):
    path = tmp_path / "outcome.json"
    write(path=str(path), content=CONTENT)
    path.chmod(0o644)
    assert write(path=str(path), content=CONTENT)["changed"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_check_mode_writes_nothing(write, tmp_path):
    assert write(check=True, path=str(tmp_path / "outcome.json"), content=CONTENT)["changed"]
    assert list(tmp_path.iterdir()) == []


def test_a_symlink_in_its_place_is_replaced_not_followed(write, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    path = tmp_path / "outcome.json"
    path.symlink_to(victim)
    write(path=str(path), content=CONTENT)
    assert victim.read_text() == "as it was"
    assert not path.is_symlink()


def test_a_relative_path_is_refused(write):
    with pytest.raises(AnsibleActionFail, match="must be absolute"):
        write(path="outcome.json", content=CONTENT)


def test_a_directory_that_is_missing_is_named(write, tmp_path):
    with pytest.raises(
        AnsibleActionFail, match=r"gone/outcome\.json on the control host could not be written"
    ):
        write(path=str(tmp_path / "gone" / "outcome.json"), content=CONTENT)


def test_a_write_that_fails_leaves_nothing(write, tmp_path, monkeypatch):
    path = tmp_path / "outcome.json"
    write(path=str(path), content=CONTENT)

    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(AnsibleActionFail, match="No space left"):
        write(path=str(path), content={"schema": 2})
    assert json.loads(path.read_text()) == CONTENT
    assert list(tmp_path.iterdir()) == [path]


def test_a_value_without_a_json_form_is_refused():
    with pytest.raises(AnsibleActionFail, match="cannot be written as JSON"):
        build_text({"value": float("nan")})


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=20)


@given(st.dictionaries(st.text(max_size=8), st.recursive(VALUES, st.lists, max_leaves=5), max_size=5))
def test_what_is_read_back_is_what_was_given(content):
    assert json.loads(build_text(content)) == content
