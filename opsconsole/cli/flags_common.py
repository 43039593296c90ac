"""What the commands on flags share: one look at everything, the alert that is suspected, and words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from opsconsole.cli.acting import Acting, tell
from opsconsole.cli.wiring import context_info, journal_path
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.errors import FlagError, FlagNotFound, JournalError, UsageError
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.flagchanges import most_suspected_first, nearest_before
from opsconsole.model.flags import Flag, FlagChange, FlagSet, RollbackKind
from opsconsole.model.severity import AlertState
from opsconsole.render.times import ago
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted

if TYPE_CHECKING:
    from opsconsole.actions.runner import Runner

SUSPICIOUS = 3600.0
"""Seconds before the onset of an alert within which a change of a flag is suspected."""

KINDS = {kind.name.lower(): kind for kind in RollbackKind}

KeyArgument = Annotated[str, typer.Argument(metavar="FLAG", help="The flag, as `flags list` prints it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
KindOption = Annotated[
    str,
    typer.Option(
        metavar="KIND",
        help="off, undo (the last change) or revert (with --version); the proposed one if left out.",
        show_default=False,
    ),
]
VersionOption = Annotated[
    str,
    typer.Option(
        metavar="VERSION", help="The version to revert to, as `flags changes` has it.", show_default=False
    ),
]


def provider_of(acting: Acting) -> FlagProvider:
    """The context's flag provider. Raises UsageError."""
    if acting.sources.flags is None:
        raise UsageError("no flag provider is configured", hint="use --flags-file FILE, or flags: in the context")
    return acting.sources.flags


def kind_of(kind: str, version: str) -> RollbackKind | None:
    """What --kind and --version ask for, None for what is proposed. Raises UsageError."""
    if not kind:
        return RollbackKind.REVERT if version else None
    if kind not in KINDS:
        raise UsageError(f"there is no kind {safe(kind, 40)}", hint=f"kinds: {', '.join(KINDS)}")
    found = KINDS[kind]
    if (found is RollbackKind.REVERT) != bool(version):
        raise UsageError("--kind revert and --version belong together")
    return found


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Flags, their changes and the alerts at one time. `why` says why the changes or the alerts are not known, ""
    when they are."""

    snapshot: Snapshot
    flags: FlagSet
    changes: tuple[FlagChange, ...]
    worst: AlertRow | None = None
    why: SafeText = trusted("")

    @property
    def onset(self) -> float | None:
        """When the worst alert began, seconds since the epoch."""
        return self.worst.alert.since if self.worst is not None else None

    def flag(self, key: str) -> Flag:
        """Raises FlagNotFound."""
        found = self.flags.get(key)
        if found is None:
            raise FlagNotFound(
                f"there is no flag {safe(key, 80)}", where=self.flags.source, hint="opsconsole flags list"
            )
        return found

    def suspect(self, key: str) -> float | None:
        """How many seconds before the onset of the worst alert the flag changed, the nearest; None when it did
        not in the hour before."""
        return nearest_before(self.changes, key, self.onset) if self.onset is not None else None

    def suspect_words(self, key: str) -> SafeText:
        """`6m before HighErrorRate`, or ""."""
        apart = self.suspect(key)
        return (
            safe(f"{ago(apart)} before {self.worst.alert.name}") if apart is not None and self.worst else safe("")
        )

    def ordered(self) -> list[Flag]:
        """The suspected first, the latest change first, then by name."""
        return most_suspected_first(self.flags.flags, self.changes, self.onset)


def look_at(acting: Acting, *, alert: str = "") -> Look:
    """Ask for everything once; `alert` names the one that is looked at instead of the worst. What is seen is
    journalled where there is a journal. Raises FlagError when the flags cannot be read, and UsageError."""
    provider_of(acting)
    engine = Engine(context_info(acting.context), acting.sources, (), acting.clock)
    runner, no_journal = _journalled(acting)
    if runner is not None:
        engine.polls.changes = runner.changes
    names = {"flags", "alerts", "silences"} | ({"rules"} if acting.sources.prometheus is not None else set())

    async def ask() -> None:
        await engine.collect(names=names)
        flags = engine.snapshot.flags
        if runner is not None and flags is not None and flags.data is not None:
            runner.observe_flags(flags.data)
            engine.polls.tick()

    acting.run(ask())
    snapshot = engine.snapshot
    reading = snapshot.flags
    if reading is None or reading.data is None or not reading.known(snapshot.now):
        failure = reading.failure if reading is not None else None
        raise FlagError(
            reading.why(snapshot.now) if reading is not None else "the flags were not read",
            where=failure.where if failure is not None else "",
            hint=failure.hint if failure is not None else "",
        )
    return Look(
        snapshot=snapshot,
        flags=reading.data,
        changes=snapshot.changes,
        worst=_worst(snapshot, alert),
        why=_doubt(snapshot, no_journal or (runner.observing_problem if runner is not None else "")),
    )


def tell_doubt(look: Look) -> None:
    """Say what is not known of changes and alerts."""
    if look.why:
        tell(f"UNKNOWN: {look.why}")


def _worst(snapshot: Snapshot, name: str) -> AlertRow | None:
    """The worst alert that fires, one that nobody has before one that somebody has; of that name when named."""
    on_fire = [row for row in snapshot.rows if row.state is not AlertState.PENDING]
    if name:
        found = next((row for row in on_fire if row.alert.labels.get("alertname") == name), None)
        if found is None:
            raise UsageError(f"no alert {safe(name, 80)} fires", hint="opsconsole alerts --all")
        return found
    states = (AlertState.ACTIVE, AlertState.ACKED)
    return next((row for state in states for row in on_fire if row.state is state), None)


def _journalled(acting: Acting) -> tuple[Runner | None, str]:
    """The runner, None where there is no journal yet or it cannot be read, and why that is."""
    if not journal_path().exists():
        return None, ""
    try:
        return acting.runner, ""
    except JournalError as error:
        return None, f"what the journal saw: {error}"


def _doubt(snapshot: Snapshot, journal: str) -> SafeText:
    now, found = snapshot.now, [journal] if journal else []
    if snapshot.flag_log is not None and not snapshot.flag_log.known(now):
        found.append(f"the log of changes: {snapshot.flag_log.why(now)}")
    found += [f"the alerts: {c.alerts.why(now)}" for c in snapshot.clusters if not c.alerts.known(now)]
    return safe("; ".join(found), 500)


def change_cells(change: FlagChange | None) -> Sequence[SafeText]:
    """Who made a change, and what it was."""
    if change is None:
        return trusted(""), trusted("")
    return safe(change.who or ("opsconsole" if change.ours else "not known"), 80), change.summary
