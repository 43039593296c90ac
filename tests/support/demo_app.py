"""The real console on the embedded demo, standing still: the same picture every time, on every machine.

A `Scene` plays the scripted incident up to a moment and keeps serving it from a thread of its own, so that
a pilot's event loop stays free. `Scene.console` opens the console on it, with addresses that never vary: the
transports of `Wires` lead them to the demo's ports.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input, TextArea

from opsconsole.actions.runner import Runner
from opsconsole.cli.prepare import prepare_console
from opsconsole.cli.wiring import load_playbooks
from opsconsole.clock import ManualClock
from opsconsole.config.schema import ClusterConfig, Context, Endpoint, FlagsConfig
from opsconsole.demo.embedded import LABEL, EmbeddedDemo
from opsconsole.journal.store import Journal
from opsconsole.model.alerts import Alert
from opsconsole.model.reading import Freshness, Reading
from opsconsole.render.glyphs import UNICODE, Glyphs
from opsconsole.render.theme import DARK, Theme
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import ContextInfo, Snapshot
from opsconsole.text import trusted
from opsconsole.ui.app import ConsoleApp
from opsconsole.ui.modes import Opened
from tests.support.demo_wires import ALERTMANAGER, PROMETHEUS, Wires, sources_of

T = TypeVar("T")

START = datetime(2026, 3, 3, 3, 8, tzinfo=UTC).timestamp()
"""The wall time at which every scene begins, in seconds since the epoch."""

USER, HOST = "primary-a", "ops-1"
STEP = 5.0
_WAITING = frozenset({"actions", "confirm"})
LIMIT = 30.0
"""Seconds of real time for a screen to settle. It takes a fraction of one; a busy machine may need more."""


class Story:
    """What happened before the console was opened: a console without a screen that watches the flags and
    acts as the engineer. Everything it writes is in `journal_file`."""

    def __init__(self, context: Context, clock: ManualClock, wires: Wires, journal_file: Path) -> None:
        self._journal = Journal(journal_file, clock)
        self._sources = sources_of(context, clock, wires)
        nonces = itertools.count(0x3F9A_1C20, 0x0101_0301)
        self.runner = Runner(
            clusters=self._sources.clusters,
            flags=self._sources.flags,
            journal=self._journal,
            clock=clock,
            user=USER,
            host=HOST,
            context=context.name,
            read_only=False,
            refresh=lambda: None,
            nonce=lambda: f"{next(nonces):08x}",
        )
        info = ContextInfo(name=trusted(context.name), user=trusted(USER))
        self._engine = Engine(info, self._sources, load_playbooks(context), clock)

    async def look(self) -> None:
        """See the flags and look after the acks, as an open console does."""
        assert self._sources.flags is not None
        self.runner.observe_flags(await self._sources.flags.read())
        snapshot = await self._engine.collect(["alerts", "silences"])
        cluster = snapshot.clusters[0]
        await self.runner.keep_acks(cluster.alerts.data or (), cluster.silences.data or ())

    async def alert(self, name: str) -> Alert:
        snapshot = await self._engine.collect(["alerts"])
        return next(alert for alert in snapshot.alerts() if alert.name == name)

    async def note(self, text: str) -> None:
        await self.runner.note(text)

    async def ack(self, name: str, reason: str) -> None:
        await self.runner.ack(await self.alert(name), reason)

    async def roll_back(self, flag: str) -> None:
        await self.runner.rollback(await self.runner.plan_rollback(flag))

    async def aclose(self) -> None:
        await self._engine.aclose()
        self._journal.close()


Deed = Callable[[Story], Awaitable[None]]

INCIDENT: Mapping[float, Deed] = {
    95.0: lambda story: story.note("errors began right after the release; pricing-team is informed"),
    185.0: lambda story: story.ack("DatabasePoolExhaustion", "looking at the slow queries"),
}
"""What the engineer does, by seconds after the start."""

RECOVERY: Mapping[float, Deed] = {**INCIDENT, 205.0: lambda story: story.roll_back("new_pricing")}

CALM_AT, FIRING_AT, HEALED_AT = 0.0, 200.0, 300.0
"""Moments: before the release; everything fires; a while after the rollback."""


class Scene:
    """The demo at a moment. A context manager; several consoles may be open on it one after another, as
    long as they only read and no time passes."""

    def __init__(self, directory: Path, moment: float, deeds: Mapping[float, Deed] = INCIDENT) -> None:
        self._directory = directory
        self._moment = moment
        self._deeds = deeds
        self._journal_file = directory / "journal.db"
        self._copies = itertools.count()
        self._clock = ManualClock(START)
        self._demo = EmbeddedDemo(clock=self._clock, directory=directory)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="demo", daemon=True)

    def __enter__(self) -> Scene:
        self._thread.start()
        self._endpoints = self._call(self._demo.start())
        self._demo._alertmanager_url = ALERTMANAGER  # as the context names it: its port is another every time
        self._context = Context(
            name="demo",
            environment="demo",
            playbooks=(self._endpoints.playbook,),
            prometheus=Endpoint(url=PROMETHEUS),
            alertmanager=(ClusterConfig(name="main", members=(Endpoint(url=ALERTMANAGER),)),),
            flags=FlagsConfig(provider="flagd", path=self._endpoints.flags_file),
            author=USER,
        )
        self._call(self._play())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._demo.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    async def _play(self) -> None:
        story = Story(self._context, self._clock, Wires(self._endpoints), self._journal_file)
        await story.look()
        while self._tick(self._moment):
            await story.look()
            deed = self._deeds.get(self._clock.now() - START)
            if deed is not None:
                await deed(story)
        await story.aclose()

    def _tick(self, moment: float) -> bool:
        """Move the demo one step towards a moment; False when it is there."""
        now = self._clock.now() - START
        if now >= moment:
            return False
        self._clock.advance(min(STEP, moment - now))
        self._demo.tick()
        return True

    def go_on(self, seconds: float) -> None:
        """Play on without the engineer. Consoles that are opened later begin at the new moment."""

        async def play() -> None:
            while self._tick(self._moment):
                pass

        self._moment += seconds
        self._call(play())

    def console(
        self,
        *,
        start: str = "overview",
        theme: Theme = DARK,
        glyphs: Glyphs = UNICODE,
        environment: str = "demo",
        label: str = LABEL,
    ) -> Console:
        """The console on this moment, with a clock and a journal of its own."""
        context = msgspec.structs.replace(self._context, environment=environment)
        clock, wires = ManualClock(START + self._moment), Wires(self._endpoints)
        journal_file = self._journal_file.with_name(f"journal-{next(self._copies)}.db")
        shutil.copy(self._journal_file, journal_file)

        def prepare() -> Opened:
            return prepare_console(
                context,
                theme,
                glyphs,
                demo=label,
                journal_file=journal_file,
                clock=clock,
                zone=UTC,
                sources=sources_of(context, clock, wires),
            )

        return Console(ConsoleApp(prepare, theme, glyphs, start=start), clock, wires, self)


@dataclass(frozen=True)
class Console:
    """A console that is ready to run, its clock and its network."""

    app: ConsoleApp
    clock: ManualClock
    wires: Wires
    scene: Scene

    @property
    def text(self) -> str:
        """What stands on the screen, one line per row; dialogs lie over what is behind them."""
        return "\n".join(strip.text.rstrip() for strip in self._picture())

    def _picture(self) -> list[Strip]:
        return self.app.screen._compositor.render_strips()

    async def settled(self, pilot: Pilot[int], *wanted: str) -> None:
        """Wait until everything that the screen watches has been read at the present time, each of `wanted`
        stands on it, and drawing it again changes nothing."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LIMIT
        before: list[Strip] = []
        while True:
            await pilot.pause()
            if self._all_read():
                self._show_newest()
                await pilot.pause(0.02)
                picture, text = self._picture(), self.text
                if picture == before and not self._busy() and all(words in text for words in wanted):
                    return
                before = picture
            if loop.time() > end:
                missing = [words for words in wanted if words not in self.text]
                raise AssertionError(f"the screen does not settle; missing {missing}\n{self.text}")
            await pilot.pause(0.03)

    async def press(self, pilot: Pilot[int], *keys: str) -> None:
        """Press keys, each after the one before has been drawn."""
        for key in keys:
            await self.settled(pilot)
            await pilot.press(key)

    async def later(self, pilot: Pilot[int], seconds: float, *, down: Iterable[str] = ()) -> None:
        """Let time pass, in the scene too, and ask every source again. The hosts in `down` stop to answer."""
        await self.settled(pilot)
        engine = self.app.services.engine
        engine.pause()  # nothing may be asked while the scene and the console have different times
        await asyncio.to_thread(self.scene.go_on, seconds)
        self.clock.advance(seconds)
        self.wires.down.update(down)
        engine.resume()

    def _all_read(self) -> bool:
        if self.app.failure is not None:
            raise self.app.failure
        if self.app._opened is None or not hasattr(self.app.screen, "parent"):
            return False
        return unread(self.app.snapshot, self._watched(), self.clock.now()) == []

    def _busy(self) -> bool:
        """Whether something is asked or drawn in the background. What waits for a dialog's end is not."""
        return self.wires.busy > 0 or any(
            not worker.is_finished and worker.group not in _WAITING for worker in self.app.workers
        )

    def _watched(self) -> tuple[str, ...]:
        for screen in reversed(self.app.screen_stack):
            watched = getattr(screen, "watched", None)
            if watched is not None:
                return tuple(watched())
        return ()

    def _show_newest(self) -> None:
        """Draw what is known now, without waiting for the timers that would have it drawn in a moment."""
        services = self.app.services
        flags = self.app.snapshot.flags
        if flags is not None and flags.data is not None:
            services.runner.observe_flags(flags.data)
        if self.app.snapshot.changes != services.runner.changes():
            services.engine.polls.tick()
        self.app.show_snapshot()
        for field in self.app.screen.query("Input, TextArea"):
            if isinstance(field, Input | TextArea):
                field.cursor_blink = False


