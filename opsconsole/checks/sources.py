"""Is every source reachable, ready and whole?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opsconsole.checks.base import Check
from opsconsole.model.reading import Reading
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.members import troubles
from opsconsole.state.snapshot import ClusterReading, Snapshot
from opsconsole.text import SafeText, safe, trusted


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


def check_clusters(snapshot: Snapshot) -> Iterator[Verdict]:
    """One verdict for each Alertmanager cluster; without any, an UNKNOWN that says so."""
    for cluster in snapshot.clusters:
        yield _cluster(cluster, snapshot.now)
    if not snapshot.clusters:
        yield Verdict(
            id="sources.alertmanager",
            title=trusted("Alertmanager"),
            level=Level.UNKNOWN,
            reason=trusted("none configured: alerts cannot be checked"),
            hint=trusted("--alertmanager URL, or alertmanager: in the context"),
        )


def check_flags(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether the flag provider answers, if the context has one."""
    if snapshot.flags is not None:
        yield _flags(snapshot)


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


def _cluster(cluster: ClusterReading, now: float) -> Verdict:
    name = safe(cluster.name, 40)
    id, title = f"sources.alertmanager.{name}", trusted(f"Alertmanager {name} answers")
    for reading in (cluster.alerts, cluster.silences):
        if not reading.known(now):
            return unknown(id, title, reading, now)
    found = troubles(cluster, now)
    if found:
        down = sum(not m.status.known(now) for m in cluster.members)
        reason = f"{down} of {len(cluster.members)} members unknown" if down else found[0].words
        return Verdict(
            id=id,
            title=title,
            level=Level.WARNING,
            reason=safe(reason),
            evidence=tuple(trouble.words for trouble in found),
            hint=trusted("alerts and silences are read from the members that answer, and merged"),
        )
    members = trusted(f"{len(cluster.members)} of {len(cluster.members)} members") if cluster.members else ""
    return Verdict(id=id, title=title, level=Level.OK, reason=trusted(f"answers {members}".rstrip()))


def _flags(snapshot: Snapshot) -> Verdict:
    reading = snapshot.flags
    assert reading is not None
    title = trusted("The flag provider answers")
    if not reading.known(snapshot.now) or reading.data is None:
        return unknown("sources.flags", title, reading, snapshot.now)
    count = len(reading.data.flags)
    return Verdict(
        id="sources.flags",
        title=title,
        level=Level.OK,
        reason=trusted(f"{count} flags from {reading.data.source}"),
    )


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
        id="sources.alertmanager",
        group="sources",
        title=trusted("Alertmanager answers"),
        explains="Each Alertmanager cluster lists its alerts and silences (else UNKNOWN), and all of its members "
        "answer, have settled, hold the same silences and agree with this clock (else WARNING).",
        needs=frozenset({"alerts", "silences", "members"}),
        run=check_clusters,
    ),
    Check(
        id="sources.flags",
        group="sources",
        title=trusted("The flag provider answers"),
        explains="The context's flag provider can be read. Nothing without a flag provider.",
        needs=frozenset({"flags"}),
        run=check_flags,
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
