"""The alert list: cursor, filter, groups, marks, many rows, sources that are unknown."""

from __future__ import annotations

import msgspec
import pytest
from fakes import NOW, ScreenApp, make_alert, make_services, make_snapshot, screen_text, some_alerts
from textual.widgets import Input

from opsconsole.model.reading import Failure
from opsconsole.text import trusted
from opsconsole.ui.panels.alert_items import GROUP, arrange, groupings
from opsconsole.ui.panels.alert_list import AlertListPanel
from opsconsole.ui.screens.alerts import AlertsScreen

WIDE = (120, 40)


def build(snapshot=None):
    services, engine, runner = make_services(snapshot)
    screen = AlertsScreen(services)
    return ScreenApp(screen, services), screen, engine, runner


def in_list(text: str) -> str:
    """What stands left of the detail, as if it had not been wrapped."""
    return " ".join(" ".join(line.split("▏")[0] for line in text.split("\n")).split())


async def type_filter(pilot, text: str) -> None:
    await pilot.press("slash")
    await pilot.pause()
    pilot.app.screen.query_one("#filter", Input).value = text
    await pilot.pause()


async def test_worst_first_and_what_each_row_says():
    app, screen, _, _ = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        text = screen_text(app)
        assert "5 of 5" in text
        assert screen.current().alert.name == "HighErrorRate"
        assert "ack you" in text
        assert text.index("HighErrorRate") < text.index("HighLatency") < text.index("TargetDown")


async def test_the_cursor_follows_its_alert_when_the_list_changes():
    app, screen, engine, _ = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("j", "j")
        key = screen.current().key
        assert screen.current().alert.name == "HighLatency"
        newer = [make_alert("AAnother", route=f"/{i}", ago=1000) for i in range(3)]
        engine.push(make_snapshot([*newer, *some_alerts()]))
        await pilot.pause()
        assert screen.current().key == key
        assert screen.rows.cursor > 2
        engine.push(make_snapshot(newer))
        await pilot.pause()
        assert screen.current().alert.name == "AAnother"


async def test_a_filter_that_does_not_parse_says_why_and_the_last_good_one_stays():
    app, screen, _, _ = build()
    async with app.run_test(size=WIDE) as pilot:
        await type_filter(pilot, 'severity="critical"')
        assert screen.panel.shown == 2
        await type_filter(pilot, 'severity=~"crit(')
        text = screen_text(app)
        assert screen.panel.shown == 2
        assert "closing quote" in text
        pilot.app.screen.query_one("#filter", Input).value = 'severity=~"crit("'
        await pilot.pause()
        assert "bad regular expression" in screen_text(app)
        await pilot.press("enter")
        assert screen.panel.filtering, "a filter that is wrong is not kept"
        pilot.app.screen.query_one("#filter", Input).value = "forecast"
        await pilot.pause()
        assert screen.panel.shown == 2
        await pilot.press("enter")
        await pilot.pause()
        assert not screen.panel.filtering
        assert "filter: forecast" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert screen.panel.shown == 5


async def test_the_filter_takes_letters_that_are_keys_elsewhere():
    app, screen, _, _ = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("slash", *"aqsx1")
        assert screen.query_one("#filter", Input).value == "aqsx1"
        assert "No alert passes" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert screen.panel.shown == 5
        assert app.screen is screen


async def test_groups_have_headings_that_the_cursor_steps_over():
    app, screen, _, _ = build()
    async with app.run_test(size=WIDE) as pilot:
        seen = {""}
        for _ in range(8):
            seen.add(screen.panel.next_group())
            if screen.panel.options.group_by == "severity":
                break
        assert "alertname" in seen
        await pilot.pause()
        text = screen_text(app)
        assert "severity=critical" in text
        assert "grouped by severity" in text
        names = []
        await pilot.press("g")
        for _ in range(5):
            names.append(screen.current().alert.name)
            assert not screen.rows.cursor_key.startswith(GROUP)
            await pilot.press("j")
        assert len(set(names)) == 5
        for _ in range(8):
            await pilot.press("k")
        assert screen.current().alert.name == names[0]


async def test_marks_stay_with_their_alert_and_go_with_it():
    app, screen, engine, _ = build()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("space", "space")
        assert len(screen.panel.marks) == 2
        assert "2 marked" in screen_text(app)
        _, *rest = some_alerts()
        engine.push(make_snapshot(rest))
        await pilot.pause()
        assert [row.alert.name for row in screen.marked()] == ["DatabasePoolExhaustion"]
        await pilot.press("escape")
        assert screen.panel.marks == set()


