"""The files of `guard simulate`: known incidents and changes of flags, and what is wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsconsole.config.guard_history import read_changes, read_incidents
from opsconsole.errors import ConfigError


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_incidents_come_in_order_of_time(tmp_path: Path) -> None:
    path = tmp_path / "incidents.yaml"
    path.write_text(
        "incidents:\n"
        "  - {from: 2026-01-02T10:00:00Z, to: 2026-01-02T10:30:00Z, name: second}\n"
        "  - {from: 2026-01-01T11:00:00+01:00, to: 2026-01-01T12:00:00+01:00}\n"
    )
    first, second = read_incidents(path)
    assert (first.start, first.end, first.name) == (at("2026-01-01T10:00:00"), at("2026-01-01T11:00:00"), "")
    assert second.name == "second"


def test_changes_are_newest_first_and_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "changes.yaml"
    path.write_text(
        "changes:\n"
        "  - {flag: a, at: 2026-01-01T10:00:00Z}\n"
        "  - {flag: a, at: 2026-01-01T11:00:00Z, off: yes, what: back to nobody}\n"
    )
    newest, oldest = read_changes(path)
    assert (newest.off, newest.summary, oldest.off, oldest.summary) == (True, "back to nobody", False, "changed")
    assert newest.after_hash != oldest.after_hash


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("incidents:\n  - {from: 2026-01-01T10:00:00, to: 2026-01-01T10:00:00Z}\n", 2, "not a time with its zone"),
        ("incidents:\n  - {from: yesterday, to: 2026-01-01T10:00:00Z}\n", 2, "not a time with its zone"),
        ("incidents:\n  - {from: 2026-01-01T10:00:00Z, to: 2026-01-01T09:00:00Z}\n", 2, "not after its `from`"),
        ("incidents:\n  - {from: 2026-01-01T10:00:00Z}\n", 2, "is missing"),
        ("incident: []\n", 1, "not a known key"),
    ],
)
def test_every_problem_has_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    path = tmp_path / "incidents.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_incidents(path)
    assert caught.value.problems[0].line == line
    assert said in str(caught.value)
