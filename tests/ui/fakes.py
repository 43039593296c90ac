"""Canned snapshots and two fakes for screens: an engine that is pushed, a runner that records."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, cast

import msgspec
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.filter import LineFilter
from textual.screen import Screen

import opsconsole.ui
from opsconsole.actions.ack import AckPlan
from opsconsole.actions.runner import Runner
from opsconsole.clock import ManualClock
from opsconsole.errors import SourceError
from opsconsole.model.alertlist import build_rows, shared_labels
from opsconsole.model.alerts import Alert, AlertStatus, Receiver, fingerprint_of
from opsconsole.model.flags import FlagChange, FlagSet
from opsconsole.model.journal import Entry, Outcome, Result
from opsconsole.model.matchers import Matcher, exact_matchers
from opsconsole.model.playbook import Playbook
from opsconsole.model.radius import Radius
from opsconsole.model.reading import Reading
from opsconsole.model.rules import Rule, RuleAlert, RuleGroup
from opsconsole.model.series import QueryResult, Series
from opsconsole.model.severity import Severity
from opsconsole.model.silences import Silence, SilenceStatus
from opsconsole.render.glyphs import UNICODE, Glyphs
from opsconsole.render.theme import DARK, Theme
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import ClusterReading, ContextInfo, Snapshot
from opsconsole.text import SafeText, safe, safe_block, trusted
from opsconsole.ui.filters import TerminalGuard
from opsconsole.ui.keys_in_turn import KeysInTurn
from opsconsole.ui.screens.base import ConsoleScreen
from opsconsole.ui.services import Services
from opsconsole.ui.themes import register_themes

NOW = 1_767_225_600.0
"""2026-01-01 00:00 UTC, the time of every canned snapshot."""


def at(seconds: float) -> datetime:
    """`NOW` moved by `seconds`."""
    return datetime.fromtimestamp(NOW + seconds, UTC)


def make_alert(
    name: str = "HighErrorRate",
    severity: str = "critical",
    *,
    ago: float = 240.0,
    annotations: Mapping[str, str] | None = None,
    silenced_by: Sequence[str] = (),
    inhibited_by: Sequence[str] = (),
    pending: bool = False,
    cluster: str = "main",
    **labels: str,
) -> Alert:
    """An alert that began `ago` seconds before NOW. Its fingerprint is the one of its labels."""
    every = {"alertname": name, "severity": severity, "job": "accubooks", **labels}
    state = "suppressed" if silenced_by or inhibited_by else "active"
    return Alert(
        fingerprint=fingerprint_of(every),
        labels=every,
        annotations={safe(k): safe_block(v) for k, v in (annotations or {"summary": f"{name}!"}).items()},
        starts_at=at(-ago),
        ends_at=at(300),
        updated_at=at(0),
        generator_url=trusted("http://prometheus.example/graph"),
        status=AlertStatus(state, tuple(silenced_by), tuple(inhibited_by)),
        receivers=(Receiver(trusted("on-call")),),
        cluster="" if pending else cluster,
        pending=pending,
    )


def make_silence(
    id: str = "s-1",
    labels: Mapping[str, str] | None = None,
    *,
    comment: str = "deploying",
    by: str = "primary-a",
    left: float = 600.0,
    ago: float = 300.0,
    state: str = "active",
    matchers: tuple[Matcher, ...] = (),
    cluster: str = "main",
) -> Silence:
    """A silence on exactly these labels that ends `left` seconds after NOW."""
    return Silence(
        id=id,
        matchers=matchers or exact_matchers(labels or {"alertname": "HighErrorRate"}),
        starts_at=at(-ago),
        ends_at=at(left),
        updated_at=at(-ago),
        created_by=safe(by),
        comment=safe_block(comment),
        status=SilenceStatus(state),
        cluster=cluster,
    )


def some_alerts() -> tuple[Alert, ...]:
    """Five alerts of three severities; the pool's is acked by `s-1`."""
    return (
        make_alert("HighErrorRate", route="/api/forecast", ago=240),
        make_alert("DatabasePoolExhaustion", pool="primary", ago=120, silenced_by=["s-1"]),
        make_alert("HighLatency", "high", route="/api/forecast", ago=180),
        make_alert("PoolUtilisationHigh", "warning", pool="primary", ago=540),
        make_alert("TargetDown", "warning", instance="10.0.3.4:9100", ago=1860),
    )


