"""Is every Alertmanager cluster reachable?"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from opsconsole.checks.base import Check
from opsconsole.checks.doubt import unknown
from opsconsole.checks.words import EXPIRES_NOW, EXPIRES_SOON, good_for
from opsconsole.model.members import SKEW_SHOWN
from opsconsole.model.reading import Reading
from opsconsole.model.verdicts import Level, Measure, Range, Verdict
from opsconsole.state.members import troubles
from opsconsole.state.snapshot import ClusterReading, MemberReading, Snapshot
from opsconsole.text import SafeText, safe, trusted

_READY, _VERSION = "sources.alertmanager.ready", "sources.alertmanager.version"
_CLOCK, _TLS = "sources.alertmanager.clock", "sources.alertmanager.tls"
_LATENCY = "sources.alertmanager.latency"

SLOW = 2.0
"""Seconds that a small answer may take."""

_DAY = 86_400.0


def ready_id(cluster: str) -> str:
    """The id of the verdict on a cluster's being there, from which others follow."""
    return f"{_READY}.{safe(cluster, 40)}"


def doubt(cluster: ClusterReading, now: float) -> Reading[object] | None:
    """The reading because of which a cluster's alerts and silences may not be believed."""
    for reading in (cluster.alerts, cluster.silences):
        if not reading.known(now):
            return reading  # type: ignore[return-value]  # only what it says of itself is looked at
    return None


def follows(verdict: Verdict, cluster: str) -> Verdict:
    """The verdict, which merely follows from the cluster's not being there."""
    return msgspec.structs.replace(verdict, because=ready_id(cluster))


def any_known(snapshot: Snapshot) -> bool:
    """Whether the alerts and silences of any cluster may be believed."""
    return any(doubt(cluster, snapshot.now) is None for cluster in snapshot.clusters)


def doubts(id: str, title: SafeText, snapshot: Snapshot) -> Iterator[Verdict]:
    """An UNKNOWN for each cluster whose alerts and silences may not be believed."""
    for cluster in snapshot.clusters:
        unsure = doubt(cluster, snapshot.now)
        if unsure is not None:
            yield follows(unknown(f"{id}.{safe(cluster.name, 40)}", title, unsure, snapshot.now), cluster.name)


