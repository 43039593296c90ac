"""The dialogs by themselves: what confirms, what is asked twice, what is shown."""

from __future__ import annotations

import msgspec
import pytest
from fakes import NOW, ScreenApp, make_alert, make_services, make_snapshot, screen_text, some_alerts
from textual import events
from textual.screen import Screen
from textual.widgets import Input, TextArea

from opsconsole.errors import TimedOut, UsageError
from opsconsole.model.matchers import exact_matchers
from opsconsole.model.radius import Limits
from opsconsole.model.reading import Reading
from opsconsole.model.runbook import Command
from opsconsole.render.glyphs import ASCII
from opsconsole.text import safe, trusted
from opsconsole.ui.dialogs.command import CommandDialog, CommandPicker
from opsconsole.ui.dialogs.confirm import ConfirmDialog, TypedConfirmDialog
from opsconsole.ui.dialogs.prompt import PromptDialog
from opsconsole.ui.dialogs.silence_draft import Words, amtool_line, draft_of, matchers_of
from opsconsole.ui.dialogs.silence_form import SilenceForm
from opsconsole.ui.dialogs.text_view import TextView

SIZE = (100, 30)
NASTY = "[/var/log] [@click=app.quit]x[/] [bold]y \\[z]"


class Empty(Screen[None]):
    """Something to be in front of."""


def build(**more):
    services, engine, runner = make_services(**more)
    return ScreenApp(Empty(), services), services, engine, runner


async def ask(app, dialog) -> list:
    results: list = []
    app.push_screen(dialog, results.append)
    return results


async def test_confirm_takes_enter_and_escape():
    app, services, _, _ = build()
    async with app.run_test(size=SIZE) as pilot:
        results = await ask(app, ConfirmDialog(services, NASTY, [NASTY], verb="do it"))
        await pilot.pause()
        text = screen_text(app)
        assert text.count("[/var/log] [@click=app.quit]x[/] [bold]y") == 2
        await pilot.press("enter")
        assert results == [True]
        results = await ask(app, ConfirmDialog(services, "t", ["?"]))
        await pilot.pause()
        await pilot.press("escape")
        assert results == [None]


async def test_a_key_from_before_the_dialog_was_painted_does_not_confirm():
    app, services, _, _ = build()
    async with app.run_test(size=SIZE) as pilot:
        early = events.Key("enter", "\r")
        results = await ask(app, ConfirmDialog(services, "t", ["?"]))
        app.post_message(early)
        await pilot.pause(0.1)
        assert results == []
        await pilot.press("enter")
        assert results == [True]


async def test_a_name_must_be_typed_exactly():
    app, services, _, _ = build()
    async with app.run_test(size=SIZE) as pilot:
        results = await ask(app, TypedConfirmDialog(services, "t", ["?"], name="new_pricing"))
        await pilot.pause()
        await pilot.press(*"new", "enter")
        await pilot.pause()
        assert results == []
        assert "that is not the name" in screen_text(app)
        await pilot.press("underscore", *"pricing", "enter")
        assert results == [True]


async def test_a_name_with_characters_that_nobody_can_type_is_typed_as_shown():
    app, services, _, _ = build()
    async with app.run_test(size=SIZE) as pilot:
        results = await ask(app, TypedConfirmDialog(services, "t", ["?"], name="a\u202eb"))
        await pilot.pause()
        app.screen.query_one(Input).value = "a\\u202eb"
        await pilot.press("enter")
        assert results == [True]


async def test_prompt_gives_the_line():
    app, services, _, _ = build()
    async with app.run_test(size=SIZE) as pilot:
        results = await ask(app, PromptDialog(services, "Note", label="What"))
        await pilot.pause()
        await pilot.press("enter", *"saw it", "enter")
        assert results == ["saw it"]


async def test_text_view_shows_a_megabyte_without_all_of_it():
    app, services, _, _ = build()
    async with app.run_test(size=SIZE) as pilot:
        await ask(app, TextView(services, "t", safe("x" * 1_000_000)))
        await pilot.pause()
        assert len(app.screen_stack) == 3
        await pilot.press("escape")
        assert len(app.screen_stack) == 2


async def test_ascii_terminals_get_an_ascii_frame():
    app, services, _, _ = build(glyphs=ASCII)
    async with app.run_test(size=SIZE) as pilot:
        await ask(app, ConfirmDialog(services, "t", ["plain"]))
        await pilot.pause()
        assert screen_text(app).isascii()