def make_snapshot(
    alerts: Iterable[Alert] | None = None,
    silences: Iterable[Silence] | None = None,
    *,
    pending: Iterable[Alert] = (),
    rules: Sequence[RuleGroup] = (),
    playbooks: Sequence[Playbook] = (),
    flags: FlagSet | None = None,
    changes: Sequence[FlagChange] = (),
    journal: Sequence[Entry] = (),
    now: float = NOW,
    read_only: bool = False,
    environment: str = "production",
    **more: Any,
) -> Snapshot:
    """A snapshot of one cluster `main`, everything fresh, with its rows built."""
    if alerts is None:
        ours = {"alertname": "DatabasePoolExhaustion", "severity": "critical", "pool": "primary"}
        alerts = some_alerts()
        silences = silences or [make_silence("s-1", ours, comment="ACK! primary-a: looking [op=n1]")]
    fresh = Reading(data=tuple(alerts), at=now)
    cluster = ClusterReading(name="main", alerts=fresh, silences=Reading(data=tuple(silences or ()), at=now))
    snapshot = Snapshot(
        context=ContextInfo(
            name=trusted("prod"),
            environment=safe(environment),
            user=trusted("primary-a"),
            read_only=read_only,
        ),
        now=now,
        playbooks=tuple(playbooks),
        rules=Reading(data=tuple(rules), at=now),
        clusters=(cluster,),
        flags=Reading(data=flags, at=now) if flags is not None else None,
        changes=tuple(changes),
        journal=tuple(journal),
        extender=trusted("this console"),
        **more,
    )
    return with_rows(snapshot, pending)


def with_rows(snapshot: Snapshot, pending: Iterable[Alert] = ()) -> Snapshot:
    """The snapshot with `rows`, `shared` and `counts` made from its alerts."""
    every = (*snapshot.alerts(), *pending)
    rows = tuple(build_rows(every, snapshot.silences(), snapshot.response))
    counts: dict[Severity, int] = {}
    for row in rows:
        if row.counts:
            counts[row.severity] = counts.get(row.severity, 0) + 1
    return msgspec.structs.replace(snapshot, rows=rows, shared=shared_labels(every), counts=counts)


def make_rule(alert: Alert, query: str, *, duration: float = 300.0, state: str = "firing") -> RuleGroup:
    """A group with the one rule of this alert, true for `duration` before the alert began."""
    held = RuleAlert(labels=alert.labels, state=state, active_at=at(alert.since - NOW - duration), value="4.8")
    rule = Rule(
        name=alert.name,
        query=trusted(query),
        duration=duration,
        labels={"severity": safe(alert.labels["severity"])},
        alerts=(held,),
        health=trusted("ok"),
        state=state,
    )
    return RuleGroup(name=trusted("rules"), interval=15.0, rules=(rule,))


def make_series(labels: Mapping[str, str], values: Sequence[float], *, step: float = 15.0) -> Series:
    """A series whose last point is at NOW."""
    first = NOW - step * (len(values) - 1)
    times = tuple(first + step * i for i in range(len(values)))
    return Series(labels=dict(labels), times=times, values=tuple(values))


