# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rsync's output and failures, as the real program prints them, and parsers that stand any text."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Optional

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.rsync import (
    SKIPPED_LIMIT,
    CopyPlan,
    Progress,
    Survey,
    SurveyReader,
    build_copy_argv,
    build_operand,
    build_small_argv,
    build_survey_argv,
    parse_progress,
    parse_skipped,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.names import Source
from hypothesis import given
from hypothesis import strategies as st

PLAN = CopyPlan(Source("u", "h", "/srv/x"), None, "ssh -F /c", 0, 33)


def survey_locally(source: Path, target: Path) -> Survey:
    """Run the survey's own options on two local folders."""
    argv = [
        word
        for word in build_survey_argv(PLAN, False, f"{target}/")
        if not word.startswith(("--rsh", "--chown"))
    ]
    argv[-2] = f"{source}/"
    ended = subprocess.run(
        argv, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C", "TZ": "UTC0"}, check=True
    )
    reader = SurveyReader()
    for line in ended.stdout.split("\n"):
        reader.feed(line)
    return reader.finish()


@pytest.mark.needs_rsync
def test_a_survey_tells_what_there_is_and_what_is_left(tmp_path: Path) -> None:
    source, target = tmp_path / "s", tmp_path / "t"
    (source / "sub").mkdir(parents=True)
    target.mkdir()
    (source / "a").write_bytes(b"x" * 1500)
    (source / "sub" / "b").write_bytes(b"y" * 2500)
    (source / "Number of files: 99").write_bytes(b"")
    (source / "line\nNumber of files: 77").write_bytes(b"")
    (source / "abs").symlink_to("/etc/passwd")
    os.mkfifo(source / "pipe")
    survey = survey_locally(source, target)
    assert (survey.files_total, survey.files_left, survey.bytes_left) == (3, 3, 4000)
    assert survey.changes >= 4
    assert survey.skipped == (
        "abs -> /etc/passwd (unsafe link)",
        "pipe (not a regular file)",
        r"line\x0aNumber of files: 77 (FTP clients cannot fetch this name)",
    )
    assert (survey.skipped_total, survey.unsafe_total) == (3, 2)
    argv = [
        word
        for word in build_copy_argv(PLAN, False, f"{target}/", False)
        if not word.startswith(("--rsh", "--chown"))
    ]
    argv[-2] = f"{source}/"
    subprocess.run(argv, capture_output=True, check=True)
    assert not [path for path in target.iterdir() if "\n" in path.name]
    after = survey_locally(source, target)
    assert (after.changes, after.bytes_left, after.files_left) == (0, 0, 0)
    (source / "sub" / "b").unlink()
    assert survey_locally(source, target).changes > 0


def test_operands_name_the_contents_of_a_folder() -> None:
    assert build_operand(PLAN, False) == "u@h:/srv/x/"
    assert build_operand(PLAN, True) == "u@h:/srv/x"
    assert build_operand(PLAN._replace(source_root="/srv"), False) == "u@h:./x/"
    assert build_operand(PLAN._replace(source_root="/srv"), True) == "u@h:./x"
    assert build_operand(PLAN._replace(source_root="/srv/x"), False) == "u@h:./"


def test_operands_stand_behind_the_options() -> None:
    for argv in (build_copy_argv(PLAN, False, "/t/", True), build_survey_argv(PLAN, False, "/t/")):
        assert argv[-3:] == ["--", "u@h:/srv/x/", "/t/"]
        assert {
            "--inplace",
            "--delete",
            "--safe-links",
            "--no-devices",
            "--no-specials",
            "--protect-args",
        } <= set(argv)
    restricted = build_copy_argv(PLAN._replace(source_root="/srv", bwlimit="5M"), False, "/t/", False)
    assert "--protect-args" not in restricted and "--checksum" not in restricted
    assert "--bwlimit=5M" in restricted
    assert "--checksum" in build_copy_argv(PLAN, False, "/t/", True)


def test_a_copy_of_small_files_is_the_copy_with_one_more_option() -> None:
    small, copy = build_small_argv(PLAN, False, "/t/", 5000), build_copy_argv(PLAN, False, "/t/", False)
    assert small[0] == "rsync" and small[-3:] == ["--", "u@h:/srv/x/", "/t/"]
    assert [word for word in small if word not in copy] == ["--max-size=5000"]
    assert [word for word in small if word in copy] == copy


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("              0   0%    0.00kB/s    0:00:00  ", Progress(0, None)),
        ("       11403264  38%   10.03MB/s    0:00:01  ", Progress(11403264, None)),
        ("       30000000 100%   10.32MB/s    0:00:02 (xfr#1, to-chk=0/1)", Progress(30000000, 1, 1)),
        ("  1,234,567  45%  12.34MB/s  100:00:12 (xfr#33, ir-chk=100/120)", Progress(1234567, 33, 120)),
        ("       11403264  38", None),
        ("", None),
        ("sent 61 bytes  received 351 bytes  824.00 bytes/sec", None),
    ],
)
def test_progress_lines(line: str, progress: Optional[Progress]) -> None:
    assert parse_progress(line) == progress


@given(st.integers(0, 2**60), st.integers(0, 100), st.integers(0, 10**9))
def test_any_progress_is_read(done: int, percent: int, files: int) -> None:
    line = f"{done:>15} {percent:>3}%   10.32MB/s    0:00:02 (xfr#{files}, ir-chk=0/{files + 1})"
    assert parse_progress(line) == Progress(done, files, files + 1)
    for end in range(len(line)):
        cut = parse_progress(line[:end])
        assert cut is None or cut.bytes == done


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\n"))))
def test_any_output_is_survived(lines: list[str]) -> None:
    reader = SurveyReader()
    for line in lines:
        reader.feed(line)
        parse_progress(line)
    survey = reader.finish()
    assert survey.skipped_total >= len(survey.skipped)


def test_only_so_many_names_travel() -> None:
    reader = SurveyReader()
    for number in range(SKIPPED_LIMIT + 7):
        reader.feed(f'skipping non-regular file "p{number}"')
    survey = reader.finish()
    assert (len(survey.skipped), survey.skipped_total) == (SKIPPED_LIMIT, SKIPPED_LIMIT + 7)


def test_a_file_name_is_no_message() -> None:
    assert parse_skipped('>f+++++++++ skipping non-regular file "x"') is None
    reader = SurveyReader()
    reader.feed(">f+++++++++ Number of files: 3 (reg: 3)")
    assert reader.finish().files_total == 0
