"""Does Alertmanager's configuration lead every alert of a playbook to somebody?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from opsconsole.checks.alertmanager import known_members
from opsconsole.checks.base import Check
from opsconsole.checks.clusters import follows
from opsconsole.checks.doubt import unknown
from opsconsole.errors import UsageError
from opsconsole.model.playbook import Playbook
from opsconsole.model.reading import Reading
from opsconsole.model.routing import Routing, parse_routing
from opsconsole.model.rules import MemberStatus
from opsconsole.model.severity import Severity, severity_of
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import ClusterReading, Snapshot
from opsconsole.text import SafeText, safe, trusted

_CONFIG, _ROUTES = "alertmanager.config", "alertmanager.routes"
_EVIDENCE = 20

Labels = Mapping[str, str]


def check_config(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether the members' configurations can be understood and are the same."""
    for cluster in snapshot.clusters:
        name = safe(cluster.name, 40)
        id, title = f"{_CONFIG}.{name}", trusted(f"The members of {name} have one configuration")
        members = known_members(cluster, snapshot.now)
        if not members:
            yield _unseen(id, title, cluster, snapshot.now)
            continue
        bad = next((text for m in members if isinstance(text := routing_of(m.config), str)), "")
        different = [m for m in members if m.config != members[0].config]
        level, reason, hint = Level.OK, "one route tree and its receivers", ""
        if bad:
            level, reason, hint = Level.UNKNOWN, bad, "is it an Alertmanager that shows its configuration?"
        elif different:
            level = Level.WARNING
            reason = f"{safe(different[0].url)} and {safe(members[0].url)} have different configurations"
            hint = "give all members the same file, and reload them"
        yield Verdict(id=id, title=title, level=level, reason=trusted(reason), hint=trusted(hint))


def check_routes(snapshot: Snapshot) -> Iterator[Verdict]:
    """For each cluster and each severity that a playbook uses: its alerts end at a route that is meant for them,
    and at a receiver that tells somebody."""
    for cluster in snapshot.clusters:
        name = safe(cluster.name, 40)
        members = known_members(cluster, snapshot.now)
        found = [routing for m in members if isinstance(routing := routing_of(m.config), Routing)]
        for severity in severities(snapshot.playbooks):
            id, title = f"{_ROUTES}.{name}.{severity}", trusted(f"{name} tells somebody of {severity} alerts")
            if not members:
                yield _unseen(id, title, cluster, snapshot.now)
            elif len(found) < len(members):
                reason = trusted("the configuration cannot be understood")
                yield Verdict(id=id, title=title, level=Level.UNKNOWN, reason=reason, because=f"{_CONFIG}.{name}")
            else:
                yield _route(id, title, severity, found, tuple(alerts_of(snapshot, severity)))


@lru_cache(maxsize=16)
def routing_of(config: str) -> Routing | str:
    """The routing of a configuration, or why it cannot be understood."""
    try:
        return parse_routing(config)
    except UsageError as error:
        return error.message


def severities(playbooks: Iterable[Playbook]) -> tuple[str, ...]:
    """The severities that playbooks name, or that have a response time when they name none; the worst first."""
    words = {word for book in playbooks for word in book.severities or book.response}
    return tuple(s.word for s in Severity if s.word in words and s is not Severity.UNKNOWN)


def alerts_of(snapshot: Snapshot, severity: str) -> Iterator[Labels]:
    """Labels of the alerts of a severity: those of the loaded rules that playbooks know, else the least that an
    alert of each playbook would have."""
    loaded = [rule for group in (snapshot.rules.data if snapshot.rules else None) or () for rule in group.rules]
    for book in snapshot.playbooks:
        if severity not in (book.severities or book.response):
            continue
        job = {"job": book.jobs[0].name} if book.jobs else {}
        rules = [rule for rule in loaded if rule.name in book.alerts and severity_of(rule.labels).word == severity]
        if not rules:
            yield {**job, "severity": severity}
        for rule in rules:
            yield {**job, **rule.labels, "alertname": rule.name}


def _route(
    id: str, title: SafeText, severity: str, routings: Iterable[Routing], alerts: tuple[Labels, ...]
) -> Verdict:
    lost: list[str] = []
    stray: list[str] = []
    lines: dict[str, None] = {}
    for routing in routings:
        for labels in alerts:
            who = safe(labels.get("alertname", f"an alert of severity {severity}"), 80)
            receivers = ", ".join(safe(r, 60) for r in routing.receivers_of(labels))
            if not routing.reached(labels):
                lost.append(f"{who} reaches nobody: receiver {receivers} has no integration")
            elif routing.names("severity") and routing.root.find(labels) == (routing.root,):
                stray.append(f"{who} has no route: it falls to the default receiver {receivers}")
            lines[f"{who} -> {receivers}"] = None
    serious = severity in (Severity.CRITICAL.word, Severity.HIGH.word)
    level = Level.CRITICAL if lost and serious else Level.WARNING if lost or stray else Level.OK
    said = [*lost, *stray]
    hint = f'add a route with the matcher severity="{severity}", and integrations to its receiver' if said else ""
    return Verdict(
        id=id,
        title=title,
        level=level,
        reason=trusted(said[0] if said else next(iter(lines), "nothing to route")),
        evidence=tuple(trusted(line) for line in list(lines)[:_EVIDENCE]),
        hint=trusted(hint),
    )


def _unseen(id: str, title: SafeText, cluster: ClusterReading, now: float) -> Verdict:
    reading: Reading[MemberStatus] = cluster.members[0].status if cluster.members else Reading()
    return follows(unknown(id, title, reading, now), cluster.name)


CHECKS = (
    Check(
        id=_CONFIG,
        group="alertmanager",
        title=trusted("The members have one configuration"),
        explains="The configuration that each member shows can be understood (else UNKNOWN) and is the same on "
        "all of them (else WARNING).",
        needs=frozenset({"members"}),
        run=check_config,
    ),
    Check(
        id=_ROUTES,
        group="alertmanager",
        title=trusted("Every severity has a route and a receiver"),
        explains="For each severity that a playbook uses its alerts, with the labels of their rules, are led "
        "through the routing tree as Alertmanager does it. A receiver without integrations is "
        "CRITICAL for critical and high ones, else WARNING; falling to the default receiver beside "
        "routes for other severities is WARNING.",
        needs=frozenset({"members", "rules"}),
        run=check_routes,
    ),
)
