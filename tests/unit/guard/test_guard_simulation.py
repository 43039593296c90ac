"""The guard in history: what a replay finds, and what it supposes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from opsconsole.cli.guard_simulate import _print
from opsconsole.guard.decisions import Watched
from opsconsole.guard.samples import Sample
from opsconsole.guard.simulate import MOST_POINTS, Found, History, Score, ask, replay, score
from opsconsole.model.flags import FlagChange
from opsconsole.model.guardhistory import Known
from opsconsole.model.series import QueryResult, Series
from opsconsole.text import safe, trusted
from tests.support.guards import GUARD, RULE

START = 1_767_225_600.0
WATCHED = Watched(system="shop", guard=GUARD, rule=RULE)


def history(value: Callable[[float], float | None], *, length: int = 3600, watched: Watched = WATCHED) -> History:
    samples = {}
    for seconds in range(0, length, 10):
        at, found = START + seconds, value(seconds)
        problem = trusted("" if found is not None else "no value")
        samples[at] = Sample(at=at, value=found, problem=problem, newest=at - 1)
    return History(watched=watched, samples=samples)


def between(start: int, end: int, bad: float = 0.2) -> Callable[[float], float]:
    return lambda seconds: bad if start <= seconds < end else 0.0


def changed(key: str, seconds: float, *, off: bool = False) -> FlagChange:
    return FlagChange(
        key=key,
        at=START + seconds,
        summary=trusted("on"),
        exact=True,
        before_hash=f"{key} before",
        after_hash=f"{key}@{seconds}",
        off=off,
    )


def test_what_would_have_been_rolled_back_and_how_long_it_took_to_decide() -> None:
    (found,) = replay([history(between(600, 900))], [changed("release", 550), changed("other", -4000)])
    assert (found.system, found.rule, found.what, found.flag) == ("shop", "errors", "roll-back", "release")
    assert (found.breach, found.decided, found.took) == (START + 600, START + 630, 30.0)


def test_a_flag_that_changes_later_is_not_known_yet() -> None:
    (found,) = replay([history(between(600, 900))], [changed("later", 700)])
    assert found.what == "no-candidate"


def test_without_changes_some_flag_is_supposed_to_have_changed_before_each_onset() -> None:
    first = between(600, 700)
    found = replay([history(lambda s: first(s) or (0.2 if s >= 3000 else 0.0))], None)
    assert [(one.what, one.flag) for one in found] == [("roll-back", "any flag")] * 2


def test_a_breach_at_the_first_look_has_begun_before(capsys: pytest.CaptureFixture[str]) -> None:
    found = replay([history(between(0, 300))], [changed("release", -60)])
    assert [(one.what, one.flag, one.unseen) for one in found] == [("ask-human", "release", True)]
    assert "the breach began while nobody looked, before 00:00:00Z" in found[0].reason
    _print([Score(factor=1.0, found=found)], (), None, 1.8e9)
    assert "shop/errors at " in (said := capsys.readouterr().err)
    assert "the breach began before, while nobody looked" in said
    (seen,) = replay([history(between(600, 900))], [changed("release", 550)])
    assert not seen.unseen


def test_a_turn_off_is_asked_about() -> None:
    (found,) = replay([history(between(600, 900))], [changed("release", 550, off=True)])
    assert found.what == "ask-human"


def test_an_incident_that_goes_on_is_one() -> None:
    assert len(replay([history(between(600, 3500))], [changed("release", 550)])) == 1


def test_what_is_missed_and_what_is_false_is_counted() -> None:
    histories = [history(lambda s: 0.2 if 600 <= s < 900 else 0.04 if 2800 <= s < 3000 else 0.0)]
    known = [Known(start=START + 590, end=START + 950, name=trusted("a release"))]
    usual = score(histories, None, None, known)
    assert (usual.hits, usual.missed, usual.false) == (1, (), 0)
    low = score(histories, None, None, known, 0.5)
    assert (low.hits, low.false) == (1, 1)
    high = score(histories, None, None, known, 5.0)
    assert (high.hits, high.missed, high.found) == (0, ("a release",), ())


def test_the_share_of_looks_without_a_value_is_told() -> None:
    assert score([history(lambda s: None if s < 360 else 0.0)], None, None, []).blind == pytest.approx(0.1)


def test_a_rule_with_a_lower_bound_is_scaled_too() -> None:
    rule = replace(RULE, above=None, below=10.0)
    watched = Watched(system="shop", guard=replace(GUARD, rules=(rule,)), rule=rule)
    histories = [history(lambda s: 8.0 if s >= 600 else 50.0, watched=watched)]
    assert len(score(histories, None, None, []).found) == 1
    assert score(histories, None, None, [], 0.5).found == ()


async def test_a_long_history_is_asked_in_parts() -> None:
    asked: list[tuple[str, float, float]] = []

    async def query(expr: str, start: float, end: float, step: float) -> QueryResult:
        asked.append((expr, start, end))
        times = tuple(start + step * n for n in range(round((end - start) / step) + 1))
        values = tuple(at - 1 if "timestamp(" in expr else 0.2 for at in times)
        return QueryResult("matrix", (Series({}, times, values),))

    found = await ask(WATCHED, query, START, START + 15_000 * 10)
    assert len(found.samples) == 15_001
    assert all(sample.value == 0.2 for sample in found.samples.values())
    assert len(asked) == 4, "two questions, each in two parts"
    assert max((end - start) / 10 + 1 for _, start, end in asked) <= MOST_POINTS


@pytest.mark.parametrize(("columns", "times"), [("80", 1), ("120", 2)])
def test_what_is_found_fits_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str, times: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    found = Found(
        system="ruleiq", rule="p95_latency", breach=1e9, decided=1e9 + 50, what="no-candidate", flag=safe("parser")
    )
    _print([Score(factor=1.0, found=(found,))], (), None, 1.7e9)
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["first", "breach"]
    assert len(re.findall(r"\d\d:\d\d:\d\d", line)) == times
    for said in ("50s", "ruleiq/p95_latency", "no flag explains it", "parser"):
        assert said in line
