"""Actions on alerts: bound to what was under the cursor, refused when the world has moved."""

from __future__ import annotations

import msgspec
from fakes import (
    NOW,
    ScreenApp,
    make_alert,
    make_services,
    make_silence,
    make_snapshot,
    screen_text,
    some_alerts,
)
from textual import events
from textual.widgets import Input

from opsconsole.model.flags import FlagChange
from opsconsole.model.journal import Result
from opsconsole.model.playbook import Playbook
from opsconsole.model.runbook import Runbook, commands_of
from opsconsole.text import trusted
from opsconsole.ui.dialogs.ack import AckDialog
from opsconsole.ui.dialogs.command import CommandDialog, CommandPicker
from opsconsole.ui.dialogs.confirm import ConfirmDialog
from opsconsole.ui.dialogs.silence_form import SilenceForm
from opsconsole.ui.dialogs.text_view import TextView
from opsconsole.ui.screens.alerts import AlertsScreen

WIDE = (120, 40)
BODY = """## Steps

```sh title="logs"
grep "$LABEL_route" log
```

```sh title="restart" changes
systemctl restart api
```
"""


def playbook(body: str = BODY) -> Playbook:
    runbook = Runbook(path="/p/high-error-rate.md", title=trusted("t"), body=body, commands=commands_of(body))
    return Playbook(system="accubooks", title=trusted("A"), folder="/p", runbooks={"HighErrorRate": runbook})


def build(snapshot=None):
    services, engine, runner = make_services(snapshot)
    screen = AlertsScreen(services)
    return ScreenApp(screen, services), screen, engine, runner


async def until(pilot, condition) -> None:
    """Wait for a condition, at most 20 seconds."""
    for _ in range(1000):
        if condition():
            return
        await pilot.pause(0.02)
    raise AssertionError(f"the condition never held:\n{screen_text(pilot.app)}")


async def test_an_ack_takes_the_alert_that_was_under_the_cursor_when_its_key_was_pressed():
    app, screen, engine, runner = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("j", "j")
        wanted = screen.current().alert
        await pilot.press("a")
        await pilot.pause()
        assert isinstance(app.screen, AckDialog)
        engine.push(make_snapshot([make_alert("Worse", route=f"/{i}", ago=9000) for i in range(3)] + [wanted]))
        await pilot.pause()
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        assert [(alert.key, reason) for alert, reason in runner.called("ack")] == [(wanted.key, "looking")]
        assert [o.result for o in app.reported] == [Result.DONE]


async def test_the_next_ack_proposes_the_reason_of_the_last_and_another_console_does_not():
    app, _screen, _engine, runner = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("a")
        await pilot.pause()
        app.screen.query_one(Input).value = "on it"
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        assert [reason for _, reason in runner.called("ack")] == ["on it"]
        await pilot.press("a")
        await pilot.pause()
        assert app.screen.query_one(Input).value == "on it"
    other, *_ = build()
    async with other.run_test(size=WIDE) as pilot:
        await pilot.press("a")
        await pilot.pause()
        assert other.screen.query_one(Input).value == "looking"


async def test_an_ack_is_refused_when_the_alert_has_gone_meanwhile():
    app, _, engine, runner = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("a")
        await pilot.pause()
        engine.push(make_snapshot(some_alerts()[1:]))
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        assert runner.called("ack") == []
        assert app.reported[0].result is Result.REFUSED
        assert "gone" in app.reported[0].message


async def test_an_ack_is_refused_when_someone_was_first():
    app, _, engine, runner = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("a")
        await pilot.pause()
        taken = make_alert("HighErrorRate", route="/api/forecast", ago=240, silenced_by=["s-9"])
        silence = make_silence("s-9", taken.labels, comment="ACK! bob: mine [op=z]", by="bob")
        engine.push(make_snapshot([taken], [silence]))
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        assert runner.called("ack") == []
        assert "bob has HighErrorRate already" in app.reported[0].message


async def test_marked_alerts_are_acknowledged_together_and_the_reason_is_kept():
    app, screen, _, runner = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("space", "j", "space", "a")
        await pilot.pause()
        app.screen.query_one(Input).value = "rolling back"
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        ((acked, reason, one),) = runner.called("ack_all")
        assert ([alert.name for alert in acked], reason, one) == (
            ["HighErrorRate", "HighLatency"],
            "rolling back",
            False,
        )
        assert screen.panel.marks == set()
        assert [o.result for o in app.reported] == [Result.DONE]
        await pilot.press("a")
        await pilot.pause()
        assert app.screen.query_one(Input).value == "rolling back"


async def test_an_empty_reason_is_not_taken_and_escape_does_nothing():
    app, _, _, runner = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("a")
        await pilot.pause()
        app.screen.query_one(Input).value = "  "
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, AckDialog)
        await pilot.press("escape")
        await app.workers.wait_for_complete()
        assert runner.calls == []