def check_clusters(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether each cluster answers; without any, an UNKNOWN that says so."""
    for cluster in snapshot.clusters:
        yield _ready(cluster, snapshot.now)
    if not snapshot.clusters:
        yield Verdict(
            id=_READY,
            title=trusted("Alertmanager"),
            level=Level.UNKNOWN,
            reason=trusted("none configured: alerts cannot be checked"),
            hint=trusted("--alertmanager URL, or alertmanager: in the context"),
        )


def check_versions(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether the members of each cluster run one version."""
    for cluster in snapshot.clusters:
        known = [m for m in cluster.members if m.status.known(snapshot.now) and m.status.data is not None]
        if not known:
            continue  # not being there is told once
        name = safe(cluster.name, 40)
        versions = sorted({_version(m) for m in known})
        told = ", ".join(versions)
        yield Verdict(
            id=f"{_VERSION}.{name}",
            title=trusted(f"Alertmanager {name} runs one version"),
            level=Level.OK if len(versions) == 1 else Level.WARNING,
            reason=trusted(told if len(versions) == 1 else f"members differ: {told}"),
            evidence=tuple(trusted(f"{m.url}: {_version(m)}") for m in known if len(versions) > 1),
            hint=trusted("" if len(versions) == 1 else "finish the upgrade: one cluster, one version"),
        )


def check_clocks(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether the members' clocks agree with this machine's; nothing of members that do not say the time."""
    for cluster in snapshot.clusters:
        told = [m for m in cluster.members if m.status.known(snapshot.now) and m.skew is not None]
        if not told:
            continue
        wrong = [trouble.words for trouble in troubles(cluster, snapshot.now) if trouble.short.startswith("clock")]
        name, most = safe(cluster.name, 40), max((m.skew or 0.0 for m in told), key=abs)
        yield Verdict(
            id=f"{_CLOCK}.{name}",
            title=trusted(f"The clocks of {name} agree with this one"),
            level=Level.WARNING if wrong else Level.OK,
            reason=wrong[0] if wrong else trusted(f"at most {abs(most):.0f} s apart"),
            evidence=tuple(wrong),
            hint=trusted("look at NTP on both machines: silences end by Alertmanager's clock" if wrong else ""),
            measure=Measure(value=most, unit="s", warning=Range(low=-SKEW_SHOWN, high=SKEW_SHOWN)),
        )


def check_tls(snapshot: Snapshot) -> Iterator[Verdict]:
    """How long the members' certificates are still good; nothing over plain http."""
    for cluster in snapshot.clusters:
        left = {
            member.url: member.status.data.expires - snapshot.now
            for member in cluster.members
            if member.status.data is not None and member.status.data.expires is not None
        }
        left |= {member.url: -1.0 for member in cluster.members if _expired(member)}
        if not left:
            continue
        name, (url, least) = safe(cluster.name, 40), min(left.items(), key=lambda item: item[1])
        level = Level.CRITICAL if least < EXPIRES_NOW else Level.WARNING if least < EXPIRES_SOON else Level.OK
        words = f"ends in {least / _DAY:.0f} days" if least >= 0 else "has expired"
        yield Verdict(
            id=f"{_TLS}.{name}",
            title=trusted(f"The certificates of {name} are good"),
            level=level,
            reason=trusted(f"the certificate of {url} {words}"),
            hint=trusted("" if level is Level.OK else "renew the certificate of the server"),
            # Of a certificate that was refused it is not known since when it is not good any more.
            measure=good_for(max(least, 0.0)),
        )


def check_latency(snapshot: Snapshot) -> Iterator[Verdict]:
    """How long the members take for a small answer."""
    for cluster in snapshot.clusters:
        known = [m for m in cluster.members if m.status.known(snapshot.now) and m.status.data is not None]
        if not known:
            continue  # not being there is told once
        name = safe(cluster.name, 40)
        longest = max(m.status.data.took for m in known if m.status.data is not None)
        slow = [
            trusted(f"{m.url} took {m.status.data.took:.1f}s for its status")
            for m in known
            if m.status.data is not None and m.status.data.took > SLOW
        ]
        yield Verdict(
            id=f"{_LATENCY}.{name}",
            title=trusted(f"Alertmanager {name} answers quickly"),
            level=Level.WARNING if slow else Level.OK,
            # Of a quick answer only the bound: a quiet screen stays as it is.
            reason=slow[0] if slow else trusted(f"within {SLOW:g}s"),
            evidence=tuple(slow),
            hint=trusted("it is overloaded, or the network is slow" if slow else ""),
            measure=Measure(value=longest, unit="s", warning=Range(high=SLOW)),
        )


def _expired(member: MemberReading) -> bool:
    return member.status.failure is not None and member.status.failure.kind == "expired certificate"


def _version(member: MemberReading) -> SafeText:
    return (member.status.data.version if member.status.data is not None else trusted("")) or trusted("unknown")


def _ready(cluster: ClusterReading, now: float) -> Verdict:
    name = safe(cluster.name, 40)
    id, title = ready_id(cluster.name), trusted(f"Alertmanager {name} answers")
    unsure = doubt(cluster, now)
    down = [m for m in cluster.members if not m.status.known(now)]
    because = f"{_TLS}.{name}" if down and all(_expired(m) for m in down) else ""
    if unsure is not None:
        return msgspec.structs.replace(unknown(id, title, unsure, now), because=because)
    if down:
        return Verdict(
            id=id,
            title=title,
            level=Level.WARNING,
            reason=trusted(f"{len(down)} of {len(cluster.members)} members unknown: {down[0].url}"),
            evidence=tuple(trusted(f"{m.url}: {m.status.why(now)}") for m in down),
            hint=trusted("alerts and silences are read from the members that answer"),
            because=because,
        )
    members = trusted(f"{len(cluster.members)} of {len(cluster.members)} members") if cluster.members else ""
    return Verdict(id=id, title=title, level=Level.OK, reason=trusted(f"answers {members}".rstrip()))


_NEEDS = frozenset({"alerts", "silences", "members"})

CHECKS = (
    Check(
        id=_READY,
        group="sources",
        title=trusted("Alertmanager answers"),
        explains="Each Alertmanager cluster lists its alerts and silences (else UNKNOWN), and all of its "
        "members answer (else WARNING). UNKNOWN when the context names none.",
        needs=_NEEDS,
        run=check_clusters,
    ),
    Check(
        id=_VERSION,
        group="sources",
        title=trusted("Alertmanager runs one version"),
        explains="The members of each cluster say the same version (else WARNING).",
        needs=frozenset({"members"}),
        run=check_versions,
    ),
    Check(
        id=_CLOCK,
        group="sources",
        title=trusted("Alertmanager's clocks are right"),
        explains="The clocks of the members are at most 5 s from this machine's (else WARNING).",
        needs=frozenset({"members"}),
        run=check_clocks,
    ),
    Check(
        id=_TLS,
        group="sources",
        title=trusted("Alertmanager's certificates are good"),
        explains="The certificate of every member is good for 14 days (else WARNING) and 3 days (else "
        "CRITICAL). Only over https.",
        needs=frozenset({"members"}),
        run=check_tls,
    ),
    Check(
        id=_LATENCY,
        group="sources",
        title=trusted("Alertmanager answers quickly"),
        explains="Every member gives its status within 2 s (else WARNING).",
        needs=frozenset({"members"}),
        run=check_latency,
    ),
)
