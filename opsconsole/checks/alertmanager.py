"""Will Alertmanager tell somebody?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from opsconsole.checks.base import Check
from opsconsole.checks.clusters import doubt, follows
from opsconsole.checks.doubt import unknown
from opsconsole.checks.words import age_words
from opsconsole.model.notifications import Integration, Notifications
from opsconsole.model.reading import Reading
from opsconsole.model.rules import MemberStatus
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import ClusterReading, Snapshot
from opsconsole.text import SafeText, safe, trusted

FEW = 0.01
"""The share of failed requests that is passed over when it is only known since the members started."""

_SETTLED, _DEADMAN = "alertmanager.settled", "alertmanager.deadman"
_AGREE = "alertmanager.agreement"
_SENT, _LOADED = "alertmanager.notifications", "alertmanager.reload"

_EVIDENCE = 20

_OK = trusted("")
_ASKED = frozenset({"notifications", "alerts", "silences"})


def known_members(cluster: ClusterReading, now: float) -> tuple[MemberStatus, ...]:
    """The statuses of the members that may be believed."""
    return tuple(m.status.data for m in cluster.members if m.status.known(now) and m.status.data is not None)


def check_settled(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether the members of each cluster have found one another."""
    for cluster in snapshot.clusters:
        name = safe(cluster.name, 40)
        id, title = f"{_SETTLED}.{name}", trusted(f"The cluster {name} has settled")
        members = known_members(cluster, snapshot.now)
        if not members:
            yield _no_member(id, title, cluster, snapshot.now)
            continue
        problem, hint = _unsettled(cluster, members)
        one = len(cluster.members) == 1 and members[0].cluster_status == "disabled"
        good = "one member, without a cluster" if one else f"{max(m.peers for m in members)} peers"
        yield Verdict(
            id=id,
            title=title,
            level=Level.WARNING if problem else Level.OK,
            reason=trusted(problem or good),
            hint=trusted(hint),
        )