async def test_inhibited_suppressed_and_pending_are_counted_when_hidden():
    inhibited = make_alert("Noise", "warning", inhibited_by=["x"])
    silenced = make_alert("Quiet", "warning", silenced_by=["gone"])
    pending = make_alert("Soon", "warning", pending=True)
    app, screen, _, _ = build(make_snapshot([inhibited, silenced], pending=[pending]))
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        assert "hidden: inhibited 1 (i)" in screen_text(app)
        assert screen.panel.shown == 2
        await pilot.press("i")
        assert screen.panel.shown == 3
        await pilot.press("p", "e")
        text = screen_text(app)
        assert "pending 1 (p)" in text
        assert "suppressed 1 (e)" in text


async def test_no_alerts_is_said_only_while_the_source_is_known():
    quiet = make_snapshot([])
    app, _, engine, _ = build(quiet)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        assert "No alerts firing" in screen_text(app)
        cluster = quiet.clusters[0]
        failure = Failure(kind="unreachable", message=trusted("connection refused"))
        broken = msgspec.structs.replace(cluster, alerts=cluster.alerts.failed(failure, NOW + 42))
        engine.push(msgspec.structs.replace(quiet, clusters=(broken,), now=NOW + 42))
        await pilot.pause()
        text = screen_text(app)
        assert "No alerts firing" not in text
        assert "Alertmanager main has not answered for 42s" in text.replace("\n", " ")
        assert "connection refused" in in_list(text)


async def test_old_alerts_of_an_unknown_source_are_marked_as_such():
    full = make_snapshot()
    app, _, engine, _ = build(full)
    async with app.run_test(size=WIDE) as pilot:
        engine.push(msgspec.structs.replace(full, now=NOW + 100))
        await pilot.pause()
        text = screen_text(app)
        assert "has not answered for 1m" in text
        assert "5 alerts were firing then" in in_list(text)


async def test_ten_thousand_alerts_open_scroll_and_filter():
    many = [make_alert("HighLatency", "high", route=f"/r/{i:05}", ago=i) for i in range(10_000)]
    app, screen, _, _ = build(make_snapshot(many))
    async with app.run_test(size=WIDE) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "10,000 of 10,000" in screen_text(app)
        await pilot.press("G")
        assert screen.rows.cursor == 9_999
        assert screen.current().alert.labels["route"] in screen_text(app)
        await pilot.press("pageup", "k")
        assert screen.rows.cursor < 9_990
        await type_filter(pilot, 'route=~"/r/0012."')
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert screen.panel.shown == 10


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_an_unchanged_snapshot_repaints_no_row(size):
    app, screen, engine, _ = build()
    async with app.run_test(size=size) as pilot:
        painted: list[object] = []
        rows, refresh = screen.rows, screen.rows.refresh
        rows.refresh = lambda *where, **more: (painted.append(where), refresh(*where, **more))[1]
        for _ in range(20):
            painted.clear()
            engine.push(msgspec.structs.replace(engine.snapshot, now=NOW))
            await pilot.pause(0.05)
            if not painted:  # the first layout has settled
                break
        assert painted == []


def test_groupings_leave_out_labels_that_tell_nothing():
    rows = make_snapshot().rows
    found = groupings(rows)
    assert found[:2] == ("", "alertname")
    assert "job" not in found, "one value for all"
    assert "severity" in found


def test_every_row_is_in_exactly_one_group():
    panel = AlertListPanel(make_services()[0])
    rows = make_snapshot().rows
    options = msgspec.structs.replace(panel.options, group_by="route")
    items = arrange(rows, options)
    assert sorted(k for k in items.keys if not k.startswith(GROUP)) == sorted(r.key for r in rows)


async def test_beside_the_detail_names_and_labels_are_whole():
    alerts = [
        make_alert("DatabasePoolExhaustion", pool="primary"),
        make_alert("HighErrorRate", route="/api/forecast"),
        make_alert("HighErrorRate", route="/api/invoices"),
        make_alert("DatabasePoolExhaustion", pool="replica"),
    ]
    app, _, _, _ = build(make_snapshot(alerts))
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        text = screen_text(app)
        assert "DatabasePoolExhaustion pool=primary " in text
        assert "HighErrorRate route=/api/forecast " in text
        header = next(line for line in text.split("\n") if " sev " in line)
        assert " due " in header, "a cell between the heading and the line beside it"
