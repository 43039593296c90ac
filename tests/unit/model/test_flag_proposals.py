"""A provider's log and our journal as one, and what a rollback should be."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.flagchanges import (
    SLACK,
    SUSPICIOUS,
    changed_since,
    last_change,
    merged,
    most_suspected_first,
    nearest_before,
    propose,
)
from opsconsole.model.flags import Capabilities, Flag, FlagChange, RollbackKind, Swap
from opsconsole.text import safe

CAN = Capabilities(swap=Swap.ATOMIC, revert=True)
FLAG = Flag(key="f", enabled=True, default_variant=safe("on"), serves=safe("100 %"), content_hash="new")
LAST = FlagChange(
    key="f",
    at=100.0,
    summary=safe("50 % -> 100 %"),
    before_hash="old",
    after_hash="new",
    before="{}",
    before_off=False,
    off=False,
    served=safe("50 %"),
)

Step = tuple[str, int, float]
HISTORIES = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.floats(11, 500)), max_size=12)


def native_log(history: list[Step]) -> list[FlagChange]:
    """What happened, as a provider tells it: every change, exactly, with who made it."""
    found, stands, now = [], {"a": "0", "b": "0"}, 1000.0
    for number, (key, state, apart) in enumerate(history):
        now += apart
        if stands[key] != str(state):
            found.append(
                FlagChange(
                    key=key,
                    at=now,
                    summary=safe("changed"),
                    who=safe("ann"),
                    exact=True,
                    before_hash=stands[key],
                    after_hash=str(state),
                    id=str(number),
                )
            )
            stands[key] = str(state)
    return found


def journal_of(log: list[FlagChange], looks: list[float]) -> list[FlagChange]:
    """What a journal tells of it, that looked at these times."""
    found, stands = [], {"a": "0", "b": "0"}
    for look in sorted(looks):
        for key in stands:
            before = [c for c in log if c.key == key and c.at <= look]
            now = before[-1].after_hash if before else "0"
            if now != stands[key]:
                found.append(
                    FlagChange(key=key, at=look, summary=safe("seen"), before_hash=stands[key], after_hash=now)
                )
                stands[key] = now
    return found


@given(HISTORIES, st.lists(st.floats(1000, 7000), max_size=12))
def test_what_both_tell_of_is_there_once(history: list[Step], looks: list[float]) -> None:
    log = native_log(history)
    both = merged(log, journal_of(log, looks))
    assert sorted(c.id for c in both) == sorted(c.id for c in log), "each of the log once, and nothing else"
    assert [c.at for c in both] == sorted((c.at for c in log), reverse=True), "with the log's own times"
    assert {c.who for c in both} <= {"ann"}


@given(HISTORIES, st.lists(st.floats(1000, 7000), max_size=12), st.integers(0, 12))
def test_what_a_log_does_not_tell_yet_is_told_by_the_journal(
    history: list[Step], looks: list[float], late: int
) -> None:
    log = native_log(history)
    journal = journal_of(log, looks)
    both = merged(log[: max(0, len(log) - late)], journal)
    for key in "ab":
        last = last_change(journal, key)
        shown = last_change(both, key)
        assert last is None or shown is not None, "what was seen is never lost"
        if last is not None and shown is not None and shown.id == "":
            assert shown == last
        elif last is not None and shown is not None:
            assert shown.at >= last.at - SLACK or shown.after_hash == last.after_hash


@given(HISTORIES, st.lists(st.floats(1000, 7000), max_size=12))
def test_one_log_alone_is_told_as_it_is(history: list[Step], looks: list[float]) -> None:
    log = native_log(history)
    journal = journal_of(log, looks)
    assert sorted(c.id for c in merged(log, ())) == sorted(c.id for c in log)
    assert set(merged((), journal)) == set(journal)
    assert len(merged((), journal)) == len(journal)


def test_the_log_says_who_and_when_and_the_journal_that_it_was_ours() -> None:
    log = FlagChange(key="f", at=99.0, summary=safe("disabled"), who=safe("token"), after_hash="n", exact=True)
    ours = msgspec.structs.replace(
        LAST, after_hash="n", ours=True, who=safe("me"), summary=safe("rolled back: 100 % -> off")
    )
    (both,) = merged([log], [ours])
    assert (both.at, both.who, both.ours, both.summary) == (
        99.0,
        "me (as token)",
        True,
        "rolled back: 100 % -> off",
    )
    assert (both.before, both.served) == ("{}", "50 %"), "what the log does not know comes from the journal"
    (nobody,) = merged([msgspec.structs.replace(log, who=safe(""))], [ours])
    assert nobody.who == "me"


def test_a_log_without_hashes_is_told_once_too() -> None:
    log = FlagChange(key="f", at=99.0, summary=safe("toggled"), exact=True)
    assert [c.summary for c in merged([log], [LAST])] == ["toggled"]
    other = msgspec.structs.replace(log, key="g")
    assert len(merged([other], [LAST])) == 2


def with_last(
    flag: Flag = FLAG, caps: Capabilities = CAN, onset: float | None = None, why: str = "", **fields: object
) -> str:
    found = propose(flag, [msgspec.structs.replace(LAST, **fields)], caps, onset)
    assert why in found.why
    assert (found.change is not None) == (found.kind is RollbackKind.UNDO)
    assert found.why
    return str(found.words)


def test_what_was_partly_on_before_is_brought_back() -> None:
    assert with_last() == "undo the last change: 100 % -> 50 %"
    assert with_last(served=safe("")) == "undo the last change"


def test_a_turn_off_is_undone_and_not_turned_off() -> None:
    off = msgspec.structs.replace(FLAG, off=True, serves=safe("off"))
    words, turned_off = "undo the last change: off -> 50 %", "the last change turned it off"
    assert with_last(off, off=True, why=turned_off) == words
    assert with_last(off, off=True, before_off=None, why="it is off: off again") == words
    assert with_last(off, off=True, before_off=True) == "off", "it was off before as well"


@pytest.mark.parametrize(
    "fields",
    [
        {"before_off": True},
        {"before_off": None},
        {"before": ""},
        {"after_hash": "another"},
        {"ours": True},
    ],
    ids=["was off", "not known", "no definition", "stands otherwise", "our own"],
)
def test_all_else_is_turned_off(fields: dict[str, Any]) -> None:
    assert with_last(**fields) == "off"


def test_a_change_after_the_onset_is_not_the_cause() -> None:
    assert with_last(onset=99.0, exact=True) == "off"
    assert with_last(onset=99.0, exact=False) != "off", "it is only known to have been before it was seen"
    assert with_last(onset=101.0, exact=True) != "off"


def test_what_the_provider_cannot_do_is_not_proposed() -> None:
    assert with_last(caps=Capabilities(swap=Swap.REREAD, undo=False)) == "off"
    assert with_last(caps=Capabilities(swap=Swap.REREAD, off=False), before_off=True) != "off"
    assert propose(FLAG, [], CAN).words == "off"


def test_the_change_before_tells_what_stood_before() -> None:
    last = msgspec.structs.replace(LAST, before_off=None)
    former = FlagChange(key="f", at=50.0, summary=safe("x"), after_hash="old", off=False)
    assert propose(FLAG, [former, last], CAN).kind is RollbackKind.UNDO
    assert propose(FLAG, [msgspec.structs.replace(former, off=True), last], CAN).kind is RollbackKind.OFF


def test_the_newest_change_since_it_stood_like_that() -> None:
    first = FlagChange(key="f", at=1.0, summary=safe("ours"), after_hash="off")
    second = FlagChange(key="f", at=2.0, summary=safe("a person"), after_hash="on")
    other = FlagChange(key="g", at=3.0, summary=safe("other"), after_hash="on")
    assert changed_since([first, other], "f", "off") is None
    assert changed_since([second, first, other], "f", "off") == second
    assert changed_since([second], "f", "off") == second, "what made it stand like that was forgotten"
    assert changed_since([], "f", "off") is None


def test_the_most_suspected_flag_is_first() -> None:
    def changed(key: str, at: float) -> FlagChange:
        return msgspec.structs.replace(LAST, key=key, at=at)

    onset = 10_000.0
    changes = [
        changed("after", onset + 60),
        changed("long before", onset - SUSPICIOUS - 1),
        changed("just before", onset - 30),
        changed("twice", onset + 90),
        changed("twice", onset - 600),
    ]
    keys = ["a", "b", "after", "just before", "long before", "twice"]
    flags = [msgspec.structs.replace(FLAG, key=key) for key in reversed(keys)]
    found = [flag.key for flag in most_suspected_first(flags, changes, onset)]
    assert found == ["just before", "twice", "after", "long before", "a", "b"]
    assert nearest_before(changes, "long before", onset) is None
    assert nearest_before(changes, "twice", onset) == 600
    without = [flag.key for flag in most_suspected_first(flags, changes, None)]
    assert without == ["twice", "after", "just before", "long before", "a", "b"]