def check_agreement(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether the members of each cluster hold the same silences."""
    for cluster in snapshot.clusters:
        name = safe(cluster.name, 40)
        id, title = f"{_AGREE}.{name}", trusted(f"The members of {name} hold the same silences")
        if not cluster.silences.known(snapshot.now):
            yield follows(unknown(id, title, cluster.silences, snapshot.now), cluster.name)
            continue
        lines = tuple(safe(str(difference), 400) for difference in cluster.differences)
        hint = "look at the gossip port (9094, TCP and UDP) between the members, and at their clocks"
        yield Verdict(
            id=id,
            title=title,
            level=Level.WARNING if lines else Level.OK,
            reason=lines[0] if lines else trusted(f"{len(cluster.silences.data or ())} silences"),
            evidence=lines[:_EVIDENCE],
            hint=trusted(hint if lines else ""),
        )


def check_notifications(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether notifications get through."""
    for cluster in snapshot.clusters:
        name = safe(cluster.name, 40)
        id, title = f"{_SENT}.{name}", trusted(f"Notifications of {name} get through")
        yield _by_metrics(snapshot, cluster, id, title, _sent)


def check_reload(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether the members run with the configuration that is on their disks."""
    for cluster in snapshot.clusters:
        name = safe(cluster.name, 40)
        id, title = f"{_LOADED}.{name}", trusted(f"{name} runs with its newest configuration")
        yield _by_metrics(snapshot, cluster, id, title, _loaded)


def check_deadman(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether the alert arrives that must always fire, where a playbook names one."""
    names = dict.fromkeys(book.deadman for book in snapshot.playbooks if book.deadman)
    for cluster in snapshot.clusters:
        for alertname in names:
            shown, where = safe(alertname, 80), safe(cluster.name, 40)
            id, title = f"{_DEADMAN}.{where}.{shown}", trusted(f"{shown} arrives at {where}")
            unsure = doubt(cluster, snapshot.now)
            if unsure is not None:
                yield follows(unknown(id, title, unsure, snapshot.now), cluster.name)
                continue
            there = any(alert.labels.get("alertname") == alertname for alert in cluster.alerts.data or ())
            yield Verdict(
                id=id,
                title=title,
                level=Level.OK if there else Level.CRITICAL,
                reason=trusted("it arrives" if there else f"{shown} does not arrive: other alerts may not either"),
                hint=_OK if there else trusted("is it loaded, and does Prometheus reach this Alertmanager?"),
            )


def _by_metrics(
    snapshot: Snapshot,
    cluster: ClusterReading,
    id: str,
    title: SafeText,
    judge: Callable[[str, SafeText, Notifications], Verdict],
) -> Verdict:
    """What the cluster's own metrics say; UNKNOWN without them."""
    reading = snapshot.notified.get(cluster.name) or Reading[Notifications]()
    if reading.known(snapshot.now) and reading.data is not None:
        return judge(id, title, reading.data)
    verdict = unknown(id, title, reading, snapshot.now)
    return follows(verdict, cluster.name) if doubt(cluster, snapshot.now) is not None else verdict


def _no_member(id: str, title: SafeText, cluster: ClusterReading, now: float) -> Verdict:
    reading: Reading[MemberStatus] = cluster.members[0].status if cluster.members else Reading()
    return follows(unknown(id, title, reading, now), cluster.name)


def _unsettled(cluster: ClusterReading, members: tuple[MemberStatus, ...]) -> tuple[str, str]:
    """What keeps the members from being one cluster, and what to do; "" for nothing."""
    settling = [m for m in members if m.cluster_status == "settling"]
    if settling:
        return f"{safe(settling[0].url)} is still settling", "a moment after it started this is usual"
    alone = [m for m in members if m.cluster_status == "disabled"]
    if alone and len(cluster.members) > 1:
        hint = "set --cluster.listen-address and --cluster.peer: silences and notifications are not shared"
        return f"{safe(alone[0].url)} is in no cluster with the others", hint
    few = [m for m in members if m.cluster_status == "ready" and 0 < m.peers < len(members)]
    if few:
        hint = "look at --cluster.peer and the gossip port (9094, TCP and UDP) between the members"
        return f"{safe(few[0].url)} sees {few[0].peers} of {len(cluster.members)} members", hint
    return "", ""


def _sent(id: str, title: SafeText, found: Notifications) -> Verdict:
    when = f"within the last {age_words(found.window)}" if found.window else "since it started"
    failing = [i for i in found.integrations if i.failing and (found.window or _share(i) > FEW)]
    dead = [i for i in failing if i.dead]
    evidence = tuple(_line(i) for i in found.integrations if i.sent or i.requests or i.failing)
    if not found.integrations:
        reason = trusted("Alertmanager's metrics say nothing of notifications")
        return Verdict(id=id, title=title, level=Level.UNKNOWN, reason=reason)
    if not failing:
        total = sum(i.sent for i in found.integrations)
        reason = trusted(f"{total:.0f} {when}, none lost" if total else f"none {when}")
        return Verdict(id=id, title=title, level=Level.OK, reason=reason, evidence=evidence)
    words = ", ".join(f"{i.name}: {_tries(i)}" for i in (dead or failing))
    return Verdict(
        id=id,
        title=title,
        level=Level.CRITICAL if dead else Level.WARNING,
        reason=trusted(f"{words} {when}"),
        evidence=evidence,
        hint=trusted(
            "Alertmanager's log names the receiver and the error"
            + ("" if found.window else "; let Prometheus scrape it to see since when")
        ),
    )


def _loaded(id: str, title: SafeText, found: Notifications) -> Verdict:
    level = {True: Level.OK, False: Level.WARNING, None: Level.UNKNOWN}[found.reloaded]
    reasons = {
        True: "the last reload worked",
        False: "the last reload failed: an older configuration is in force",
        None: "Alertmanager's metrics do not say",
    }
    hint = "amtool check-config says what is wrong with the file" if found.reloaded is False else ""
    return Verdict(id=id, title=title, level=level, reason=trusted(reasons[found.reloaded]), hint=trusted(hint))


def _share(one: Integration) -> float:
    tries, failed = (one.requests, one.requests_failed) if one.requests else (one.sent, one.failed)
    return failed / tries if tries else 1.0


def _tries(one: Integration) -> str:
    if one.requests_failed:
        return f"{one.requests_failed:.0f} of {one.requests:.0f} requests failed"
    return f"{one.failed:.0f} of {one.sent:.0f} notifications failed"


def _line(one: Integration) -> SafeText:
    words = f"{one.failed:.0f} of {one.sent:.0f} notifications and {one.requests_failed:.0f} of {one.requests:.0f}"
    return trusted(f"{one.name}: {words} requests failed")


CHECKS = (
    Check(
        id=_SETTLED,
        group="alertmanager",
        title=trusted("The Alertmanager cluster has settled"),
        explains="The members of each cluster see one another and none is still settling (else WARNING).",
        needs=frozenset({"members", "alerts", "silences"}),
        run=check_settled,
    ),
    Check(
        id=_AGREE,
        group="alertmanager",
        title=trusted("The members hold the same silences"),
        explains="No silence is missing or other on a member for longer than gossip takes (else WARNING).",
        needs=frozenset({"alerts", "silences"}),
        run=check_agreement,
    ),
    Check(
        id=_SENT,
        group="alertmanager",
        title=trusted("Notifications get through"),
        explains="By Alertmanager's own metrics, from Prometheus when it scrapes it, else from /metrics: some "
        "requests of an integration failed within the last 15 minutes (WARNING), or all did "
        "(CRITICAL).",
        needs=_ASKED,
        run=check_notifications,
    ),
    Check(
        id=_LOADED,
        group="alertmanager",
        title=trusted("Alertmanager runs with its newest configuration"),
        explains="By Alertmanager's own metrics the last reload of its configuration worked (else WARNING).",
        needs=_ASKED,
        run=check_reload,
    ),
    Check(
        id=_DEADMAN,
        group="alertmanager",
        title=trusted("The dead-man alert arrives"),
        explains="The alert that a playbook names as `deadman` is at each Alertmanager (else CRITICAL). "
        "Nothing for playbooks without one.",
        needs=frozenset({"alerts", "silences", "members"}),
        run=check_deadman,
    ),
)
