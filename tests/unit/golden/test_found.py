"""Asking a Prometheus what it has: what is asked, when, and what its answers and failures make of the snapshot."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import msgspec
import pytest

from opsconsole.model.playbook import PanelQuery
from opsconsole.render.tabs import shown_tabs, tab_row
from tests.support.backends import Backends, playbook, until
from tests.support.scripted import Received, Say, json_reply, prometheus_reply, text_reply

NAMES = "/api/v1/label/__name__/values"
METADATA = "/api/v1/metadata"


@pytest.fixture
async def backends() -> AsyncIterator[Backends]:
    async with Backends() as both:
        both.prometheus.on(NAMES, _data(["up", "http_requests_total"]))
        both.prometheus.on(METADATA, _data({"http_requests_total": [{"type": "counter", "help": "", "unit": ""}]}))
        both.prometheus.on("/api/v1/query", lambda asked: _counted(both, asked))
        yield both


def _data(data: object) -> Say:
    return json_reply({"status": "success", "data": data})


def _counted(both: Backends, asked: Received) -> Say:
    """What the counting query gets, and 1 for every other."""
    now = both.clock.now()
    if not asked.form["query"].startswith("count by"):
        return prometheus_reply([{"metric": {}, "value": [now, "1"]}])
    labels = {"__name__": "http_requests_total", "job": "shop", "code": "200"}
    return prometheus_reply([{"metric": labels, "value": [now, "4"]}])


async def test_names_and_types_and_one_count_are_enough(backends: Backends) -> None:
    engine = backends.engine(())
    snapshot = await engine.collect({"found"})
    assert [p.system for p in snapshot.playbooks] == ["found"]
    assert snapshot.found is not None
    assert snapshot.found.known(snapshot.now)
    assert [r.path for r in backends.prometheus.requests] == [NAMES, METADATA, "/api/v1/query"] or [
        r.path for r in backends.prometheus.requests
    ] == [METADATA, NAMES, "/api/v1/query"]
    (counted,) = backends.prometheus.asked("/api/v1/query")
    assert '{__name__=~"http_requests_total|up"}' in counted.form["query"]
    assert not backends.alertmanager.requests
    await engine.aclose()


async def test_a_context_with_a_playbook_asks_nothing(backends: Backends) -> None:
    engine = backends.engine()
    snapshot = await engine.collect()
    assert snapshot.found is None
    assert not backends.prometheus.asked(NAMES)
    await engine.aclose()


async def test_a_round_for_a_check_does_not_look(backends: Backends) -> None:
    engine = backends.engine(())
    await engine.collect()
    await engine.collect({"prometheus", "rules", "targets", "alerts"})
    assert not backends.prometheus.asked(NAMES)
    await engine.aclose()


@pytest.mark.parametrize("status", [404, 405])
async def test_a_server_without_metadata(backends: Backends, status: int) -> None:
    backends.prometheus.on(METADATA, text_reply("no", status=status))
    engine = backends.engine(())
    assert (await engine.collect({"found"})).playbooks
    await engine.aclose()


@pytest.mark.parametrize("path", [NAMES, METADATA, "/api/v1/query"])
async def test_a_failure_is_told_and_keeps_what_was_found(backends: Backends, path: str) -> None:
    engine = backends.engine(())
    before = (await engine.collect({"found"})).playbooks
    backends.prometheus.on(path, text_reply("down", status=503))
    snapshot = await engine.collect({"found"})
    assert snapshot.found is not None
    assert snapshot.found.failure is not None
    assert not snapshot.found.known(snapshot.now)
    assert snapshot.playbooks == before
    await engine.aclose()


async def test_nothing_recognised_is_a_failure_that_is_asked_again(backends: Backends) -> None:
    backends.prometheus.on(NAMES, _data([]), _data(["up", "http_requests_total"]))
    engine = backends.engine((), refresh=0.1)
    running = asyncio.ensure_future(engine.run())
    await until(lambda: engine.snapshot.found is not None and engine.snapshot.found.failure is not None)
    assert not engine.snapshot.playbooks
    engine.refresh()
    await until(lambda: engine.snapshot.playbooks)
    asked = len(backends.prometheus.asked(NAMES))
    rounds = len(backends.prometheus.asked("/api/v1/rules"))
    await until(lambda: len(backends.prometheus.asked("/api/v1/rules")) > rounds + 3)
    assert len(backends.prometheus.asked(NAMES)) == asked, "once is enough"
    engine.refresh()
    await until(lambda: len(backends.prometheus.asked(NAMES)) > asked)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await engine.aclose()


async def test_after_a_failure_it_asks_again_by_itself(backends: Backends) -> None:
    backends.prometheus.on(NAMES, text_reply("", status=503), _data(["up", "http_requests_total"]))
    engine = backends.engine((), refresh=0.1)
    poller = engine._pollers["found"]
    error = await poller.once()
    assert error is not None
    assert 0 < poller.delay(error) <= 30
    assert await poller.once() is None
    assert engine.snapshot.playbooks
    await engine.aclose()


async def test_a_panel_whose_query_changed_is_asked_anew(backends: Backends) -> None:
    backends.prometheus.on("/api/v1/query", lambda asked: _counted(backends, asked))
    engine = backends.engine((playbook(),))
    poll = engine.polls.panels.poll("books/latency")
    await poll()
    book = playbook()
    old = book.dashboards[0].groups[0]
    panel = msgspec.structs.replace(old.panels[1], queries=(PanelQuery(expr="other"),))
    group = msgspec.structs.replace(old, panels=(panel,))
    board = msgspec.structs.replace(book.dashboards[0], groups=(group,))
    changed = msgspec.structs.replace(book, dashboards=(board,))
    engine.polls.snapshot = msgspec.structs.replace(engine.snapshot, playbooks=(changed,))
    await poll()
    first, second = backends.prometheus.asked("/api/v1/query_range")
    assert second.form["query"] == "other"
    assert float(second.form["end"]) - float(second.form["start"]) == pytest.approx(
        float(first.form["end"]) - float(first.form["start"])
    ), "the whole window, not what is new"
    engine.polls.snapshot = msgspec.structs.replace(engine.snapshot, playbooks=())
    await poll()
    assert len(backends.prometheus.asked("/api/v1/query_range")) == 2, "a panel that is gone is not asked for"
    await engine.aclose()


def test_a_check_loads_none_of_it() -> None:
    loaded = "print([name for name in sys.modules if 'golden' in name])"
    script = f"import sys, opsconsole.cli.check, opsconsole.state.engine; {loaded}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("chosen", range(12))
def test_the_chosen_tab_is_in_sight(chosen: int) -> None:
    names = [f"dashboard-{number}" for number in range(12)]
    text = tab_row(names, chosen, 80)
    assert text.cell_len == 80
    assert f" dashboard-{chosen} " in f"{text.plain} "
    assert text.plain.startswith("…") is (chosen > 1)
    assert text.plain.rstrip().endswith("…") is (chosen < 8)
    first, last = shown_tabs([14] * 12, chosen, 80)
    assert first <= chosen < last


def test_tabs_that_fit_are_all_shown() -> None:
    assert tab_row(["a", "b"], 0, 20).plain.split() == ["a", "b"]
    assert shown_tabs([], 0, 20) == (0, 0)
    assert shown_tabs([100], 0, 20) == (0, 1)
