"""Is Prometheus itself well?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from opsconsole.checks.base import Check
from opsconsole.checks.doubt import follows
from opsconsole.model.durations import duration_text, seconds_of
from opsconsole.model.serverfacts import DROPPED, QUEUE, QUEUED, RELOADED, RULE_FAILURES, WAL, ServerFacts
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, trusted

_CONFIG = "sources.prometheus.config"
_FULL = 0.8
"""The share of the queue of notifications above which it is nearly full."""

_NEEDS = frozenset({"server"})


def _check(
    name: str, title: str, judge: Callable[[str, SafeText, ServerFacts], Verdict]
) -> Callable[[Snapshot], Iterator[Verdict]]:
    id, said = f"sources.prometheus.{name}", trusted(title)

    def run(snapshot: Snapshot) -> Iterator[Verdict]:
        reading = snapshot.server
        if reading is None:
            return
        if not reading.known(snapshot.now) or reading.data is None:
            yield follows(id, said, reading, snapshot, "" if id == _CONFIG else _CONFIG, "its own state")
        else:
            verdict = judge(id, said, reading.data)
            failing = name == "rules" and verdict.level is Level.WARNING and _fails_now(snapshot)
            yield msgspec.structs.replace(verdict, because="rules.health") if failing else verdict

    return run


def _fails_now(snapshot: Snapshot) -> bool:
    """Whether the last evaluation of some alerting rule failed."""
    groups = snapshot.rules.data or () if snapshot.rules is not None else ()
    return any(rule.health not in ("ok", "unknown") for group in groups for rule in group.rules)


def _config(id: str, title: SafeText, facts: ServerFacts) -> Verdict:
    own = facts.own.get(RELOADED)
    reloaded = facts.reloaded if facts.reloaded is not None else None if own is None else own == 1
    if reloaded is None:
        return _silent(id, title, "whether its configuration was loaded")
    return Verdict(
        id=id,
        title=title,
        level=Level.OK if reloaded else Level.WARNING,
        reason=trusted(
            "loaded" if reloaded else "the last reload of its configuration failed: the one before is in use"
        ),
        hint=trusted("" if reloaded else "promtool check config; the log of Prometheus names the line"),
    )


def _wal(id: str, title: SafeText, facts: ServerFacts) -> Verdict:
    return _counted(id, title, facts, WAL, "failures of its storage", "look at its disk, and at its log")


def _rules(id: str, title: SafeText, facts: ServerFacts) -> Verdict:
    hint = "its log names the rule; recording rules count too"
    return _counted(id, title, facts, (RULE_FAILURES,), "evaluations of rules failed", hint)


def _notifications(id: str, title: SafeText, facts: ServerFacts) -> Verdict:
    queued, room = facts.own.get(QUEUED), facts.own.get(QUEUE)
    if queued is not None and room and queued > _FULL * room:
        return Verdict(
            id=id,
            title=title,
            level=Level.WARNING,
            reason=trusted(f"its queue of notifications is nearly full: {queued:.0f} of {room:.0f}"),
            hint=trusted("Alertmanager takes them too slowly, or not at all"),
        )
    hint = "alerts were lost on their way: was Alertmanager down or slow?"
    return _counted(id, title, facts, (DROPPED,), "notifications were dropped", hint)


def _counted(
    id: str, title: SafeText, facts: ServerFacts, names: tuple[str, ...], what: str, hint: str
) -> Verdict:
    found = {name: facts.lately(name) for name in names}
    known = {name: lately for name, lately in found.items() if lately is not None}
    bad = {name: lately for name, lately in known.items() if lately.count > 0}
    if bad:
        since = any(lately.since_start for lately in bad.values())
        count = sum(lately.count for lately in bad.values())
        when = "since it started" if since else "in the last hour"
        more = "; let Prometheus scrape itself to know when" if since else ""
        return Verdict(
            id=id,
            title=title,
            level=Level.WARNING,
            reason=trusted(f"{count:.0f} {what} {when}"),
            evidence=tuple(trusted(f"{name}: {lately.count:.0f}") for name, lately in bad.items()),
            hint=trusted(hint + more),
        )
    if not known:
        return _silent(id, title, names[0])
    return Verdict(id=id, title=title, level=Level.OK, reason=trusted(f"no {what.replace(' were', '')}"))


def _silent(id: str, title: SafeText, what: str) -> Verdict:
    return Verdict(
        id=id,
        title=title,
        level=Level.UNKNOWN,
        reason=trusted(f"it does not tell {what}"),
        hint=trusted(f"is its /metrics in reach, and is it a Prometheus? Else leave this out with --skip {id}"),
    )


def check_retention(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether it keeps what it has for as long as the playbooks ask; nothing when none asks."""
    asked = max((playbook.retention for playbook in snapshot.playbooks), default=0.0)

    def judge(id: str, title: SafeText, facts: ServerFacts) -> Verdict:
        times = [seconds_of(part) for part in str(facts.retention).split(" or ")]
        kept = next((seconds for seconds in times if seconds is not None), None)
        wanted = duration_text(asked)
        if kept is None:
            said = f"it keeps {facts.retention}" if facts.retention else "it does not tell how long it keeps data"
            reason = trusted(f"{said}: whether that is {wanted} is not known")
            return Verdict(id=id, title=title, level=Level.UNKNOWN, reason=reason)
        short = kept < asked
        return Verdict(
            id=id,
            title=title,
            level=Level.WARNING if short else Level.OK,
            reason=trusted(
                f"it keeps {facts.retention}, the playbook asks for {wanted}" if short else facts.retention
            ),
            hint=trusted(f"--storage.tsdb.retention.time={wanted}" if short else ""),
        )

    if asked:
        yield from _check("retention", "Prometheus keeps its data for long enough", judge)(snapshot)


def _entry(name: str, title: str, explains: str, judge: Callable[[str, SafeText, ServerFacts], Verdict]) -> Check:
    return Check(
        id=f"sources.prometheus.{name}",
        group="sources",
        title=trusted(title),
        explains=explains,
        needs=_NEEDS,
        run=_check(name, title, judge),
    )


CHECKS = (
    _entry(
        "config",
        "Prometheus runs with its configuration",
        "The last reload of its configuration went well, else WARNING.",
        _config,
    ),
    _entry(
        "wal",
        "The storage of Prometheus is well",
        "No corruption, and no failed write, truncation or compaction in the last hour, else WARNING.",
        _wal,
    ),
    _entry(
        "rules",
        "Prometheus evaluates its rules",
        "No evaluation of a rule failed in the last hour, else WARNING. Since its start, when it does not scrape "
        "itself.",
        _rules,
    ),
    _entry(
        "notifications",
        "Prometheus gets its notifications out",
        "None was dropped in the last hour (since its start, when it does not scrape itself), and the queue is "
        "not nearly full. Else WARNING.",
        _notifications,
    ),
    Check(
        id="sources.prometheus.retention",
        group="sources",
        title=trusted("Prometheus keeps its data for long enough"),
        explains="It keeps its data for at least as long as a playbook asks (`prometheus: {retention: 30d}`), "
        "else WARNING.",
        needs=_NEEDS,
        run=check_retention,
    ),
)
