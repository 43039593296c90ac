"""The detail of an alert: five tabs, on the side and on a screen of its own, with text that nobody trusts."""

from __future__ import annotations

import msgspec
import pytest
from fakes import (
    NOW,
    FakeEngine,
    ScreenApp,
    make_alert,
    make_rule,
    make_series,
    make_services,
    make_silence,
    make_snapshot,
    screen_text,
    some_alerts,
)
from textual.widgets import Markdown

from opsconsole.clock import ManualClock
from opsconsole.errors import TimedOut
from opsconsole.model.alertrule import history_query, own_series, rule_of, stretches
from opsconsole.model.playbook import Playbook
from opsconsole.model.runbook import Runbook, commands_of
from opsconsole.model.series import QueryResult
from opsconsole.render.glyphs import ASCII
from opsconsole.render.theme import NO_COLOUR
from opsconsole.text import safe, trusted
from opsconsole.ui.screens.alerts import AlertsScreen
from opsconsole.ui.screens.detail import DetailScreen

WIDE, NARROW = (120, 40), (80, 24)
TABS = ("Runbook", "Graph", "Labels", "Silences", "History")
PAYLOADS = (
    "\x1b[31mred\x1b]52;c;aGk=\x07",
    "\x1b]8;;http://evil\x1b\\link",
    "\u202eevil\u2066x\u200b",
    "\x9b31m\x00\x7f",
    "[/var/log] [@click=app.quit]x[/] [bold]y",
    "[link=http://evil]z[/link] :warning: &#27;[31m",
    "x" * 1_000_000,
)


def playbook(body: str, name: str = "HighErrorRate") -> Playbook:
    runbook = Runbook(
        path=f"/p/{name}.md", title=trusted("t"), body=body, alerts=(name,), commands=commands_of(body)
    )
    return Playbook(system="accubooks", title=trusted("A"), folder="/p", runbooks={name: runbook})


def build(snapshot=None, **more):
    services, engine, runner = make_services(snapshot, **more)
    screen = AlertsScreen(services)
    return ScreenApp(screen, services), screen, engine, runner


async def until(pilot, condition) -> None:
    """Wait for a condition, at most three seconds."""
    for _ in range(150):
        if condition():
            return
        await pilot.pause(0.02)
    raise AssertionError(screen_text(pilot.app))


async def see(pilot, text: str) -> None:
    await until(pilot, lambda: text in screen_text(pilot.app))


async def test_html_entities_and_images_of_a_runbook_are_text():
    body = "<details><summary>More</summary>\n\nhidden\n\n</details>\n\nA <b>bold</b> &#27;[31m ![pic](http://x/y.png)"
    app, _, _, _ = build(make_snapshot(playbooks=[playbook(body)]))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "<details><summary>More</summary>")
        text = screen_text(app)
        for shown in ("hidden", "</details>", "<b>bold</b>", "&#27;[31m"):
            assert shown in text


async def test_a_runbook_is_rendered_again_only_when_it_is_another():
    snapshot = make_snapshot(playbooks=[playbook("# Meaning\n\nerrors"), playbook("# Slow", "HighLatency")])
    app, screen, engine, _ = build(snapshot)
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "Meaning")
        rendered = []
        markdown = screen.query_one(Markdown)
        update = markdown.update
        markdown.update = lambda text: (rendered.append(text), update(text))[1]  # type: ignore[method-assign]
        for _ in range(3):
            engine.push(msgspec.structs.replace(engine.snapshot, now=engine.snapshot.now + 5))
            await pilot.pause()
        assert rendered == []
        await pilot.press("j", "j")
        await see(pilot, "Slow")
        assert len(rendered) == 1


async def test_a_large_runbook_is_plain_text():
    body = "# Title\n\n" + "a line of *text*\n" * 5000
    app, screen, _, _ = build(make_snapshot(playbooks=[playbook(body)]))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "a line of *text*")
        assert not screen.query_one(Markdown).display


async def test_an_alert_without_a_runbook_says_so_and_names_its_url():
    alert = make_alert("Odd_Name", annotations={"runbook_url": "http://wiki/odd_*x*"})
    app, _, _, _ = build(make_snapshot([alert]))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "No runbook for Odd_Name.")
        await see(pilot, "http://wiki/odd_*x*")


async def test_enter_goes_into_the_detail_and_escape_out_of_it():
    body = "# Meaning\n\n" + "\n\n".join(f"paragraph {i}" for i in range(60))
    app, screen, _, _ = build(make_snapshot(playbooks=[playbook(body)]))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "paragraph 3")
        key = screen.current().key
        await pilot.press("enter", "G")
        await see(pilot, "paragraph 59")
        assert screen.current().key == key
        await pilot.press("escape", "j")
        assert screen.current().key != key


