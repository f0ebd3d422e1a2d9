# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times as text: what is written is read back, and anything else is refused."""

from __future__ import annotations

from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import format_time, require_time
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(0, 2**33))
def test_a_time_is_read_as_it_is_written(seconds):
    assert require_time(format_time(seconds)) == seconds


@given(st.text(max_size=24))
def test_any_text_is_a_time_or_invalid(text):
    try:
        seconds = require_time(text, canonical=True)
    except TempoftpError as error:
        assert error.error_class == "invalid"
    else:
        assert format_time(seconds) == text