class FakeEngine:
    """Holds a snapshot; `push` replaces it and tells the listeners. Queries get what `answer` returns."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.listeners: list[Callable[[], None]] = []
        self.watched: tuple[str, ...] = ()
        self.refreshed = 0
        self.asked: list[str] = []
        self.answer: Callable[[str], QueryResult | SourceError] = lambda expr: QueryResult("matrix", ())
        self.answer_at: Callable[[str, float | None], QueryResult | SourceError] = lambda expr, at: self.answer(
            expr
        )

    def push(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        for listener in tuple(self.listeners):
            listener()

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    @property
    def for_checks(self) -> tuple[str, ...]:
        return ("metrics",)

    def watch(self, keys: Iterable[str]) -> None:
        self.watched = tuple(keys)

    def refresh(self) -> None:
        self.refreshed += 1

    def pause(self) -> None:
        """Nothing runs by itself here."""

    def resume(self) -> None:
        """Nothing runs by itself here."""

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        """Nothing is connected here."""

    async def ask(self, expr: str, *, at: float | None = None) -> QueryResult:
        return self._told(expr, self.answer_at(expr, at))

    async def ask_range(self, expr: str, *, start: float, end: float, step: float) -> QueryResult:
        return self._answer(expr)

    def _answer(self, expr: str) -> QueryResult:
        return self._told(expr, self.answer(expr))

    def _told(self, expr: str, answer: QueryResult | SourceError) -> QueryResult:
        self.asked.append(expr)
        if isinstance(answer, SourceError):
            raise answer
        return answer


class FakeRunner:
    """Records every call as (method, arguments), the last one's named arguments in `named`, and answers DONE, or
    what `outcomes` holds for the method."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.outcomes: dict[str, Outcome] = {}
        self.named: dict[str, dict[str, Any]] = {}
        self.hidden: Callable[[tuple[Matcher, ...]], Iterable[Alert]] = lambda matchers: ()
        self.partial = trusted("")
        self.undoable: Entry | None = None
        self.writing = False
        self.output: tuple[str, ...] = ()
        self.plan = AckPlan(why=trusted("one silence each: they differ"))

    def called(self, method: str) -> list[tuple[Any, ...]]:
        """The arguments of each call of a method."""
        return [arguments for name, arguments in self.calls if name == method]

    def last_undoable(self) -> Entry | None:
        return self.undoable

    async def plan_ack(self, alerts: Sequence[Alert]) -> AckPlan:
        self.calls.append(("plan_ack", (tuple(alerts),)))
        return self.plan

    async def ack_all(self, alerts: Sequence[Alert], reason: str, *, one: bool = True) -> tuple[Outcome, ...]:
        return (self._done("ack_all", tuple(alerts), reason, one),)

    async def preview(self, cluster: str, matchers: tuple[Matcher, ...]) -> Radius:
        self.calls.append(("preview", (cluster, matchers)))
        return Radius(tuple(self.hidden(matchers)), self.partial)

    async def run_command(
        self,
        command: object,
        alert: object,
        *,
        timeout: float = 60.0,
        on_output: Callable[[SafeText], None] | None = None,
    ) -> Outcome:
        for line in self.output:
            if on_output is not None:
                on_output(safe_block(line))
        return self._done("run_command", command, alert)

    def changes(self) -> tuple[FlagChange, ...]:
        return ()

    def __getattr__(self, method: str) -> Callable[..., Any]:
        async def call(*arguments: Any, **named: Any) -> Any:
            self.named[method] = named
            return self._done(method, *arguments)

        return call

    def _done(self, method: str, *arguments: Any) -> Any:
        self.calls.append((method, arguments))
        found = self.outcomes.get(method)
        return found or Outcome(op="op1", action=method, result=Result.DONE, message=safe(f"{method} done"))


def make_services(
    snapshot: Snapshot | None = None, *, glyphs: Glyphs = UNICODE, theme: Theme = DARK
) -> tuple[Services, FakeEngine, FakeRunner]:
    """Services over the two fakes, on a clock that stands at NOW, in UTC."""
    engine, runner = FakeEngine(snapshot or make_snapshot()), FakeRunner()
    services = Services(
        engine=cast("Engine", engine),
        runner=cast("Runner", runner),
        clock=ManualClock(NOW),
        glyphs=glyphs,
        theme=theme,
        zone=UTC,
        checks=lambda _: (),
    )
    return services, engine, runner


_STYLES = Path(opsconsole.ui.__file__).parent / "styles"


class ScreenApp(KeysInTurn[int]):
    """One console screen by itself, with what the real application gives it."""

    CSS_PATH: ClassVar[list[str | Path]] = [
        _STYLES / "console.tcss",
        *sorted(path for path in _STYLES.glob("*.tcss") if path.name != "console.tcss"),
    ]

    def __init__(self, first: Screen[Any], services: Services) -> None:
        super().__init__()
        register_themes(self, services.theme)
        self.services = services
        self.ack_reason = "looking"
        self.told: list[str] = []
        self.reported: list[Outcome] = []
        self.modes_asked: list[str] = []
        self._first = first

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [TerminalGuard()]

    async def on_mount(self) -> None:
        self.services.engine.subscribe(lambda: self.call_later(self.show_snapshot))
        await self.push_screen(self._first)

    def show_snapshot(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, ConsoleScreen) and screen.is_mounted:
                screen.receive(self.services.engine.snapshot)

    @property
    def snapshot(self) -> Snapshot:
        return self.services.engine.snapshot

    def tell(self, text: str, *, severity: str = "information") -> None:
        self.told.append(text)

    def report(self, outcome: Outcome) -> None:
        self.reported.append(outcome)

    def switch_mode(self, mode: str) -> Any:
        self.modes_asked.append(mode)
        return AwaitComplete()


def screen_text(app: App[Any]) -> str:
    """What stands on the screen, one line per row."""
    width, height = app.size
    lines = [strip.text for strip in app.screen._compositor.render_strips()]
    return "\n".join(line[:width].rstrip() for line in lines[:height])