def form(services, **more) -> SilenceForm:
    matchers = exact_matchers({"alertname": "HighErrorRate"})
    return SilenceForm(services, "main", matchers, comment="why", **more)


async def test_the_form_asks_what_it_hides_as_the_matchers_change():
    app, services, _, runner = build()
    runner.hidden = lambda matchers: tuple(a for a in some_alerts() if all(m.matches(a.labels) for m in matchers))
    async with app.run_test(size=SIZE) as pilot:
        await ask(app, form(services))
        await pilot.pause(0.2)
        assert "hides now: 1 alert " in screen_text(app)
        app.screen.query_one(TextArea).text = 'pool="primary"'
        await pilot.pause(0.6)
        text = screen_text(app)
        assert "hides now: 2 alerts" in text
        assert "amtool silence add" in text
        app.screen.query_one(TextArea).text = 'pool="primary'
        await pilot.pause()
        assert "closing quote" in screen_text(app)
        asked = len(runner.called("preview"))
        await pilot.press("ctrl+s")
        await pilot.pause(0.4)
        assert len(runner.called("preview")) == asked, "nothing to ask about what does not parse"


async def test_what_it_hides_is_unknown_when_alertmanager_does_not_answer():
    app, services, _, runner = build()

    def fail(matchers):
        raise TimedOut("no answer in 10s")

    runner.hidden = fail
    async with app.run_test(size=SIZE) as pilot:
        results = await ask(app, form(services))
        await pilot.pause(0.2)
        assert "UNKNOWN what it hides" in screen_text(app)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert isinstance(app.screen, TypedConfirmDialog)
        assert "not known what this hides" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert results == []


async def test_an_answer_that_changed_since_it_was_shown_is_shown_again():
    app, services, _, runner = build()
    hidden = [some_alerts()[0]]
    runner.hidden = lambda matchers: tuple(hidden)
    async with app.run_test(size=SIZE) as pilot:
        results = await ask(app, form(services))
        await pilot.pause(0.2)
        hidden.append(make_alert("HighErrorRate", route="/other"))
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert results == []
        assert "hides now: 2 alerts" in screen_text(app)
        await pilot.press("ctrl+s")
        await until_shown(pilot, TypedConfirmDialog)
        await pilot.press("2", "enter")
        await until_true(pilot, lambda: len(results) == 1)


@pytest.mark.parametrize(
    ("until", "count", "reason"),
    [("2h", 1, "1 critical: HighErrorRate"), ("25h", 1, "longer than 24h"), ("2h", 5, "hides everything")],
)
async def test_the_number_is_typed_for(until, count, reason):
    app, services, _, runner = build()
    runner.hidden = lambda matchers: some_alerts()[:count]
    async with app.run_test(size=SIZE) as pilot:
        results = await ask(app, form(services, until=until))
        await pilot.pause(0.2)
        await pilot.press("ctrl+s")
        await until_shown(pilot, TypedConfirmDialog)
        assert reason in screen_text(app)
        await pilot.press("enter", "9", "enter")
        await pilot.pause()
        assert "that is not the number; nothing was done" in screen_text(app)
        await pilot.press("backspace", str(count), "enter")
        await until_true(pilot, lambda: len(results) == 1)


@pytest.mark.parametrize(("above", "asked"), [(2, True), (3, False)])
async def test_more_than_the_configured_number_is_typed_and_fewer_are_not(above, asked):
    quiet = [make_alert("Slow", "warning", i=str(i)) for i in range(3)]
    snapshot = make_snapshot(alerts=[*quiet, make_alert("Other", "info")])
    context = msgspec.structs.replace(snapshot.context, limits=Limits(confirm_above=above))
    app, services, _, runner = build(snapshot=msgspec.structs.replace(snapshot, context=context))
    runner.hidden = lambda matchers: quiet
    async with app.run_test(size=SIZE) as pilot:
        results = await ask(app, form(services))
        await pilot.pause(0.2)
        await pilot.press("ctrl+s")
        await until_true(pilot, lambda: isinstance(app.screen, TypedConfirmDialog) if asked else bool(results))
        await pilot.pause()
        assert ("3 alerts are more than 2" in screen_text(app)) is asked


