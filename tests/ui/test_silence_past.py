"""The silence form's line about the last week: what it says, and that it never stands in the way."""

from __future__ import annotations

import asyncio

from driving import Driven, driven
from fakes import make_alert, make_snapshot
from textual.screen import Screen
from textual.widgets import TextArea

from opsconsole.errors import TimedOut
from opsconsole.model.matchers import exact_matchers
from opsconsole.model.pastradius import HOURS, REACH_QUERY
from opsconsole.model.series import QueryResult, Series
from opsconsole.render.glyphs import ASCII
from opsconsole.text import trusted
from opsconsole.ui.dialogs.silence_form import SilenceForm
from opsconsole.ui.dialogs.silence_past import PastLine

MATCHERS = exact_matchers({"alertname": "HighErrorRate"})
WEEK = [
    ({"alertname": "HighErrorRate", "severity": "critical"}, 1.0),
    ({"alertname": "PoolDown", "severity": "page"}, 1.0),
    ({"alertname": "Slow", "severity": "warning"}, 10.0),
]


def vector(found) -> QueryResult:
    return QueryResult("vector", tuple(Series(labels, (0.0,), (value,)) for labels, value in found))


def known(week=(), *, hours=HOURS, carried=()):
    """A Prometheus that has the samples of these hours, this week and alerts with the labels at `carried`."""

    def answer(expr: str) -> QueryResult:
        if expr == REACH_QUERY:
            return vector(({"hours": str(h)}, 3.0) for h in hours)
        if expr.startswith("count by"):
            return vector(week)
        return vector(({"at": str(at)}, 5.0) for at in carried)

    return answer


def line(screen: Driven) -> str:
    return str(screen.app.screen.query_one(PastLine).render())


async def opened(screen: Driven, matchers=MATCHERS) -> SilenceForm:
    form = SilenceForm(screen.app.services, "main", matchers, comment="why")
    screen.app.push_screen(form)
    await screen.until(lambda: form.is_mounted and bool(form.query(PastLine)))
    return form


async def says(screen: Driven, words: str) -> None:
    await screen.until(lambda: line(screen) == f"last 7 days: {words}")
    await screen.settle()


def empty(_) -> Screen[None]:
    return Screen()


async def test_the_week_is_counted_with_the_critical_alerts_named():
    async with driven(empty, make_snapshot(), (80, 24)) as screen:
        screen.engine.answer = known(WEEK)
        screen.runner.hidden = lambda matchers: (make_alert("HighErrorRate"),)
        await opened(screen)
        await says(screen, "12 alerts (2 critical: HighErrorRate, PoolDown; 10 warning)")
        assert "last 7 days: 12 alerts (2 critical: HighErrorRate, PoolDown" in screen.text
        assert 'alertname="HighErrorRate"' in screen.engine.asked[-1]
        frame, below = screen.app.screen.query_one(".dialog"), screen.app.screen.query_one("#consequences")
        assert frame.content_region.contains_region(below.region)


async def test_many_critical_names_are_cut():
    week = [({"alertname": f"A{i}", "severity": "critical"}, 1.0) for i in range(1, 6)]
    async with driven(empty, make_snapshot(), glyphs=ASCII) as screen:
        screen.engine.answer = known(week)
        await opened(screen)
        await says(screen, "5 alerts (5 critical: A1, A2, A3 and 2 more names)")
        assert screen.app.screen.query_one("#past-text").region.height == 1


async def test_zero_is_said_only_when_it_is_known():
    cluster = exact_matchers({"alertname": "A", "cluster": "eu"})
    partial = QueryResult("vector", (), (trusted("store 2 is away"),))
    cases = [
        (MATCHERS, known(), "0 alerts"),
        (cluster, known(carried=[0]), "0 alerts"),
        (cluster, known(), "not known: no alert in Prometheus has the label cluster"),
        (MATCHERS, known(hours=HOURS[:3]), "not known: Prometheus has only the last 6 hours"),
        (MATCHERS, lambda expr: TimedOut("no answer in 10s"), "not known: timed out: no answer in 10s"),
        (MATCHERS, lambda expr: partial, "not known: a partial answer: store 2 is away"),
    ]  # fmt: skip
    for matchers, answer, words in cases:
        async with driven(empty, make_snapshot()) as screen:
            screen.engine.answer = answer
            await opened(screen, matchers)
            await says(screen, words)


async def test_a_part_of_the_week_is_told_as_a_part():
    async with driven(empty, make_snapshot()) as screen:
        screen.engine.answer = known(WEEK[:1], hours=HOURS[:6])
        await opened(screen)
        await says(
            screen, "not known: Prometheus has only the last 2 days; known: 1 alert (1 critical: HighErrorRate)"
        )


async def test_fewer_than_it_hides_now_is_not_believed():
    async with driven(empty, make_snapshot()) as screen:
        screen.engine.answer = known(WEEK[:1])
        screen.runner.hidden = lambda matchers: tuple(make_alert("HighErrorRate", i=str(i)) for i in range(3))
        await opened(screen)
        await says(
            screen,
            "not known: Prometheus knows fewer alerts (1) than are hidden now (3); "
            "known: 1 alert (1 critical: HighErrorRate)",
        )


async def test_typing_goes_on_while_prometheus_is_asked_and_only_the_last_question_counts():
    async with driven(empty, make_snapshot()) as screen:
        asked: list[str] = []
        gone: list[str] = []

        async def never(expr: str, *, at: float | None = None) -> QueryResult:
            asked.append(expr)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                gone.append(expr)
                raise
            raise AssertionError

        screen.engine.ask = never
        form = await opened(screen, ())
        await screen.settle()
        assert (asked, line(screen)) == ([], ""), "there are no matchers to ask about"
        await screen.press(*"a=b")
        await screen.until(lambda: len(asked) - len(gone) == 1)
        assert line(screen) == "last 7 days: asking Prometheus…"
        await screen.press(*"cd")
        assert form.query_one("#matchers", TextArea).text == "a=bcd"
        await screen.until(lambda: len(gone) > 0 and len(asked) - len(gone) == 1)
        await screen.press("escape")
        await screen.until(lambda: gone == asked)
        assert screen.app.screen is not form


async def test_matchers_that_do_not_parse_are_not_asked_about():
    async with driven(empty, make_snapshot()) as screen:
        screen.engine.answer = known(WEEK)
        form = await opened(screen)
        await says(screen, "12 alerts (2 critical: HighErrorRate, PoolDown; 10 warning)")
        count = len(screen.engine.asked)
        form.query_one("#matchers", TextArea).text = 'pool="primary'
        await screen.until(lambda: line(screen) == "")
        assert len(screen.engine.asked) == count
        form.query_one("#matchers", TextArea).text = 'alertname="Other"'
        screen.engine.answer = known()
        await says(screen, "0 alerts")
