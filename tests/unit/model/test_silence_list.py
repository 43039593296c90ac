"""The filter of the silences, and which of them end soon."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matcher
from opsconsole.model.silence_list import compile_silences, ends_soon, is_mine, problem_of
from opsconsole.model.silences import Silence, SilenceStatus
from opsconsole.text import safe

NOW = 1_767_225_600.0


def silence(
    comment: str = "deploying 1.5", by: str = "Alice", left: float = 600, state: str = "active"
) -> Silence:
    return Silence(
        id="s",
        matchers=(Matcher("alertname", "High Latency"), Matcher("route", "/a.*", is_regex=True)),
        ends_at=datetime.fromtimestamp(NOW + left, UTC),
        created_by=safe(by),
        comment=safe(comment),
        status=SilenceStatus(state),
    )


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("", True),
        ("deploying", True),
        ("DEPLOYING latency", True),
        ("deploying rollback", False),
        ("creator:alice", True),
        ("by:ali", True),
        ("creator:", True),
        ("creator:bob", False),
        ("state:active", True),
        ("state:act", True),
        ("state:expired", False),
        ("state:ack", False),
        ('alertname="High Latency"', True),
        ('{alertname="High Latency"}', True),
        ('alertname="High Latency", route=~"/a.*"', True),
        ('alertname=~"High.*"', True),
        ('alertname!="Other"', True),
        ('alertname="Other"', False),
        ('route="/abc"', False),
        ('pod="x"', False),
        ('creator:alice state:active alertname="High Latency" 1.5', True),
        ('creator:alice state:pending alertname="High Latency" 1.5', False),
    ],
)
def test_what_passes(text: str, passes: bool) -> None:
    assert problem_of(text) == ""
    assert compile_silences(text)(silence()) is passes


def test_acks_and_their_owner() -> None:
    ack = silence("ACK! carol: looking [op=n]", by="karma")
    assert compile_silences("state:ack creator:carol")(ack)
    assert is_mine(ack, "carol")
    assert is_mine(ack, "karma")
    assert not is_mine(ack, "alice")


@pytest.mark.parametrize(
    ("text", "says"), [("state:gone", "there is no state gone"), ('a="', "expected"), ("a=~(", "bad regular")]
)
def test_what_does_not_parse(text: str, says: str) -> None:
    assert says in problem_of(text)
    with pytest.raises(UsageError):
        compile_silences(text)


def test_what_ends_soon() -> None:
    assert ends_soon(silence(left=900), NOW)
    assert not ends_soon(silence(left=901), NOW)
    assert not ends_soon(silence(state="pending"), NOW)
    assert not ends_soon(silence("ACK! a: b"), NOW)