def unread(snapshot: Snapshot, panels: tuple[str, ...], now: float) -> list[str]:
    """The names of what has not been asked at `now`, with or without success."""
    readings: dict[str, Reading[Any] | None] = {
        "prometheus": snapshot.prometheus,
        "rules": snapshot.rules,
        "targets": snapshot.targets,
        "flags": snapshot.flags,
    }
    for cluster in snapshot.clusters:
        readings[f"{cluster.name} alerts"] = cluster.alerts
        readings[f"{cluster.name} silences"] = cluster.silences
        for member in cluster.members:
            readings[f"{member.url}"] = member.status
        if not cluster.members:
            readings[f"{cluster.name} members"] = Reading()
    readings |= {key: snapshot.panels.get(key, Reading()) for key in panels if "/" in key}
    readings |= {name: getattr(snapshot, name) for name in panels if "/" not in name}
    for kind in (snapshot.probes, snapshot.notified, snapshot.linted):
        readings |= {f"{key} for checks": reading for key, reading in kind.items()}
    found = [name for name, reading in readings.items() if reading is not None and not _asked(reading, now)]
    known = snapshot.prometheus is not None and snapshot.prometheus.failure is None
    if known and snapshot.extender == "nobody":
        found.append("extender")
    return found


def _asked(reading: Reading[Any], now: float) -> bool:
    if reading.freshness(now) is Freshness.FAILED:
        return True
    return reading.data is not None and reading.at == now
