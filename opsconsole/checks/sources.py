"""Is every source reachable, ready and whole?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opsconsole.checks.base import Check
from opsconsole.model.reading import Reading
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, trusted


def check_prometheus(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether Prometheus answers; without one, an UNKNOWN that says so."""
    if snapshot.prometheus is not None:
        yield _prometheus(snapshot)
    else:
        yield Verdict(
            id="sources.prometheus",
            title=trusted("Prometheus"),
            level=Level.UNKNOWN,
            reason=trusted("none configured: rules, targets and panels cannot be checked"),
            hint=trusted("--prometheus URL, or prometheus: in the context"),
        )


def check_console(snapshot: Snapshot) -> Iterator[Verdict]:
    """A verdict only when this program itself met an error."""
    if snapshot.broken:
        yield Verdict(
            id="sources.console",
            title=trusted("This console works"),
            level=Level.UNKNOWN,
            reason=trusted(f"internal errors while asking: {', '.join(snapshot.broken)}"),
            evidence=tuple(trusted(f"{name}: {what}") for name, what in snapshot.broken.items()),
            hint=trusted("please report these lines"),
        )


def unknown(id: str, title: SafeText, reading: Reading[Any], now: float) -> Verdict:
    """The verdict on a reading that may not be believed."""
    failure = reading.failure
    evidence = [reading.failure.where] if reading.failure is not None and reading.failure.where else []
    age = reading.age(now)
    if age is not None:
        evidence.append(trusted(f"last known {round(age)}s ago"))
    return Verdict(
        id=id,
        title=title,
        level=Level.UNKNOWN,
        reason=reading.why(now),
        evidence=tuple(evidence),
        hint=failure.hint if failure is not None else trusted(""),
    )


def _prometheus(snapshot: Snapshot) -> Verdict:
    reading = snapshot.prometheus
    assert reading is not None
    title = trusted("Prometheus is ready")
    if not reading.known(snapshot.now) or reading.data is None:
        return unknown("sources.prometheus.ready", title, reading, snapshot.now)
    version = reading.data.version or trusted("of unknown version")
    return Verdict(id="sources.prometheus.ready", title=title, level=Level.OK, reason=trusted(f"ready, {version}"))


CHECKS = (
    Check(
        id="sources.prometheus",
        group="sources",
        title=trusted("Prometheus is ready"),
        explains="Prometheus answers, is ready and tells its version. UNKNOWN when it does not, or when the "
        "context names none.",
        needs=frozenset({"prometheus"}),
        run=check_prometheus,
    ),
    Check(
        id="sources.console",
        group="sources",
        title=trusted("This console works"),
        explains="UNKNOWN when this program itself failed while asking; nothing otherwise.",
        needs=frozenset(),
        run=check_console,
    ),
)
