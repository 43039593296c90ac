"""Silences: acks among them, safe text, and one list from a cluster's members."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence, ack_comment, merge_silences, sanitise_silence
from opsconsole.text import is_safe, trusted


def silence(comment: str, by: str = "alice", id: str = "1", second: int = 0, state_of: str = "active") -> Silence:
    return Silence(
        id=id,
        matchers=(Matcher("alertname", "A"),),
        created_by=trusted(by),
        comment=trusted(comment),
        updated_at=datetime(2026, 11, 21, 3, 0, second, tzinfo=UTC),
        ends_at=datetime(2026, 11, 21, 3, 15, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("comment", "is_ack", "owner", "reason", "op"),
    [
        ("ACK! bob: looking into it [op=a1B-2]", True, "bob", "looking into it", "a1B-2"),
        ("ACK! bob: see [ticket] 5: x", True, "bob", "see [ticket] 5: x", ""),
        ("ACK! This alert was acknowledged using karma on Sat", True, "alice", None, ""),
        ("deploying 1.4.2 [op=xyz]", False, "alice", "deploying 1.4.2", "xyz"),
        ("said ACK! bob: no", False, "alice", "said ACK! bob: no", ""),
        ("", False, "alice", "", ""),
    ],
)
def test_comments(comment: str, is_ack: bool, owner: str, reason: str | None, op: str) -> None:
    found = silence(comment)
    assert (found.is_ack, found.owner, found.op) == (is_ack, owner, op)
    assert reason is None or found.reason == reason


@given(
    st.from_regex(r"[a-z][a-z0-9_-]{0,15}", fullmatch=True),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)).map(str.strip),
    st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
)
def test_what_an_ack_says_reads_back(user: str, reason: str, op: str) -> None:
    found = silence(ack_comment(user, reason, op))
    assert found.is_ack
    assert (found.owner, found.reason, found.op) == (user, reason, op)


def test_sanitise_keeps_the_matchers() -> None:
    raw = silence("\x1b[2J\nsecond line", by="\u202eecila")
    clean = sanitise_silence(raw)
    assert clean.matchers == raw.matchers
    assert is_safe(clean.created_by)
    assert clean.comment == "\\x1b[2J\nsecond line"


def test_the_latest_version_of_a_silence_wins() -> None:
    old, new = silence("old", second=1), silence("new", second=2)
    other = silence("other", id="2")
    for members in ([[old, other], [new]], [[new], [old, other]]):
        assert {s.id: s.comment for s in merge_silences(members)} == {"1": "new", "2": "other"}


def test_when_it_ends() -> None:
    assert silence("x").ends == datetime(2026, 11, 21, 3, 15, tzinfo=UTC).timestamp()