async def test_hiding_nothing_is_confirmed_without_a_number():
    app, services, _, _ = build()
    async with app.run_test(size=SIZE) as pilot:
        results = await ask(app, form(services))
        await pilot.pause(0.2)
        await pilot.press("ctrl+s")
        await until_shown(pilot, ConfirmDialog)
        assert "hides no alert now" in screen_text(app)
        await pilot.press("enter")
        await until_true(pilot, lambda: len(results) == 1)


async def test_the_nearest_matchers_are_filled_in_by_a_key():
    alerts = some_alerts()
    app, services, _, runner = build(snapshot=make_snapshot(alerts=alerts))
    runner.hidden = lambda matchers: [a for a in alerts if all(m.matches(a.labels) for m in matchers)]
    async with app.run_test(size=SIZE) as pilot:
        typed = exact_matchers({"alertname": "HihgErrorRate", "team": "x"})
        await ask(app, SilenceForm(services, "main", typed, comment="why"))
        await until_true(pilot, lambda: "nearest, ctrl+n" in screen_text(app))
        text = screen_text(app)
        assert "hides now: 0 alerts" in text
        assert "nearest, ctrl+n takes it, would hide: 1 alert " in text
        assert 'alertname="HighErrorRate" for alertname="HihgErrorRate"' in text
        assert 'without team="x": no alert has the label team' in text
        await pilot.press("ctrl+n")
        area = app.screen.query_one(TextArea)
        assert area.text == 'alertname="HighErrorRate"'
        await until_true(pilot, lambda: "hides now: 1 alert " in screen_text(app))
        assert "nearest" not in screen_text(app)
        await pilot.press("ctrl+n")
        assert area.text == 'alertname="HighErrorRate"', "there is nothing to take"
        area.focus()
        await pilot.press("ctrl+z")
        assert "HihgErrorRate" in area.text, "it can be taken back"
        await pilot.press("a", "ctrl+n")
        assert "HihgErrorRate" in area.text, "an offer for other matchers than those in the field"


async def test_nothing_is_offered_when_the_alerts_are_not_known():
    old = make_snapshot(alerts=some_alerts())
    cluster = old.clusters[0]
    silent = msgspec.structs.replace(cluster, alerts=Reading(failure=TimedOut("x"), failing_since=NOW))
    snapshot = msgspec.structs.replace(old, clusters=(silent,))
    app, services, _, _ = build(snapshot=snapshot)
    async with app.run_test(size=SIZE) as pilot:
        matchers = exact_matchers({"alertname": "HihgErrorRate"})
        await ask(app, SilenceForm(services, "main", matchers, comment="why"))
        await until_true(pilot, lambda: "hides now: 0 alerts" in screen_text(app))
        assert "nearest" not in screen_text(app)


async def test_alerts_that_come_while_the_number_is_typed_need_a_new_confirmation():
    app, services, _, runner = build()
    hidden = list(some_alerts()[:1])
    runner.hidden = lambda matchers: tuple(hidden)
    async with app.run_test(size=SIZE) as pilot:
        results = await ask(app, form(services))
        await pilot.pause(0.2)
        await pilot.press("ctrl+s")
        await until_shown(pilot, TypedConfirmDialog)
        hidden[:] = [make_alert("HighErrorRate", route="/other")]
        # The second enter and ctrl+s are typed ahead of the picture that has changed.
        await pilot.press("1")
        early = events.Key("ctrl+s", None)
        await pilot.press("enter")
        await until_true(pilot, lambda: "came since: 1" in screen_text(app))
        assert "went since: 1" in screen_text(app)
        app.post_message(early)
        await pilot.pause(0.1)
        assert isinstance(app.screen, SilenceForm), "a key from before the change confirmed it"
        await pilot.press("ctrl+s")
        await until_shown(pilot, TypedConfirmDialog)
        await pilot.press("1", "enter")
        await until_true(pilot, lambda: len(results) == 1)


async def test_a_partial_answer_is_not_known_and_confirmed_by_that_word():
    app, services, _, runner = build()
    runner.hidden = lambda matchers: some_alerts()[1:2]
    runner.partial = safe("the answer is partial: http://am-1 timed out: no answer in 10s")
    async with app.run_test(size=SIZE) as pilot:
        results = await ask(app, form(services))
        await pilot.pause(0.2)
        text = screen_text(app)
        assert "UNKNOWN what it hides: the answer is partial: http://am-1" in text
        assert "known: 1 alert" in text
        await pilot.press("ctrl+s")
        await until_shown(pilot, TypedConfirmDialog)
        await pilot.press("1", "enter")
        await pilot.pause()
        assert results == []
        await pilot.press("backspace", *"unknown", "enter")
        await until_true(pilot, lambda: len(results) == 1)


