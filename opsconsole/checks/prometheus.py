"""Is Prometheus there, ready and to be believed?"""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.checks.base import Check
from opsconsole.checks.doubt import CLOCK, MAX_SKEW, REACHABLE, READY, TLS, cause, follows, unknown
from opsconsole.checks.words import EXPIRES_NOW, EXPIRES_SOON, good_for
from opsconsole.model.verdicts import Level, Measure, Range, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import safe, trusted

_DAY = 86_400.0
_SLOW = 2.0
"""Seconds above which an answer to a small query is slow."""

_NEEDS = frozenset({"prometheus"})


def check_reachable(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether Prometheus answers at all; without one, an UNKNOWN that says so."""
    title, reading = trusted("Prometheus answers"), snapshot.prometheus
    if reading is None:
        yield Verdict(
            id=REACHABLE,
            title=title,
            level=Level.UNKNOWN,
            reason=trusted("none configured: rules, targets and panels cannot be checked"),
            hint=trusted("--prometheus URL, or prometheus: in the context"),
        )
    elif cause(snapshot) in (REACHABLE, TLS):
        yield follows(REACHABLE, title, reading, snapshot) if cause(snapshot) == TLS else _alone(snapshot)
    elif cause(snapshot) == READY or reading.known(snapshot.now):
        yield Verdict(id=REACHABLE, title=title, level=Level.OK, reason=trusted("it answers"))
    else:
        yield _alone(snapshot)


def _alone(snapshot: Snapshot) -> Verdict:
    assert snapshot.prometheus is not None
    return unknown(REACHABLE, trusted("Prometheus answers"), snapshot.prometheus, snapshot.now)


def check_ready(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether it is ready to answer queries: not while it starts or replays its log."""
    title, reading = trusted("Prometheus is ready"), snapshot.prometheus
    if reading is None:
        return
    if not reading.known(snapshot.now):
        verdict = follows(READY, title, reading, snapshot, REACHABLE)
        yield unknown(READY, title, reading, snapshot.now) if verdict.because == READY else verdict
        return
    yield Verdict(id=READY, title=title, level=Level.OK, reason=trusted("ready"))


def check_version(snapshot: Snapshot) -> Iterator[Verdict]:
    """Which version it is; one that does not say (VictoriaMetrics) is as good."""
    id, title, reading = "sources.prometheus.version", trusted("Prometheus tells its version"), snapshot.prometheus
    if reading is None:
        return
    if not reading.known(snapshot.now) or reading.data is None:
        yield follows(id, title, reading, snapshot, REACHABLE)
        return
    reason = reading.data.version or trusted("it does not say, which not every server does")
    yield Verdict(id=id, title=title, level=Level.OK, reason=reason)


def check_clock(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether its clock and ours agree: ages and `for` are told wrong otherwise."""
    title, reading = trusted("The clock of Prometheus is right"), snapshot.prometheus
    if reading is None:
        return
    if not reading.known(snapshot.now) or reading.data is None:
        yield follows(CLOCK, title, reading, snapshot, REACHABLE)
        return
    skew = reading.data.skew
    if skew is None:
        reason, hint = trusted("its replies have no date"), trusted("a proxy in between may take it away")
        yield Verdict(id=CLOCK, title=title, level=Level.UNKNOWN, reason=reason, hint=hint)
        return
    off = abs(skew) > MAX_SKEW
    side = "ahead of" if skew > 0 else "behind"
    yield Verdict(
        id=CLOCK,
        title=title,
        level=Level.WARNING if off else Level.OK,
        reason=trusted(
            f"its clock is {abs(skew):.0f}s {side} this machine's" if off else "within 5s of this one's"
        ),
        hint=trusted("look at NTP on both machines: ages and the times of alerts are wrong" if off else ""),
        measure=Measure(value=skew, unit="s", warning=Range(low=-MAX_SKEW, high=MAX_SKEW)),
    )


def check_tls(snapshot: Snapshot) -> Iterator[Verdict]:
    """How long its certificate is still good; nothing over plain http."""
    title, reading = trusted("The certificate of Prometheus is good"), snapshot.prometheus
    if reading is None:
        return
    failure = reading.failure
    if cause(snapshot) == TLS and failure is not None:
        yield Verdict(
            id=TLS,
            title=title,
            level=Level.CRITICAL,
            reason=trusted(f"the certificate of {failure.where or 'Prometheus'} has expired"),
            evidence=(failure.message,),
            hint=trusted("renew the certificate of the server"),
        )
        return
    expires = reading.data.expires if reading.data is not None else None
    if expires is None:
        return
    if not reading.known(snapshot.now):
        yield follows(TLS, title, reading, snapshot, REACHABLE)
        return
    left = expires - snapshot.now
    level = Level.CRITICAL if left < EXPIRES_NOW else Level.WARNING if left < EXPIRES_SOON else Level.OK
    words = f"the certificate ends in {left / _DAY:.0f} days" if left >= 0 else "the certificate has expired"
    hint = trusted("" if level is Level.OK else "renew the certificate of the server")
    yield Verdict(id=TLS, title=title, level=level, reason=trusted(words), hint=hint, measure=good_for(left))


def check_latency(snapshot: Snapshot) -> Iterator[Verdict]:
    """How long a small query takes."""
    id, title, reading = (
        "sources.prometheus.latency",
        trusted("Prometheus answers queries quickly"),
        snapshot.scrapes,
    )
    if reading is None:
        return
    if not reading.known(snapshot.now) or reading.data is None:
        yield follows(id, title, reading, snapshot, "targets.asked")
        return
    slow = reading.data.latency > _SLOW
    yield Verdict(
        id=id,
        title=title,
        level=Level.WARNING if slow else Level.OK,
        # Of a quick answer only the bound: a quiet screen stays as it is.
        reason=trusted(f"a small query took {reading.data.latency:.1f}s" if slow else f"within {_SLOW:g}s"),
        hint=trusted("it is overloaded, or the network is slow" if slow else ""),
        measure=Measure(value=reading.data.latency, unit="s", warning=Range(high=_SLOW)),
    )


def check_senders(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether it sends its alerts to the Alertmanagers of this context."""
    from opsconsole.model.addresses import compared

    id, title = "sources.prometheus.alertmanagers", trusted("Prometheus sends to these Alertmanagers")
    reading = snapshot.senders
    members = [str(member.url) for cluster in snapshot.clusters for member in cluster.members]
    if reading is None or not snapshot.clusters:
        return
    if not reading.known(snapshot.now) or reading.data is None:
        yield follows(id, title, reading, snapshot, what="its Alertmanagers")
        return
    sent = reading.data
    evidence = tuple(safe(f"it sends to {url}", 200) for url in sent)
    if not sent:
        reason, hint = trusted("Prometheus sends to no Alertmanager"), trusted("name them under `alerting:`")
        yield Verdict(id=id, title=title, level=Level.CRITICAL, reason=reason, hint=hint)
        return
    if not members:
        reason = trusted("the members of this context's Alertmanagers are not known")
        yield Verdict(id=id, title=title, level=Level.UNKNOWN, reason=reason, evidence=evidence)
        return
    found = compared(members, sent)
    if not found.missing and not found.unclear:
        reason = trusted(f"to all {len(members)}" if len(members) > 1 else "to the one there is")
        yield Verdict(id=id, title=title, level=Level.OK, reason=reason, evidence=evidence)
        return
    names = ", ".join(safe(url, 100) for url in (*found.missing, *found.unclear))
    if found.missing:
        level = Level.WARNING if found.there else Level.CRITICAL
        reason = trusted(f"Prometheus does not send to {names}")
        hint = trusted("name it under `alerting:`, or correct the context")
    else:
        level = Level.UNKNOWN
        reason = trusted(f"it cannot be told whether Prometheus sends to {names}: it knows it by another name")
        hint = trusted("give the context the address that Prometheus has, or leave this check out with --skip")
    yield Verdict(id=id, title=title, level=level, reason=reason, evidence=evidence, hint=hint)


CHECKS = (
    Check(
        id=REACHABLE,
        group="sources",
        title=trusted("Prometheus answers"),
        explains="Prometheus gives an answer. UNKNOWN when it does not, or when the context names none; then "
        "nothing that rests on it is known.",
        needs=_NEEDS,
        run=check_reachable,
    ),
    Check(
        id=READY,
        group="sources",
        title=trusted("Prometheus is ready"),
        explains="Prometheus is ready for queries. UNKNOWN while it starts or replays its log.",
        needs=_NEEDS,
        run=check_ready,
    ),
    Check(
        id="sources.prometheus.version",
        group="sources",
        title=trusted("Prometheus tells its version"),
        explains="The version of Prometheus, for the report.",
        needs=_NEEDS,
        run=check_version,
    ),
    Check(
        id=CLOCK,
        group="sources",
        title=trusted("The clock of Prometheus is right"),
        explains="The Date of its replies is within 5 s of this machine's clock, else WARNING.",
        needs=_NEEDS,
        run=check_clock,
    ),
    Check(
        id=TLS,
        group="sources",
        title=trusted("The certificate of Prometheus is good"),
        explains="Its certificate is good for 14 days (else WARNING) and 3 days (else CRITICAL). Only over https.",
        needs=_NEEDS,
        run=check_tls,
    ),
    Check(
        id="sources.prometheus.latency",
        group="sources",
        title=trusted("Prometheus answers queries quickly"),
        explains="A small query is answered within 2 s, else WARNING.",
        needs=frozenset({"scrapes"}),
        run=check_latency,
    ),
    Check(
        id="sources.prometheus.alertmanagers",
        group="sources",
        title=trusted("Prometheus sends to these Alertmanagers"),
        explains="Prometheus sends its alerts to every Alertmanager of the context: WARNING when not to all, "
        "CRITICAL when to none, UNKNOWN when it knows them by names that cannot be compared.",
        needs=frozenset({"senders", "members"}),
        run=check_senders,
    ),
)
