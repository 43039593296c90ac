"""The kill switch: present or in doubt means that nothing is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from opsconsole.guard.killswitch import KillSwitchFile


def test_no_file_and_no_folder_is_not_pulled(tmp_path: Path) -> None:
    assert KillSwitchFile(tmp_path / "stop").pulled() == ""
    assert KillSwitchFile(tmp_path / "no" / "such" / "stop").pulled() == ""


def test_it_is_looked_at_anew_and_says_why(tmp_path: Path) -> None:
    file = tmp_path / "stop"
    switch = KillSwitchFile(file)
    file.touch()
    assert switch.pulled() == f"the kill switch {file} is pulled"
    file.write_text("\n  deploy of the year \x1b[2J\nmore\n")
    assert switch.pulled() == f"the kill switch {file} is pulled: deploy of the year \\x1b[2J"
    file.unlink()
    assert switch.pulled() == ""


@pytest.mark.parametrize("what", ["folder", "dangling link", "fifo", "binary", "parent is a file", "loop", "nul"])
def test_whatever_is_there_or_cannot_be_looked_at_is_pulled(tmp_path: Path, what: str) -> None:
    file = tmp_path / "stop"
    if what == "folder":
        file.mkdir()
    elif what == "dangling link":
        file.symlink_to(tmp_path / "gone")
    elif what == "fifo":
        os.mkfifo(file)
    elif what == "binary":
        file.write_bytes(b"\xff\x00\xfe")
    elif what == "parent is a file":
        file.write_text("")
        file = file / "stop"
    elif what == "loop":
        file.symlink_to(file)
        file = file / "stop"
    else:
        file = tmp_path / "a\0b"
    assert KillSwitchFile(file).pulled().startswith("the kill switch ")


def test_a_file_that_cannot_be_looked_at_is_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "lstat", denied)
    file = tmp_path / "stop"
    assert KillSwitchFile(file).pulled() == f"the kill switch {file} cannot be looked at: Permission denied"