@pytest.mark.parametrize("text", ['alertname=~".*"', 'severity!=""', 'env!~"dev|test"', 'a=~"x?"', ""])
async def test_everything_is_refused(text):
    app, services, _, runner = build()
    runner.hidden = lambda matchers: some_alerts()
    async with app.run_test(size=SIZE) as pilot:
        results = await ask(app, form(services))
        await pilot.pause(0.1)
        app.screen.query_one(TextArea).text = text
        await pilot.pause(0.5)
        await pilot.press("ctrl+s")
        await pilot.pause(0.2)
        assert isinstance(app.screen, SilenceForm)
        assert "every alert" in screen_text(app) or "hide everything" in screen_text(app)
        assert results == []


async def until_shown(pilot, kind) -> None:
    """Wait until a dialog of this kind is in front and painted."""
    await until_true(pilot, lambda: isinstance(pilot.app.screen, kind))
    await pilot.pause()
    await pilot.pause()


async def until_true(pilot, condition) -> None:
    for _ in range(600):
        if condition():
            return
        await pilot.pause(0.05)
    raise AssertionError(f"it did not happen:\n{screen_text(pilot.app)}")


async def test_a_comment_and_an_end_are_required():
    app, services, _, runner = build()
    runner.hidden = lambda matchers: some_alerts()[:1]
    async with app.run_test(size=SIZE) as pilot:
        results = await ask(app, form(services))
        await pilot.pause(0.2)
        app.screen.query_one("#comment", Input).value = " "
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "comment is required" in screen_text(app)
        app.screen.query_one("#comment", Input).value = "x"
        app.screen.query_one("#until", Input).value = "soon"
        await pilot.pause()
        assert "not a duration" in screen_text(app)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert results == []


def test_drafts():
    words = Words('a="b"\nc=~"d.*", e!="f"', "05:12", "x")
    draft = draft_of(words, cluster="main", user="me", now=NOW, zone=make_services()[0].zone)
    assert [str(m) for m in draft.matchers] == ['a="b"', 'c=~"d.*"', 'e!="f"']
    assert draft.ends == NOW + 5 * 3600 + 12 * 60
    assert amtool_line(draft) == (
        "amtool silence add --author=me --comment=x --end=2026-01-01T05:12:00Z 'a=\"b\"' 'c=~\"d.*\"' 'e!=\"f\"'"
    )
    with pytest.raises(UsageError, match="line 2"):
        matchers_of('a="b"\nc')
    with pytest.raises(UsageError, match="no matchers"):
        matchers_of("\n")


async def test_all_of_the_form_can_be_reached_in_a_small_terminal():
    app, services, _, runner = build()
    runner.hidden = lambda matchers: tuple(some_alerts())
    async with app.run_test(size=(80, 24)) as pilot:
        matchers = exact_matchers({f"label_{i}": "a long value of it" for i in range(7)})
        await ask(app, SilenceForm(services, "main", matchers, comment="why"))
        await pilot.pause(0.3)
        frame, below = app.screen.query_one(".dialog"), app.screen.query_one("#consequences")
        assert frame.content_region.contains_region(below.region)
        await pilot.press("tab")
        assert below.has_focus
        await pilot.press("end")
        await pilot.pause()
        assert "label_6" in screen_text(app).split("amtool")[-1]


async def test_a_command_that_would_be_cut_is_not_copied():
    app, services, _, _ = build()
    alert = make_alert(route="/api")
    whole = Command(script='echo "$LABEL_route"', title=trusted("whole"), line=1)
    cut = Command(script=f'echo "$LABEL_route" {"x" * 7990}', title=trusted("cut"), line=12)
    async with app.run_test(size=SIZE) as pilot:
        for dialog in (CommandDialog(services, cut, alert), CommandPicker(services, [cut], alert.labels)):
            await ask(app, dialog)
            await pilot.pause()
            await pilot.press("y")
            await pilot.pause()
            assert app.clipboard == ""
            assert "not copied" in screen_text(app)
            assert "longer than 8,000" in screen_text(app)
            await pilot.press("escape", "escape")
        await ask(app, CommandDialog(services, whole, alert))
        await pilot.pause()
        await pilot.press("y")
        assert app.clipboard == 'LABEL_route=/api\necho "$LABEL_route"'
