"""The status lines on top and the keys at the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from opsconsole.actions.focus import Focus, why_not
from opsconsole.actions.keys import Scope
from opsconsole.render.status import Mode, SourceStatus, StatusInput, mode_line, source_status, status_line
from opsconsole.state.members import badge, troubles
from opsconsole.state.snapshot import ClusterReading, Snapshot
from opsconsole.text import safe, trusted
from opsconsole.ui.bindings import footer_actions, key_name
from opsconsole.ui.lines import Lines
from opsconsole.ui.services import Services

_MODES = (Scope.OVERVIEW, Scope.ALERTS, Scope.SILENCES, Scope.FLAGS, Scope.INCIDENT, Scope.STATUS)


class StatusBar(Lines):
    """Two lines: where we are and whether to trust it; the modes and the time."""

    def __init__(self, services: Services, scope: Scope) -> None:
        super().__init__()
        self._services = services
        self._scope = scope

    def show_snapshot(self, snapshot: Snapshot) -> None:
        width = self.size.width or self.app.size.width
        theme, glyphs = self._services.theme, self._services.glyphs
        clock = datetime.fromtimestamp(snapshot.now, self._services.zone)
        self.show(
            [
                status_line(status_input(snapshot), width=width, theme=theme, glyphs=glyphs),
                mode_line(
                    _modes(snapshot),
                    str(_MODES.index(self._scope) + 1),
                    width=width,
                    clock=trusted(f"{clock:%H:%M}"),
                    read_only=snapshot.context.read_only,
                    theme=theme,
                    glyphs=glyphs,
                ),
            ]
        )


def status_input(snapshot: Snapshot) -> StatusInput:
    """What the status line needs of a snapshot."""
    active = [s for s in snapshot.silences().values() if s.status.state == "active"]
    return StatusInput(
        context=snapshot.context.name,
        environment=snapshot.context.environment,
        production=snapshot.context.production,
        system=safe(" ".join(p.system for p in snapshot.playbooks), 40),
        sources=sources_of(snapshot),
        counts=snapshot.counts,
        alerts_known=bool(snapshot.clusters) and all(c.alerts.known(snapshot.now) for c in snapshot.clusters),
        acks=sum(s.is_ack for s in active),
        silences=sum(not s.is_ack for s in active),
        demo=snapshot.context.demo,
        read_only=snapshot.context.read_only,
    )


def sources_of(snapshot: Snapshot) -> tuple[SourceStatus, ...]:
    """Each source that the context has, and whether it may be believed."""
    now = snapshot.now
    found: list[SourceStatus] = []
    if snapshot.prometheus is not None:
        found.append(source_status(trusted("Prom"), snapshot.prometheus, now))
    found += alert_sources(snapshot)
    if snapshot.flags is not None:
        found.append(source_status(trusted("Flags"), snapshot.flags, now))
    return tuple(found)


def alert_sources(snapshot: Snapshot) -> tuple[SourceStatus, ...]:
    """What the alert list rests on: one for each cluster, in the order of `snapshot.clusters`."""
    return tuple(cluster_status(cluster, snapshot) for cluster in snapshot.clusters)


def cluster_status(cluster: ClusterReading, snapshot: Snapshot) -> SourceStatus:
    """One Alertmanager cluster, by its alerts; `2/2` when it has several members, and what is wrong with them."""
    name = trusted("AM" if len(snapshot.clusters) == 1 else f"AM {safe(cluster.name, 20)}")
    up = sum(member.status.known(snapshot.now) for member in cluster.members)
    members = trusted(f"{up}/{len(cluster.members)}" if len(cluster.members) > 1 else "")
    reading = cluster.alerts if not cluster.alerts.known(snapshot.now) else cluster.silences
    wrong = badge(troubles(cluster, snapshot.now))
    return source_status(name, reading, snapshot.now, members, wrong)


def _modes(snapshot: Snapshot) -> list[Mode]:
    counts: dict[Scope, int] = {
        Scope.ALERTS: len(snapshot.alerts()),
        Scope.SILENCES: sum(s.status.state == "active" for s in snapshot.silences().values()),
    }
    return [
        Mode(key=str(i), title=trusted(scope.value.capitalize()), count=counts.get(scope))
        for i, scope in enumerate(_MODES, start=1)
    ]


class KeyBar(Lines):
    """The keys that work here and now; a key that cannot work is dim. With `ids`, only these actions'."""

    def __init__(self, services: Services, scope: Scope, ids: Sequence[str] = ()) -> None:
        super().__init__()
        self._services = services
        self._scope = scope
        self._ids = ids

    def show_focus(self, focus: Focus) -> None:
        width = self.size.width or self.app.size.width
        theme = self._services.theme
        line = Text(" ", no_wrap=True)
        for action in footer_actions(self._scope, read_only=focus.read_only, ids=self._ids):
            able = not why_not(action, focus)
            key = key_name(action.keys[0])
            if line.cell_len + len(f"{key} {action.title}  ") > width:
                break
            line.append(key, theme["key" if able else "dim"])
            line.append(f" {action.title}  ", theme["plain" if able else "dim"])
        line.set_length(width)
        self.show([line])