async def test_a_narrow_terminal_has_the_detail_on_its_own_screen():
    app, screen, engine, runner = build(make_snapshot(playbooks=[playbook("# Meaning")]))
    async with app.run_test(size=NARROW) as pilot:
        await pilot.pause()
        assert "Runbook" not in screen_text(app)
        await pilot.press("enter")
        await see(pilot, "Meaning")
        assert isinstance(app.screen, DetailScreen)
        await pilot.press("tab", "tab")
        await see(pilot, "fingerprint")
        engine.push(make_snapshot(some_alerts()[1:]))
        await see(pilot, "no longer in the list")
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is screen
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen.current().alert.name == "DatabasePoolExhaustion"
        await pilot.press("escape")
        await pilot.pause()
        await pilot.press("j", "enter")
        await pilot.pause()
        await pilot.press("a")
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: len(runner.called("ack")) == 1)


async def test_widening_the_terminal_goes_back_to_list_and_detail():
    app, screen, _, _ = build(make_snapshot(playbooks=[playbook("# Meaning")]))
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("enter")
        await pilot.pause()
        await pilot.resize_terminal(*WIDE)
        await until(pilot, lambda: app.screen is screen)
        await see(pilot, "Meaning")


def graph_snapshot(state: str = "firing"):
    alert = some_alerts()[0]
    return alert, make_snapshot(rules=[make_rule(alert, "rate(errors[5m]) > 1", state=state)])


async def test_the_graph_is_the_rule_s_own_value_against_its_bound():
    alert, snapshot = graph_snapshot()
    app, _, engine, _ = build(snapshot)
    other = {**alert.labels, "route": "/other"}
    engine.answer = lambda expr: QueryResult(
        "matrix", (make_series(alert.labels, [0.5, 4.8]), make_series(other, [77.0, 88.0]))
    )
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("tab")
        await see(pilot, "now 4.8")
        text = screen_text(app)
        assert engine.asked == ["rate(errors[5m])"]
        assert "> 1" in text
        assert "for: 5m" in text
        assert "query: rate(errors[5m]) > 1" in text
        assert "range 15m (w)" in text
        await pilot.press("w")
        await see(pilot, "range 1h (w)")
        assert len(engine.asked) == 2
        await pilot.press("y")
        await pilot.pause()
        assert app.clipboard == "rate(errors[5m])"


async def test_the_graph_asks_seldom_and_only_while_it_is_shown():
    _, snapshot = graph_snapshot()
    app, screen, engine, _ = build(snapshot)
    clock = screen.services.clock
    assert isinstance(clock, ManualClock)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause(0.2)
        assert engine.asked == []
        await pilot.press("tab")
        await until(pilot, lambda: len(engine.asked) == 1)
        await push_later(pilot, engine, clock, 1)
        assert len(engine.asked) == 1
        await push_later(pilot, engine, clock, 30)
        await until(pilot, lambda: len(engine.asked) == 2)
        await pilot.press("tab")
        await push_later(pilot, engine, clock, 30)
        assert len(engine.asked) == 2


async def push_later(pilot, engine: FakeEngine, clock: ManualClock, seconds: float) -> None:
    clock.advance(seconds)
    engine.push(msgspec.structs.replace(engine.snapshot, now=clock.now()))
    await pilot.pause()


async def test_a_graph_that_cannot_be_asked_is_unknown_and_an_old_one_says_its_age():
    alert, snapshot = graph_snapshot()
    app, screen, engine, _ = build(snapshot)
    clock = screen.services.clock
    engine.answer = lambda expr: TimedOut("no answer in 10s")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("tab")
        await see(pilot, "UNKNOWN: timed out: no answer in 10s")
        engine.answer = lambda expr: QueryResult("matrix", (make_series(alert.labels, [0.5, 4.8]),))
        await push_later(pilot, engine, clock, 30)
        await see(pilot, "now 4.8")
        engine.answer = lambda expr: TimedOut("no answer in 10s")
        await push_later(pilot, engine, clock, 60)
        await see(pilot, "UNKNOWN (stale 1m): timed out")
        assert "now 4.8" not in screen_text(app)
        assert "last 4.8" in screen_text(app)


async def test_a_pending_alert_shows_how_far_its_for_is():
    alert = make_alert("Soon", "warning", pending=True, ago=120)
    group = make_rule(alert, "queue > 100", duration=600, state="pending")
    held = msgspec.structs.replace(group.rules[0].alerts[0], active_at=alert.starts_at)
    rule = msgspec.structs.replace(group.rules[0], alerts=(held,))
    snapshot = make_snapshot([], pending=[alert], rules=[msgspec.structs.replace(group, rules=(rule,))])
    app, _, _, _ = build(snapshot)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("tab")
        await see(pilot, "true for 2m of 10m")
        assert "pending 2m" in screen_text(app)


async def test_silences_tab_names_who_and_until_when():
    app, _, _, _ = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("j", "tab", "tab", "tab")
        await see(pilot, "looking")
        assert "by primary-a until 00:10:00 UTC" in screen_text(app)


async def test_history_shows_when_it_was_pending_and_firing():
    alert, snapshot = graph_snapshot()
    app, _, engine, _ = build(snapshot)
    engine.answer = lambda expr: QueryResult(
        "matrix", (make_series({**alert.labels, "alertstate": "firing"}, [1.0] * 10, step=60),)
    )
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("shift+tab")
        await see(pilot, "to now")
        assert "firing" in screen_text(app)
        assert engine.asked[0].startswith('ALERTS{alertname="HighErrorRate"')


