"""Members that keep different silences, and what is said of a write that not all of them show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from opsconsole.model.matchers import Matcher
from opsconsole.model.members import GOSSIP_SECONDS, MemberSilences, Visible, differences
from opsconsole.model.silences import Silence
from opsconsole.text import is_safe, safe, trusted

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = (BEGAN + timedelta(minutes=10)).timestamp()
A, B = trusted("http://a"), trusted("http://b")


def silence(id: str = "1", *, updated: float = 0.0, ends: float = 3600.0, value: str = "X") -> Silence:
    return Silence(
        id=id,
        matchers=(Matcher("alertname", value),),
        starts_at=BEGAN,
        ends_at=BEGAN + timedelta(seconds=ends),
        updated_at=BEGAN + timedelta(seconds=updated),
        created_by=safe("me"),
        comment=safe("x"),
    )


def found(a: list[Silence], b: list[Silence], now: float = NOW) -> list[str]:
    members = (MemberSilences(url=A, silences=a), MemberSilences(url=B, silences=b))
    return [str(difference) for difference in differences(members, now)]


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        ([silence()], [silence()], []),
        ([], [], []),
        ([silence()], [], ['silence 1 {alertname="X"} is missing on http://b']),
        ([], [silence()], ['silence 1 {alertname="X"} is missing on http://a']),
        (
            [silence(updated=60, ends=7200)],
            [silence()],
            ['silence 1 {alertname="X"} ends 2026-01-01 01:00 UTC on http://b, 2026-01-01 02:00 UTC on http://a'],
        ),
        (
            [silence()],
            [silence(updated=60, ends=60)],
            ['silence 1 {alertname="X"} ends 2026-01-01 01:00 UTC on http://a, 2026-01-01 00:01 UTC on http://b'],
        ),
        (
            [silence(value="Y", updated=9)],
            [silence()],
            ['silence 1 {alertname="Y"} on http://a is {alertname="X"} on http://b'],
        ),
        ([silence(ends=60)], [], []),
        ([silence(ends=60, updated=60)], [silence(ends=30)], []),
        ([silence("2"), silence("1")], [], ["silence 1", "silence 2"]),
    ],
)
def test_what_hides_on_one_member_and_not_on_another_is_named(
    a: list[Silence], b: list[Silence], says: list[str]
) -> None:
    told = found(a, b)
    assert len(told) == len(says), told
    assert all(words.startswith(wanted) for words, wanted in zip(told, says, strict=True)), told


def test_what_gossip_may_still_bring_is_no_difference() -> None:
    fresh = [silence(updated=600)]
    assert found(fresh, []) == []
    assert found(fresh, [], NOW + GOSSIP_SECONDS) != []


def test_one_member_alone_differs_from_nobody() -> None:
    assert differences((MemberSilences(url=A, silences=[silence()]),), NOW) == ()
    assert differences((), NOW) == ()


def test_names_of_strangers_are_made_safe() -> None:
    odd = msgspec.structs.replace(silence(value="\x1b[31m"), id="\x1b]0;x")
    (told,) = found([odd], [])
    assert is_safe(told)


def test_where_a_write_shows_in_words() -> None:
    assert Visible(shown=(A,)).words() == ""
    assert Visible(shown=(A, B)).words() == "visible on 2 of 2 members"
    late = Visible(shown=(A,), missing=((B, trusted("does not have it yet")),))
    assert late.words() == "visible on 1 of 2 members: http://b does not have it yet"
