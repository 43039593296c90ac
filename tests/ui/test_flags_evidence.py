"""The Flags screen's evidence: what it asks, the verdicts, the two charts."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from console_data import REFUSED, change, flagset, full, playbook
from driving import HOSTILE, SIZES, Driven, driven, fits, painted_lines
from fakes import NOW

from opsconsole.errors import SourceError, Unreachable
from opsconsole.model.evidence_windows import Evidence
from opsconsole.model.flags import Capabilities, Flag, Swap
from opsconsole.model.reading import Reading
from opsconsole.model.series import QueryResult, Series
from opsconsole.render.glyphs import ASCII
from opsconsole.render.theme import NO_COLOUR
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import safe, trusted
from opsconsole.ui.screens.flags import FlagsScreen

CHANGED = NOW - 600


def vector(**values: float) -> QueryResult:
    return QueryResult("vector", tuple(Series({"result": name}, (NOW,), (v,)) for name, v in values.items()))


def counts(before: int, after: int, every: int = 12_400) -> Callable[[str, float | None], QueryResult]:
    """So many bad ones before and after the change, of errors and of latency."""
    changed = {CHANGED, NOW - 3000}

    def answer(expr: str, at: float | None) -> QueryResult:
        if "$" in expr or "evaluations" in expr:
            return vector(true=300.0, false=12_100.0)
        bad = " or 0 *" in expr or "_bucket" in expr
        return vector(all=(before if at in changed else after) if bad else every)

    return answer


async def told(screen: Driven, answer: Callable[[str, float | None], QueryResult | SourceError]) -> str:
    """What the screen shows after these answers."""
    screen.engine.answer_at = answer
    await screen.push(full(changes=(change(),)))
    await screen.until(lambda: "being counted" not in screen.text)
    await screen.settle()
    return screen.text


def line_of(text: str, name: str) -> str:
    return next(row for row in text.split("\n") if row.startswith(f" {name} "))


def asking(snapshot: Snapshot) -> Snapshot:
    """The snapshot without a change, so that the screen begins by asking nothing."""
    return msgspec.structs.replace(snapshot, changes=())


@pytest.mark.parametrize("size", SIZES)
async def test_the_verdict_comes_with_its_counts(size: tuple[int, int]) -> None:
    async with driven(FlagsScreen, asking(full()), size) as screen:
        text = await told(screen, counts(12, 595))
        assert fits(text, size)
        errors = line_of(text, "errors")
        if size[0] == 80:
            assert "✖ worse  0.097 % of 12,400 -> 4.8 % of 12,400  p < 0.001" in errors
        else:
            assert "✖ worse  before 0.097 % of 12,400  after 4.8 % of 12,400  p < 0.001" in errors
            note = "answered with 5xx, 9m45s before and 9m45s after; two-proportion z-test"
            assert note in text
            assert "slower than 500 ms, 9m45s before and 9m45s after" in text
        assert "✖ worse" in line_of(text, "latency")


@pytest.mark.parametrize(("before", "after", "words"), [(595, 12, "✔ better"), (12, 14, "✔ same")])
async def test_better_and_same_have_words(before: int, after: int, words: str) -> None:
    async with driven(FlagsScreen, asking(full())) as screen:
        assert words in line_of(await told(screen, counts(before, after)), "errors")


async def test_too_little_data_says_what_is_missing() -> None:
    async with driven(FlagsScreen, asking(full()), (80, 24)) as screen:
        text = await told(screen, counts(0, 1, every=40))
        assert "? too little data" in line_of(text, "errors")
        assert "only 40 before, 50 are needed" in line_of(text, "errors")


async def test_what_cannot_be_asked_is_no_verdict() -> None:
    async with driven(FlagsScreen, asking(full())) as screen:
        text = await told(screen, lambda expr, at: Unreachable("connection refused"))
        assert "? cannot tell: unreachable: connection refused" in line_of(text, "errors")


async def test_an_answer_that_failed_is_asked_again() -> None:
    async with driven(FlagsScreen, asking(full())) as screen:
        await told(screen, lambda expr, at: Unreachable("connection refused"))
        screen.engine.answer_at = counts(12, 595)
        await screen.push(full(changes=(change(),), now=NOW + 1))
        assert "cannot tell" in line_of(screen.text, "errors")
        await screen.push(full(changes=(change(),), now=NOW + 20))
        await screen.until(lambda: "✖ worse" in line_of(screen.text, "errors"))


async def test_a_verdict_of_whole_windows_is_asked_once() -> None:
    async with driven(FlagsScreen, asking(full())) as screen:
        screen.engine.answer_at = counts(12, 595)
        old = (change(ago=3000.0),)
        await screen.push(full(changes=old))
        await screen.until(lambda: "✖" in line_of(screen.text, "errors"))
        asked = sum("increase(" in expr for expr in screen.engine.asked)
        assert asked == 10
        await screen.push(full(changes=old, now=NOW + 300))
        assert sum("increase(" in expr for expr in screen.engine.asked) == asked


async def test_a_provider_says_when_a_change_has_arrived() -> None:
    slow = msgspec.structs.replace(flagset(), capabilities=Capabilities(swap=Swap.ATOMIC, propagation=585.0))
    async with driven(FlagsScreen, full(flags=slow)) as screen:
        await screen.until(lambda: "only just changed" in screen.text)


async def test_no_change_has_no_evidence() -> None:
    async with driven(FlagsScreen, asking(full())) as screen:
        assert not any(row.startswith(" errors") for row in screen.text.split("\n"))


@pytest.mark.parametrize("size", SIZES)
async def test_evaluations_are_shown_and_the_name_is_only_a_string(size: tuple[int, int]) -> None:
    named = msgspec.structs.replace(
        playbook(), evidence=Evidence(evaluations='sum by (result) (increase(evaluations{flag="$flag"}[$window]))')
    )
    key = 'a"} or vector(1)'
    flag = Flag(key=key, enabled=True, default_variant=trusted("on"), variants=(trusted("on"),))
    flags = msgspec.structs.replace(flagset(), flags=(flag,))
    async with driven(FlagsScreen, asking(full()), size) as screen:
        screen.engine.answer_at = counts(0, 0)
        await screen.push(full(flags=flags, changes=(change(key),), playbooks=(named,)))
        await screen.until(lambda: "false 12,100  true 300" in screen.text)
        assert "in the 9m45s after" in line_of(screen.text, "evaluations")
        (expr,) = [expr for expr in screen.engine.asked if "evaluations" in expr]
        assert expr == r'sum by (result) (increase(evaluations{flag="a\"} or vector(1)"}[585s]))'


async def test_two_charts_where_there_is_room_and_tab_where_there_is_not() -> None:
    async with driven(FlagsScreen, full()) as screen:
        (row,) = [row for row in screen.text.split("\n") if "Error rate · 30m" in row]
        assert "API latency · 30m" in row
    async with driven(FlagsScreen, full(), (80, 24)) as screen:
        assert "API latency · 30m" not in screen.text
        assert "tab API latency" in screen.text
        await screen.press("tab")
        assert "API latency · 30m" in screen.text
        assert "Error rate · 30m" not in screen.text
        await screen.press("tab")
        assert "Error rate · 30m" in screen.text


async def test_the_panels_follow_the_playbook_of_the_worst_alert() -> None:
    other = msgspec.structs.replace(playbook(), system="other", alerts={}, rules=())
    async with driven(FlagsScreen, full(playbooks=(other, playbook()))) as screen:
        assert screen.engine.watched == ("accubooks/error_rate", "accubooks/latency")
        await screen.push(full(playbooks=(other, playbook()), alerts=()))
        assert screen.engine.watched == ("other/error_rate", "other/latency")


async def test_the_same_answers_repaint_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with driven(FlagsScreen, asking(full())) as screen:
        await told(screen, counts(12, 595))
        with painted_lines(monkeypatch) as painted:
            await screen.push(full(changes=(change(),)))
        assert painted == []


@pytest.mark.parametrize("size", SIZES)
async def test_without_colour_and_in_ascii_the_verdict_is_a_word(size: tuple[int, int]) -> None:
    async with driven(FlagsScreen, asking(full()), size, theme=NO_COLOUR, glyphs=ASCII) as screen:
        text = await told(screen, counts(12, 595))
        assert text.isascii()
        assert "X worse" in line_of(text, "errors")


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_answers_only_show(size: tuple[int, int]) -> None:
    async with driven(FlagsScreen, asking(full()), size) as screen:
        text = await told(screen, lambda expr, at: Unreachable(HOSTILE))
        assert fits(text, size)
        assert "\\x1b" in text
        failed = Reading(data=flagset(), at=NOW - 48, failure=REFUSED, failing_since=NOW - 40)
        assert fits(await screen.push(msgspec.structs.replace(full(), flags=failed)), size)
        assert safe(HOSTILE, 10)
