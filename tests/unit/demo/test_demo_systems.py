"""Simulated systems over time: series, counters, faults, and what their history becomes in text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from opsconsole.clock import ManualClock
from opsconsole.config.playbooks import find_playbook
from opsconsole.demo.backfill import history, read_totals, sample_times, shortest_window, write_totals
from opsconsole.demo.compress import compress_rules
from opsconsole.demo.systems import machines
from opsconsole.demo.systems.base import Job, Lag, Metric, Moment, Sample, System
from opsconsole.demo.systems.parts import PROCESS, histogram, labels, process, spread, summary
from opsconsole.demo.systems.registry import find_system, system_names
from opsconsole.demo.systems.world import Families, SystemWorld
from opsconsole.errors import UsageError

START = ManualClock().now()
SYSTEMS = system_names()


def toy(m: Moment) -> Iterator[Sample]:
    yield "toy", "seen_total", (), 2.0 + 8.0 * m.fault("errors")
    yield "toy", "depth", (), 5.0
    yield from histogram("toy", "took_seconds", 2.0, spread((0.5, 1.0), (1.0, 0.4, 0.5)), labels(kind="a"))


TOY = System(
    name="toy",
    jobs=(Job(name="toy", instance="toy:1"),),
    metrics=(
        Metric("seen", "counter", "Things seen."),
        Metric("depth", "gauge", "Depth."),
        Metric("took_seconds", "histogram", "Time taken."),
    ),
    samples=toy,
    faults={"errors": Lag(rise=10.0, fall=5.0)},
)


# -- parts ---------------------------------------------------------------------------------------------


def test_a_histogram_is_cumulative_and_its_labels_are_in_order() -> None:
    shape = spread((0.1, 1.0, 10.0), (0.9, 0.2, 0.5), (0.1, 3.0, 0.3), (0.0, 1.0, 1.0))
    series = list(histogram("j", "x_seconds", 10.0, shape, labels(method="GET", endpoint="/")))
    buckets = [(dict(lab)["le"], value) for _, name, lab, value in series if name == "x_seconds_bucket"]
    assert [le for le, _ in buckets] == ["0.1", "1.0", "10.0", "+Inf"]
    counts = [value for _, value in buckets]
    assert counts == sorted(counts)
    assert counts[-1] == series[-1][3] == 10.0
    assert series[-2][1] == "x_seconds_sum"
    assert series[-2][3] == pytest.approx(10.0 * shape.mean)
    assert all(list(lab) == sorted(lab) for _, _, lab, _ in series)


def test_weights_of_a_mixture_are_made_to_add_up() -> None:
    assert spread((1.0,), (2.0, 0.5, 0.5)) == spread((1.0,), (1.0, 0.5, 0.5))


def test_a_label_may_be_called_like_a_keyword() -> None:
    assert labels(from_="free", to="pro") == (("from", "free"), ("to", "pro"))


def test_machines_and_containers_export_what_they_declare() -> None:
    m = Moment(7, START)
    node = list(machines.node("node", m, cpu=0.3, memory=0.5, disk=0.4))
    assert {name for _, name, _, _ in node} == {metric.name for metric in machines.NODE}
    seconds = sum(
        value for _, name, lab, value in node if name == "node_cpu_seconds_total" and ("cpu", "0") in lab
    )
    assert seconds == pytest.approx(1.0 + 0.0, abs=0.02)
    own = list(machines.container("c", m, "web", image="web:1", cpu=0.2, memory=2e8))
    assert {name for _, name, _, _ in own} == {metric.name for metric in machines.CADVISOR}
    assert {name for _, name, _, _ in process("p", m, cpu=0.2, memory=1e8)} == {metric.name for metric in PROCESS}
    assert [value for *_, value in summary("s", "took", 4.0, 0.5)] == [2.0, 4.0]


# -- one world -----------------------------------------------------------------------------------------


def test_rates_add_up_and_gauges_are_levels() -> None:
    world = SystemWorld(TOY, seed=7, start=START, totals={})
    assert world.values()["toy", "seen_total", ()] == 0.0
    world.advance(START + 10.5)
    assert world.values()["toy", "seen_total", ()] == pytest.approx(21.0)
    assert world.values()["toy", "depth", ()] == 5.0
    assert set(world.totals()) == set(world.values()) - {("toy", "depth", ())}


def test_a_fault_follows_its_switch_with_its_lag() -> None:
    world = SystemWorld(TOY, seed=7, start=START)
    world.switch("errors", START, 1.0)
    world.advance(START + 10)
    assert world.fault("errors") == pytest.approx(0.632, abs=0.001)
    world.switch("errors", START + 10, 0.0)
    world.advance(START + 50)
    assert world.fault("errors") < 0.001
    fast = SystemWorld(TOY, seed=7, start=START, pace=10.0)
    fast.switch("errors", START, 0.5)
    fast.advance(START + 10)
    assert fast.fault("errors") == pytest.approx(0.5, abs=0.001)
    with pytest.raises(KeyError):
        world.switch("nope", START, 1.0)


def test_a_system_says_what_each_series_is() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        Families((Metric("a", "counter", ""), Metric("a_total", "counter", "")))
    families = Families(TOY.metrics)
    with pytest.raises(ValueError, match="no metric of the system is called depth_total"):
        families.of("depth_total")
    assert [families.grows(n) for n in ("seen_total", "depth", "took_seconds_sum")] == [True, False, True]
    twice = System(
        name="twice",
        jobs=TOY.jobs,
        metrics=TOY.metrics,
        samples=lambda m: itertools.chain(toy(m), toy(m)),
        faults={},
    )
    with pytest.raises(ValueError, match="twice"):
        SystemWorld(twice, seed=7, start=START)


# -- history -------------------------------------------------------------------------------------------


def test_history_goes_on_where_another_process_continues(tmp_path: Path) -> None:
    times = sample_times(START, 30.0, 100)
    world = SystemWorld(TOY, seed=7, start=times[0])
    lines = list(history(world, times, {"toy": (("environment", "demo"),)}))
    assert lines[-1] == "# EOF\n"
    assert lines[0] == f'up{{environment="demo",instance="toy:1",job="toy"}} 1 {times[0]:.3f}\n'
    assert len(lines) == len(times) * (1 + len(world.values())) + 1
    write_totals(tmp_path / "totals.json", world.totals())
    going_on = SystemWorld(TOY, seed=7, start=START, totals=read_totals(tmp_path / "totals.json"))
    assert going_on.values() == world.values()


@pytest.mark.parametrize(
    ("window", "series", "step"), [(300.0, 300, 120.0), (30.0, 300, 12.0), (5.0, 300, 2.0), (5.0, 5000, 2.0)]
)
def test_the_recent_history_has_two_samples_in_each_window(window: float, series: int, step: float) -> None:
    times = sample_times(START, window, series)
    assert times == sorted(set(times))
    assert times[-1] == START
    assert START - times[0] == pytest.approx(6 * 3600.0, abs=120.0)
    assert max(b - a for a, b in itertools.pairwise(times)) <= 120.0
    assert times[-1] - times[-2] == pytest.approx(step)
    assert sum(1 for t in times if t > START - 3600) * series <= 800_000


def test_the_shortest_window_of_a_playbook() -> None:
    assert shortest_window(["rate(x[5m]) + increase(y[1h30m])", "max_over_time(rate(z[1m])[10m:30s])"]) == 60.0
    assert shortest_window(["up == 0"]) == 300.0


def test_every_delay_and_window_is_divided() -> None:
    text = "interval: 30s\nfor: 5m\nkeep_firing_for: 10m\nexpr: max_over_time(rate(x[5m])[1h:1m])[2h:]"
    assert compress_rules(text, 10) == (
        "interval: 3s\nfor: 30s\nkeep_firing_for: 60s\nexpr: max_over_time(rate(x[30s])[360s:6s])[720s:]"
    )


# -- every system --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_is_sound(name: str) -> None:
    system = find_system(name)
    assert system.name == name
    assert set(system.release_faults) <= set(system.faults)
    assert set(system.proves) <= set(system.faults)
    assert not system.release or system.release in system.flags
    alerts = {
        rule["alert"]
        for group in yaml.safe_load((find_playbook(name) / "rules.yaml").read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    assert set(system.proves.values()) <= alerts
    world = SystemWorld(system, seed=7, start=START)
    calm = list(world.values())
    assert {job for job, _, _ in calm} == {job.name for job in system.jobs}
    assert {world.families.of(series).name for _, series, _ in calm} == {metric.name for metric in system.metrics}
    assert all(list(lab) == sorted(lab) for _, _, lab in calm)
    before = dict(world.totals())
    for fault in system.faults:
        world.switch(fault, START, 1.0)
    world.advance(START + 60)
    assert list(world.values()) == calm
    assert all(math.isfinite(value) for value in world.values().values())
    assert all(value >= before[key] for key, value in world.totals().items())


def test_an_unknown_system_names_the_nearest() -> None:
    assert "accubooks" in SYSTEMS
    with pytest.raises(UsageError) as caught:
        find_system("acubooks")
    assert "accubooks" in caught.value.hint
    for other in ("", "base", "../x", "parts"):
        with pytest.raises(UsageError):
            find_system(other)