@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
async def test_hostile_text_acts_nowhere(payload, size):
    alert = make_alert(
        payload, annotations={"summary": payload, payload: payload, "runbook_url": payload}, route=payload
    )
    silence = make_silence("s-1", alert.labels, comment=f"ACK! {payload}: {payload}", by=payload)
    silenced = msgspec.structs.replace(
        alert, status=msgspec.structs.replace(alert.status, silenced_by=("s-1",), muted_by=(payload,))
    )
    part = payload[:2000]
    body = f"# {part}\n\n{part}\n\n```sh title=\"{part}\"\necho '{part}'\n```\n"
    rule = make_rule(alert, safe(payload[:3000]) + " > 1")
    snapshot = make_snapshot([silenced], [silence], playbooks=[playbook(body, payload)], rules=[rule])
    app, _, engine, _ = build(snapshot)
    engine.answer = lambda expr: QueryResult(
        "matrix", (make_series(alert.labels, [1.0, 2.0]),), warnings=(safe(payload, 400),)
    )
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        if size == NARROW:
            await pilot.press("enter")
        for _ in TABS:
            await pilot.pause(0.25)
            text = screen_text(app)
            assert all(line.isprintable() for line in text.split("\n")), text
            await pilot.press("tab")
        for key in ("c", "s", "x", "y"):
            await pilot.press(key)
            await pilot.pause(0.1)
            assert all(line.isprintable() for line in screen_text(app).split("\n"))
            await pilot.press("escape")
            await pilot.pause()
        assert app.is_running


async def test_without_colour_and_without_unicode():
    snapshot = make_snapshot(playbooks=[playbook("# Meaning\n\nplain words")])
    app, _, _, _ = build(snapshot, glyphs=ASCII, theme=NO_COLOUR)
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "plain words")
        assert "X CRIT" in screen_text(app)


def test_the_rule_of_an_alert_with_external_labels():
    alert = make_alert(route="/a")
    group = make_rule(alert, "up == 0")
    outside = msgspec.structs.replace(alert, labels={**alert.labels, "region": "eu.1"})
    found = rule_of(outside, [group])
    assert found is not None
    assert found.held is not None
    assert "region" not in history_query(outside, found)
    assert 'region=~"eu\\\\.1|"' in history_query(outside, None)
    assert rule_of(make_alert("Other"), [group]) is None


def test_own_series_agree_in_every_common_label():
    mine, other = make_series({"route": "/a", "le": "1"}, [1]), make_series({"route": "/b"}, [1])
    assert own_series([mine, other], {"route": "/a"}) == (mine,)
    assert own_series([other], {"route": "/a"}, ["route"]) == (other,)


def test_stretches_split_where_points_are_missing():
    series = make_series({"alertstate": "firing"}, [1.0] * 4, step=60)
    holed = msgspec.structs.replace(series, times=(NOW - 600, NOW - 540, NOW - 60, NOW))
    found = stretches(QueryResult("matrix", (holed,)), 60)
    assert [(s.start - NOW, s.end - NOW) for s in found] == [(-600, -480), (-60, 60)]


EVERY_BLOCK = """# One
## Two
### Three
#### Four
##### Five
###### Six

Words with `code`, *em*, **strong**, ~~gone~~ and [a link](http://x.example/).

- a bullet
  1. a number

> a quote

| head | more |
|------|------|
| cell | `x`  |

---

```sh title="logs"
if true; then echo "text" 'text' $HOME 42; fi  # why
```

```python
@decorated
class A(Exception): x: int = len("x") + None
```

    plain code
"""


def colours_of(app) -> set[str]:
    """The names of all colours on the screen but the terminal's own two."""
    styles = [segment.style for strip in app.screen._compositor.render_strips() for segment in strip]
    found = {c for style in styles if style is not None for c in (style.color, style.bgcolor)}
    return {c.name for c in found if c is not None and not c.is_default}


async def test_a_runbook_without_colour_emits_none():
    app, _, _, _ = build(make_snapshot(playbooks=[playbook(EVERY_BLOCK)]), theme=NO_COLOUR)
    async with app.run_test(size=(160, 80)) as pilot:
        await see(pilot, "plain code")
        await pilot.pause()
        assert colours_of(app) == set()
        known = app.get_css_variables().items()
        assert [(n, v) for n, v in known if "ansi_" in v and "ansi_default" not in v] == []


async def test_a_long_line_of_code_wraps():
    body = f'# Meaning\n\n```sh title="logs"\necho {" ".join(f"word{i}" for i in range(30))} {"z" * 90}END\n```\n'
    app, _, _, _ = build(make_snapshot(playbooks=[playbook(body)]))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "word29")
        await see(pilot, "zEND")


async def test_the_title_of_a_command_is_whole_where_there_is_room():
    body = '```sh title="Newest error log lines"\ntail -n 50 /var/log/app.log\n```\n'
    app, _, _, _ = build(make_snapshot(playbooks=[playbook(body)]))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "Newest error log lines  tail")
