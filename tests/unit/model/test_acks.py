"""Acks: one silence for several alerts, their age, and who keeps them."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.acks import (
    THIS_CONSOLE,
    AckMark,
    AckPolicy,
    age,
    extended_by,
    is_mine,
    last_end,
    left_out,
    literal,
    mark_of,
    one_silence,
)
from opsconsole.model.matchers import Matcher, compile_regex, match_all
from opsconsole.model.silences import Silence, SilenceStatus, ack_comment
from opsconsole.text import safe

NOW = 1_767_225_600.0
HARD = ["", "a", "a|b", ".*", "a.b", "axb", "\\", "\\E", "\\Q", '"', "\n", "a\nb", "é", "e\u0301", "😀", "(", "^",
        "[x]", "$", "{2}", "\x00", "\t", " ", "a ", "-", "A", "\u202e", "\u2028", "a+", "?"]  # fmt: skip
VALUES = st.one_of(st.sampled_from(HARD), st.text(st.characters(exclude_categories=["Cs"]), max_size=8))


@given(st.sets(VALUES.filter(bool), min_size=2, max_size=6), st.lists(VALUES, max_size=12))
def test_an_alternation_matches_exactly_the_values_of_its_set(values: set[str], others: list[str]) -> None:
    (matcher,) = one_silence([{"route": value} for value in sorted(values)])
    assert (matcher.name, matcher.is_regex, matcher.is_equal) == ("route", True, True)
    joined = ["".join(sorted(values)), "|".join(sorted(values)), *(value + "x" for value in values)]
    for value in [*values, *others, *HARD, *joined]:
        assert matcher.matches({"route": value}) is (value in values), (matcher.value, value)


@given(VALUES, VALUES)
def test_a_literal_is_only_itself(value: str, other: str) -> None:
    pattern = compile_regex(literal(value))
    assert pattern.search(value) is not None
    assert (pattern.search(other) is not None) is (value == other)


LABELSETS = st.lists(
    st.dictionaries(st.sampled_from(["alertname", "route", "pod"]), st.sampled_from(["", "a", "b.c", "d|e"])),
    min_size=1,
    max_size=5,
)


@given(LABELSETS)
def test_one_silence_matches_all_that_it_is_for_by_what_they_all_carry(labelsets: list[dict[str, str]]) -> None:
    matchers = one_silence(labelsets)
    assert all(match_all(matchers, labels) for labels in labelsets)
    assert all(labels.get(m.name) for m in matchers for labels in labelsets)
    named = {m.name for m in matchers}
    assert named.isdisjoint(left_out(labelsets))
    assert named | set(left_out(labelsets)) == {n for labels in labelsets for n, v in labels.items() if v}


def test_one_silence_in_the_simplest_form() -> None:
    alerts = [{"alertname": "Slow", "route": "/a.b", "pod": "1"}, {"alertname": "Slow", "route": "/c"}]
    assert one_silence(alerts) == (Matcher("alertname", "Slow"), Matcher("route", r"/a\.b|/c", is_regex=True))
    assert left_out(alerts) == ("pod",)
    assert one_silence([]) == one_silence([{"a": "1"}, {"b": "1"}]) == ()


def ack(
    user: str = "ann", ago: float = 600, *, again: float = 0, by: str = "", op: str = "aa11", left: float = 400
) -> Silence:
    comment = ack_comment(user, "looking", op, again=again) if op else f"ACK! {user}: looking"
    return Silence(
        id="s",
        matchers=(Matcher("alertname", "Slow"),),
        starts_at=datetime.fromtimestamp(NOW - ago, UTC),
        ends_at=datetime.fromtimestamp(NOW + left, UTC),
        created_by=safe(by or user),
        comment=safe(comment),
    )


def test_an_ack_is_as_old_as_its_start_and_again_makes_it_young() -> None:
    assert age(ack(ago=600), NOW) == 600
    renewed = ack(ago=20_000, again=NOW - 100)
    assert (renewed.owner, renewed.reason, renewed.op) == ("ann", "looking", "aa11")
    assert age(renewed, NOW) == 100
    assert last_end(renewed, AckPolicy(max_age=3600)) == NOW - 100 + 3600
    assert age(ack(ago=-30), NOW) == 0


@pytest.mark.parametrize(
    ("silence", "mine"),
    [
        (ack(), True),
        (ack("bob"), False),
        (ack(by="bob"), False),
        (ack(op=""), False),
        (msgspec.structs.replace(ack(), comment=safe("looking [op=aa11]")), False),
    ],
)
def test_mine_is_what_this_program_made_for_this_user(silence: Silence, mine: bool) -> None:
    assert is_mine(silence, "ann") is mine


def test_a_user_of_several_words_has_their_acks() -> None:
    assert is_mine(ack("Ann-Lee", by="Ann Lee"), "Ann Lee")


@pytest.mark.parametrize(
    ("user", "extender", "who"),
    [
        ("ann", THIS_CONSOLE, THIS_CONSOLE),
        ("bob", THIS_CONSOLE, ""),
        ("bob", "kthxbye", "kthxbye"),
        ("ann", "nobody", ""),
    ],
)
def test_who_extends_an_ack(user: str, extender: str, who: str) -> None:
    assert extended_by(ack(), user=user, extender=extender) == who


@pytest.mark.parametrize(
    ("ago", "user", "extender", "mark"),
    [
        (3600, "ann", THIS_CONSOLE, AckMark.NONE),
        (3601, "ann", THIS_CONSOLE, AckMark.STALE),
        (3601, "bob", THIS_CONSOLE, AckMark.STALE),
        (4 * 3600 - 301, "ann", THIS_CONSOLE, AckMark.STALE),
        (4 * 3600 - 300, "ann", THIS_CONSOLE, AckMark.ASKS),
        (9 * 3600, "ann", "kthxbye", AckMark.STALE),
        (9 * 3600, "bob", THIS_CONSOLE, AckMark.STALE),
    ],
)
def test_what_stands_out_of_an_ack(ago: float, user: str, extender: str, mark: AckMark) -> None:
    assert mark_of(ack(ago=ago), NOW, AckPolicy(), user=user, extender=extender) is mark


def test_only_an_active_ack_stands_out() -> None:
    old = ack(ago=90_000)
    gone = msgspec.structs.replace(old, status=SilenceStatus("expired"))
    plain = msgspec.structs.replace(old, comment=safe("deploying"))
    for silence in (gone, plain):
        assert mark_of(silence, NOW, AckPolicy(), user="ann", extender=THIS_CONSOLE) is AckMark.NONE
