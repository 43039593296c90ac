"""The checks of a catalogue on a snapshot, and their overall verdict."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from opsconsole.checks.base import PANELS, Check
from opsconsole.checks.catalog import CATALOG
from opsconsole.model.verdicts import Level, Verdict, worst
from opsconsole.state.failures import place_of
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import trusted

INTERNAL = ".internal"
"""How the id of a verdict ends that says that a check itself broke."""


def run_checks(snapshot: Snapshot, checks: Iterable[Check] = CATALOG) -> tuple[Verdict, ...]:
    """The verdicts of the checks, in their order, each with its own id and its duration: the seconds of the
    slowest question that it needed and those of judging the answers. One that follows from a verdict which is
    not among them stands for itself."""
    seen: dict[str, int] = {}
    found = [_named(verdict, seen) for check in checks for verdict in _timed(check, snapshot)]
    return tuple(
        v if v.because in seen or not v.because else msgspec.structs.replace(v, because="") for v in found
    )


def overall(verdicts: Sequence[Verdict]) -> Level:
    """The worst verdict, those that merely follow from another too; UNKNOWN when nothing was checked."""
    return worst(v.level for v in verdicts)


def _timed(check: Check, snapshot: Snapshot) -> Iterator[Verdict]:
    began = time.perf_counter()
    found = tuple(_judged(check, snapshot))
    judging = time.perf_counter() - began
    asking = max((_seconds(need, snapshot) for need in check.needs), default=0.0)
    for verdict in found:
        yield msgspec.structs.replace(verdict, duration=(verdict.duration or asking) + judging)


def _seconds(need: str, snapshot: Snapshot) -> float:
    if need == PANELS:
        return max((s for name, s in snapshot.took.items() if name.startswith("panel ")), default=0.0)
    return snapshot.took.get(need, 0.0)


def _judged(check: Check, snapshot: Snapshot) -> Iterator[Verdict]:
    try:
        yield from check.run(snapshot)
    except Exception as error:  # noqa: BLE001  one check must not end the rest, nor look like OK
        yield Verdict(
            id=f"{check.id}{INTERNAL}",
            title=check.title,
            level=Level.UNKNOWN,
            reason=trusted(f"internal error while judging: {place_of(error)}"),
            hint=trusted("please report this line"),
        )


def _named(verdict: Verdict, seen: dict[str, int]) -> Verdict:
    """Two things whose names look alike once they are made safe keep verdicts of their own."""
    count = seen[verdict.id] = seen.get(verdict.id, 0) + 1
    return verdict if count == 1 else msgspec.structs.replace(verdict, id=f"{verdict.id}~{count}")