async def test_keys_typed_ahead_confirm_nothing_and_open_one_dialog():
    app, _, _, runner = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        for key in ("a", "a", "enter", "enter"):
            app.post_message(events.Key(key, key if len(key) == 1 else "\r"))
        await pilot.pause(0.3)
        assert isinstance(app.screen, AckDialog)
        assert len(app.screen_stack) == 3
        assert runner.calls == []
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        assert len(runner.called("ack")) == 1


async def test_read_only_says_so_and_shows_the_commands_all_the_same():
    app, _, _, runner = build(make_snapshot(read_only=True, playbooks=[playbook()]))
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause(0.4)
        for key in ("a", "s", "c", "x"):
            await pilot.press(key)
        await pilot.pause()
        assert len(app.screen_stack) == 2
        assert len(app.told) == 4
        assert all("read-only" in text for text in app.told)
        assert runner.calls == []
        assert "read-only: shown, not run" in screen_text(app)


async def test_a_command_is_picked_confirmed_and_its_output_shown():
    app, _, _, runner = build(make_snapshot(playbooks=[playbook()]))
    runner.output = ("line one\n", "line two\n")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("c")
        await pilot.pause()
        assert isinstance(app.screen, CommandPicker)
        assert "LABEL_route=/api/forecast" in screen_text(app)
        await pilot.press("j", "enter")
        await pilot.pause()
        assert isinstance(app.screen, CommandDialog)
        text = screen_text(app)
        assert "systemctl restart api" in text
        assert "changes things" in text
        assert runner.calls == []
        await pilot.press("enter")
        await until(pilot, lambda: "run_command done" in screen_text(app))
        text = screen_text(app)
        assert "line one" in text
        assert "line two" in text
        command, alert = runner.called("run_command")[0]
        assert (command.title, alert.name) == ("restart", "HighErrorRate")
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.reported) == 1


async def test_expire_shows_the_silence_and_ends_it():
    app, _, _, runner = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("x")
        assert "no silence on this alert" in app.told[0]
        await pilot.press("j", "x")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmDialog)
        assert "DatabasePoolExhaustion" in screen_text(app)
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        assert [s.id for (s,) in runner.called("expire")] == ["s-1"]


async def test_silence_opens_the_form_with_the_alert_s_exact_labels():
    app, screen, _, runner = build()
    runner.hidden = lambda matchers: (some_alerts()[0],)
    async with app.run_test(size=WIDE) as pilot:
        wanted = screen.current()
        await pilot.press("s")
        await pilot.pause(0.2)
        assert isinstance(app.screen, SilenceForm)
        app.screen.query_one("#comment", Input).value = "deploy"
        await until(pilot, lambda: "hides now: 1 alert" in screen_text(app))
        await pilot.press("ctrl+s")
        # It hides a critical alert: the number has to be typed.
        await until(pilot, lambda: "Type 1 to go on" in screen_text(app))
        await pilot.press("1", "enter")
        await app.workers.wait_for_complete()
        (draft,) = runner.called("silence")[0]
        assert {m.name: m.value for m in draft.matchers} == wanted.alert.labels
        assert draft.ends == NOW + 7200
        assert draft.comment == "deploy"
        assert draft.cluster == "main"


async def test_copy_gives_the_alert_and_shows_the_text():
    app, _, _, _ = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("y")
        await pilot.pause()
        assert isinstance(app.screen, TextView)
        assert "route=/api/forecast" in app.clipboard
        assert "route=/api/forecast" in screen_text(app)


async def test_the_flag_that_changed_before_is_where_f_and_r_lead():
    change = FlagChange(key="new_pricing", at=NOW - 600, summary=trusted("turned on"))
    later = FlagChange(key="other", at=NOW - 10, summary=trusted("turned on"))
    snapshot = make_snapshot(changes=[later, change], playbooks=[playbook()])
    app, _, _, _ = build(snapshot)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause(0.3)
        assert "new_pricing turned on 6m before" in screen_text(app)
        await pilot.press("f")
        await app.workers.wait_for_complete()
        assert app.modes_asked == ["flags"]


async def test_a_pending_alert_cannot_be_acknowledged():
    pending = make_alert("Soon", "warning", pending=True)
    app, _, _, runner = build(make_snapshot([], pending=[pending]))
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("a")
        await pilot.pause()
        assert "pending" in app.told[0]
        assert runner.calls == []


async def test_an_unknown_source_does_not_make_an_alert_gone():
    app, _, engine, runner = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("a")
        await pilot.pause()
        empty = make_snapshot([])
        engine.push(msgspec.structs.replace(empty, now=NOW + 500))
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        assert len(runner.called("ack")) == 1, "the runner asks Alertmanager itself"
