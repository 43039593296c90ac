"""The Overview: the grid, the strip, the focus, and that nothing is repainted for nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console_data import REFUSED, change, full, playbook
from driving import HOSTILE, SIZES, driven, fits, painted_lines
from fakes import NOW, make_alert, make_silence, make_snapshot

from opsconsole.errors import TimedOut
from opsconsole.model.reading import Reading
from opsconsole.render.glyphs import ASCII
from opsconsole.render.theme import NO_COLOUR
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import trusted
from opsconsole.ui.dialogs.ack import AckDialog
from opsconsole.ui.screens.overview import OverviewScreen
from opsconsole.ui.screens.panel_view import PanelViewScreen


def failing(snapshot: Snapshot, *, panels: bool = False) -> Snapshot:
    """The same, but Alertmanager (and with `panels` every panel) has not answered for 42 s."""
    cluster = snapshot.clusters[0]
    then = NOW - 42
    old = Reading(data=cluster.alerts.data, at=then, failure=REFUSED, failing_since=then)
    quiet = Reading(data=cluster.silences.data, at=then, failure=REFUSED, failing_since=then)
    changed = msgspec.structs.replace(
        snapshot, clusters=(msgspec.structs.replace(cluster, alerts=old, silences=quiet),)
    )
    if not panels:
        return changed
    stale = {
        k: Reading(data=r.data, at=then, limit=15.0, failure=REFUSED, failing_since=then)
        for k, r in snapshot.panels.items()
    }
    return msgspec.structs.replace(changed, panels=stale)


@pytest.mark.parametrize("size", SIZES)
async def test_shows_the_first_groups_and_the_worst_alerts(size: tuple[int, int]) -> None:
    async with driven(OverviewScreen, full(), size) as screen:
        text = screen.text
        assert fits(text, size)
        for title in ("API latency", "Error rate", "DB pool", "Firing now", "HighErrorRate"):
            assert title in text
        assert "✖ CRIT" in text
        assert "⚑" in text
        assert text.index("HighErrorRate") < text.index("HighLatency")
        assert {"accubooks/latency", "accubooks/db_pool"} <= set(screen.engine.watched)
        assert "accubooks/cpu" not in screen.engine.watched


async def test_an_active_alert_shows_behind_any_number_of_silenced_ones() -> None:
    hushed = [make_alert(f"Hushed{i}", silenced_by=["s-9"]) for i in range(600)]
    silence = make_silence("s-9", {"job": "accubooks"})
    snapshot = full(alerts=[*hushed, make_alert("Loud", "high")], silences=[silence])
    async with driven(OverviewScreen, snapshot) as screen:
        assert "▲ HIGH  Loud" in screen.text
        assert "Hushed" not in screen.text
        text = await screen.push(full(alerts=hushed, silences=[silence]))
        assert "No alert fires unsilenced; 600 silenced, inhibited or muted." in text


@pytest.mark.parametrize("size", SIZES)
async def test_no_alerts_is_said_only_when_every_source_is_known(size: tuple[int, int]) -> None:
    quiet = full(bad=(), silences=(), alerts=())
    async with driven(OverviewScreen, quiet, size) as screen:
        assert "✔ No alerts firing.  All sources fresh" in screen.text
        text = await screen.push(failing(quiet))
        assert "No alerts firing" not in text
        assert "Alertmanager main has not answered for 42s" in text


async def test_old_alerts_stay_under_the_line_that_says_they_are_old() -> None:
    async with driven(OverviewScreen, failing(full())) as screen:
        assert "5 alerts were firing then" in screen.text
        assert "HighErrorRate" in screen.text


async def test_stale_panels_are_loud() -> None:
    async with driven(OverviewScreen, failing(full(), panels=True)) as screen:
        assert "stale 42s" in screen.text
        assert "┄" in screen.text
        assert " ✔ ┐" not in screen.text


async def test_a_panel_without_an_answer_says_why() -> None:
    none = {"accubooks/latency": Reading(failure=REFUSED, failing_since=NOW - 5)}
    async with driven(OverviewScreen, full(panels=none)) as screen:
        assert "unreachable: connection refused" in screen.text
        assert "not asked yet" in screen.text


async def test_the_focus_walks_over_panels_into_the_strip_and_back() -> None:
    async with driven(OverviewScreen, full()) as screen:
        assert "▸ API latency" in screen.text
        assert "▸ Error rate" in await screen.press("l")
        assert "▸ Request rate" in await screen.press("tab")
        assert "▸ Error rate" in await screen.press("h")
        assert "▸ Cache" in await screen.press("j")
        assert "▸ Error rate" in await screen.press("k")
        overview: Any = screen.app.screen
        await screen.press("G")
        assert overview.strip.row.alert.name == "HighErrorRate"
        await screen.press("j")
        assert overview.strip.row.alert.name == "HighLatency"
        await screen.press("k", "k")
        assert overview.strip.row is None
        assert "▸ API latency" in await screen.press("g")


@pytest.mark.parametrize("size", SIZES)
async def test_an_ack_in_the_strip_is_whole(size: tuple[int, int]) -> None:
    mine = make_alert("HighErrorRate", silenced_by=["s-1"])
    ack = make_silence("s-1", {"alertname": "HighErrorRate"}, comment="ACK! me: looking [op=n1]")
    snapshot = msgspec.structs.replace(full(alerts=[mine], silences=[ack]), extender=trusted("this console"))
    async with driven(OverviewScreen, snapshot, size) as screen:
        (row,) = [line for line in screen.text.split("\n") if "HighErrorRate" in line]
        assert "ack " in row
        assert "…" not in row.partition("ack ")[2]


async def test_enter_on_a_strip_row_opens_the_alerts() -> None:
    async with driven(OverviewScreen, full()) as screen:
        await screen.press("G", "enter")
        await screen.until(lambda: screen.app.modes_asked == ["alerts"])


async def test_ack_works_only_on_the_strip_and_on_the_alert_under_the_cursor() -> None:
    async with driven(OverviewScreen, full()) as screen:
        await screen.press("a")
        assert screen.app.told
        assert not screen.runner.called("ack")
        await screen.press("G", "a")
        await screen.until(lambda: isinstance(screen.app.screen, AckDialog))
        await screen.push(full(alerts=[make_alert("Other")], silences=()))
        await screen.press("enter")
        await screen.until(lambda: bool(screen.runner.called("ack")))
        ((alert, reason),) = screen.runner.called("ack")
        assert (alert.name, reason) == ("HighErrorRate", "looking")


async def test_what_does_not_fit_unfolds_and_scrolls() -> None:
    async with driven(OverviewScreen, full(), (80, 24)) as screen:
        assert "more: Requests, Database, Cache, Queue, Answers, Resources" in screen.text
        assert "Top routes" not in screen.text
        await screen.press("j", "j", "j", "j", "enter")
        assert "Top routes" in await screen.press("j")
        assert "accubooks/top_errors" in screen.engine.watched
        await screen.press("j", "j")
        assert "accubooks/latency" not in screen.engine.watched
        assert "more: Requests" in await screen.press("escape")


async def test_d_goes_through_the_dashboards() -> None:
    book = playbook()
    other = msgspec.structs.replace(
        book.dashboards[0], id="second", title="Second", groups=book.dashboards[0].groups[3:]
    )
    two = msgspec.structs.replace(book, dashboards=(book.dashboards[0], other))
    async with driven(OverviewScreen, full(playbooks=(two,))) as screen:
        assert "Operations" in screen.text
        assert "Second" in screen.text
        await screen.press("d")
        assert "Active connections" in screen.text
        assert "API latency" not in screen.text
        await screen.until(lambda: "accubooks/db_connections" in screen.engine.watched)
        assert "API latency" in await screen.press("d")


@pytest.mark.parametrize("size", SIZES)
async def test_the_same_data_repaints_nothing(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    async with driven(OverviewScreen, full(), size) as screen:
        await screen.settle()
        with painted_lines(monkeypatch) as painted:
            await screen.push(full())
            await screen.push(msgspec.structs.replace(full(), now=NOW))
        assert painted == []


async def test_a_changed_panel_repaints_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async with driven(OverviewScreen, full()) as screen:
        await screen.settle()
        with painted_lines(monkeypatch) as painted:
            await screen.push(full(bad=("latency", "error_rate", "workers")))
        assert painted
        assert set(painted) == {"ChartPanel"}
        assert len(painted) < 10


async def test_without_a_playbook_it_says_how_to_get_panels() -> None:
    async with driven(OverviewScreen, make_snapshot()) as screen:
        assert "No panels" in screen.text
        assert "opsconsole playbook list" in screen.text
        await screen.press("j", "l", "enter", "y")


async def test_too_small_says_so_and_keeps_the_state() -> None:
    async with driven(OverviewScreen, full()) as screen:
        await screen.press("l")
        await screen.pilot.resize_terminal(40, 10)
        await screen.settle()
        assert "needs 60x15, this is 40x10" in screen.text
        assert "API latency" not in screen.text
        await screen.press("G", "a")
        assert not screen.runner.called("ack")
        await screen.pilot.resize_terminal(120, 40)
        await screen.settle()
        assert "▸ Error rate" in screen.text
        assert "needs 60x15" not in screen.text


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_text_only_shows(size: tuple[int, int]) -> None:
    alert = make_alert(HOSTILE, route=HOSTILE, pool="[/x] [bold]")
    hostile = full(alerts=[alert], silences=(), changes=(msgspec.structs.replace(change(), key=HOSTILE),))
    async with driven(OverviewScreen, hostile, size) as screen:
        assert fits(screen.text, size)
        assert "\\x1b" in screen.text
        await screen.press("G", "y")


async def test_ascii_and_no_colour() -> None:
    async with driven(OverviewScreen, full(), theme=NO_COLOUR, glyphs=ASCII) as screen:
        body = screen.text
        assert "X CRIT" in body
        assert "> API latency" in body
        assert body.isascii()


class TestPanelView:
    @pytest.mark.parametrize("size", SIZES)
    async def test_the_footer_shows_the_keys_that_work_there(self, size: tuple[int, int]) -> None:
        async with driven(OverviewScreen, full(), size) as screen:
            text = await screen.press("enter")
            footer = text.split("\n")[-1].strip()
            assert footer == "w range  y copy  esc back  ? help  ^p palette  q quit"

    async def test_opens_with_range_series_and_query(self) -> None:
        async with driven(OverviewScreen, full()) as screen:
            text = await screen.press("enter")
            assert isinstance(screen.app.screen, PanelViewScreen)
            assert fits(text, (120, 40))
            for words in ("API latency · 1h", "15m", "24h", "p50", "p99", "histogram_quantile(0.95"):
                assert words in text
            assert screen.engine.watched == ("accubooks/latency",)
            assert "Firing now" in await screen.press("escape")
            assert len(screen.engine.watched) > 1

    async def test_w_asks_for_the_next_range(self) -> None:
        async with driven(OverviewScreen, full(), (80, 24)) as screen:
            text = await screen.press("enter", "w")
            assert "· 6h" in text
            assert len(screen.engine.asked) == 3
            assert "· 24h" in await screen.press("w")
            assert "· 15m" in await screen.press("w")

    async def test_a_range_that_cannot_be_had_says_why(self) -> None:
        async with driven(OverviewScreen, full()) as screen:
            screen.engine.answer = lambda expr: TimedOut("no answer within 10s")
            assert "timed out: no answer within 10s" in await screen.press("enter", "w")

    async def test_y_copies_the_queries(self) -> None:
        async with driven(OverviewScreen, full()) as screen:
            await screen.press("l", "enter", "y")
            assert "http_requests_total" in screen.app.clipboard

    async def test_the_same_data_repaints_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with driven(OverviewScreen, full()) as screen:
            await screen.press("enter")
            with painted_lines(monkeypatch) as painted:
                await screen.push(full())
            assert painted == []
