"""Acknowledge: a short silence on exactly one alert, or on exactly some, that says who has it and that ends with
the alert."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec

from opsconsole.actions.base import Cluster, Desk, Done
from opsconsole.actions.first import withdraw_unless_first
from opsconsole.actions.silence import SKEW, created
from opsconsole.actions.writing import clock_words, moment, post
from opsconsole.errors import Refused, SourceError, UsageError
from opsconsole.model.acks import AckPolicy, is_mine, left_out, one_silence
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome
from opsconsole.model.matchers import Matcher, Matchers, exact_matchers, match_all
from opsconsole.model.silences import Silence, ack_comment, ack_user
from opsconsole.text import SafeText, safe, trusted

_FILTER_CHARACTERS = 2000
_CLASSIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


class AckPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How several alerts will be acknowledged: by one silence with these matchers, or, when there are none, by one
    silence each; and why, as a sentence."""

    matchers: Matchers = ()
    why: SafeText

    @property
    def is_one(self) -> bool:
        return bool(self.matchers)


async def ack(
    desk: Desk,
    alert: Alert,
    reason: str,
    policy: AckPolicy = AckPolicy(),  # noqa: B008 - frozen
    *,
    group: str = "",
) -> Outcome:
    """Acknowledge one alert for as long as the policy says, unless it is gone or someone has it. Acks of one
    `group` are undone together."""
    matchers = exact_matchers(alert.labels)

    async def work(op: str) -> Done:
        if alert.pending:
            hint = "Alertmanager has not seen it yet; there is nothing to silence until it fires"
            raise Refused(f"{alert.name} is pending and cannot be acknowledged", hint=hint)
        if not matchers:
            raise Refused("an alert without labels cannot be acknowledged")
        cluster = desk.cluster(alert.cluster)
        also = await _still_firing(cluster, alert, matchers)
        await nobody_has_it(desk, cluster, (alert,))
        made = await post(desk, cluster, _draft(desk, cluster, matchers, reason, op, policy), op)
        await withdraw_unless_first(desk, cluster, made, (alert,))
        words = f"acknowledged {alert.name} until {clock_words(made.silence.ends_at)}"
        if also:
            words += f"; it also hides {also} more with these labels and others"
        return created(made, words, op)

    detail: dict[str, object] = {
        "cluster": alert.cluster,
        "fingerprint": alert.fingerprint,
        "labels": alert.labels,
        "reason": reason,
    }
    if group:
        detail["group"] = group
    return await desk.perform("ack", alert.name, detail, work)


async def plan_ack(desk: Desk, alerts: Sequence[Alert]) -> AckPlan:
    """Whether one silence can acknowledge exactly these alerts, asked of Alertmanager. Raises nothing: what cannot
    be asked is acknowledged one by one."""
    return await plan_with(desk.cluster, alerts)


async def plan_with(cluster_of: Callable[[str], Cluster], alerts: Sequence[Alert]) -> AckPlan:
    """As `plan_ack`; `cluster_of` gives a cluster by name, or raises Refused."""
    each = "one silence each: "
    if len(alerts) < 2:
        return AckPlan(why=trusted("one silence on exactly this alert"))
    if len({alert.cluster for alert in alerts}) > 1:
        return AckPlan(why=trusted(f"{each}they are in several clusters"))
    labelsets = [alert.labels for alert in alerts]
    matchers = one_silence(labelsets)
    if not matchers:
        return AckPlan(why=trusted(f"{each}they have no label in common"))
    free = left_out(labelsets)
    if free and len({labels.get("alertname", "") for labels in labelsets}) > 1:
        # It would hide what comes under all of these names, whatever it is about.
        return AckPlan(why=safe(f"{each}they have different names, and not all of them {', '.join(free)}", 400))
    try:
        reply = await cluster_of(alerts[0].cluster).alerts(narrowing(matchers))
    except (SourceError, Refused) as error:
        return AckPlan(why=safe(f"{each}Alertmanager cannot say what one would hide ({error.message})", 300))
    if reply.failures:
        some = f"{len(reply.failures)} member(s) did not answer"
        return AckPlan(why=trusted(f"{each}{some}, so what one would hide is not known"))
    hidden = {found.fingerprint: found for found in reply.data if match_all(matchers, found.labels)}
    wanted = {alert.fingerprint for alert in alerts}
    others = [found for key, found in hidden.items() if key not in wanted]
    if others:
        named = ", ".join(f"{a.name} {_differing(a.labels, labelsets)}".strip() for a in others[:2])
        more = f" and {len(others) - 2} more" if len(others) > 2 else ""
        return AckPlan(why=safe(f"{each}one for all would also hide {named}{more}", 400))
    if wanted - hidden.keys():
        return AckPlan(why=trusted(f"{each}{len(wanted - hidden.keys())} of them are not firing any more"))
    also = f", whatever their {', '.join(free)}" if free else ""
    why = f"one silence: Alertmanager says that it hides exactly these {len(wanted)} alerts"
    return AckPlan(matchers=matchers, why=safe(f"{why}; also new ones of the same labels{also}", 400))


async def ack_all(
    desk: Desk,
    alerts: Sequence[Alert],
    reason: str,
    policy: AckPolicy = AckPolicy(),  # noqa: B008 - frozen
    *,
    one: bool = True,
) -> tuple[Outcome, ...]:
    """Acknowledge these alerts: by `one` silence when that hides exactly them at this moment, else by one each.
    One undo takes all of it back."""
    plan = await plan_ack(desk, alerts) if one else None
    if plan is not None and plan.is_one:
        return (await _ack_by_one(desk, alerts, plan.matchers, reason, policy),)
    group = desk.nonce() if len(alerts) > 1 else ""
    with desk.begun():
        return tuple([await ack(desk, alert, reason, policy, group=group) for alert in alerts])


async def _ack_by_one(
    desk: Desk, alerts: Sequence[Alert], matchers: Matchers, reason: str, policy: AckPolicy
) -> Outcome:
    names = ", ".join(dict.fromkeys(alert.name for alert in alerts))

    async def work(op: str) -> Done:
        cluster = desk.cluster(alerts[0].cluster)
        await nobody_has_it(desk, cluster, alerts)
        # Once more, with the intent written: what was planned may be a person's reading time ago.
        again = await plan_ack(desk, alerts)
        if again.matchers != matchers:
            raise Refused("what one silence hides has just changed", hint="try again: it asks anew")
        made = await post(desk, cluster, _draft(desk, cluster, matchers, reason, op, policy), op)
        await withdraw_unless_first(desk, cluster, made, alerts)
        many = f"{len(alerts)} alerts ({names})"
        return created(made, f"acknowledged {many} by one silence until {clock_words(made.silence.ends_at)}", op)

    detail = {
        "cluster": alerts[0].cluster,
        "fingerprints": [alert.fingerprint for alert in alerts],
        "matchers": [str(matcher) for matcher in matchers],
        "reason": reason,
    }
    return await desk.perform("ack", safe(f"{len(alerts)} alerts: {names}", 300), detail, work)


def draft_ack(matchers: Matchers, *, user: str, reason: str, op: str, now: float, policy: AckPolicy) -> Silence:
    """The silence of an ack that is made now."""
    return Silence(
        matchers=matchers,
        starts_at=moment(now - SKEW),
        ends_at=moment(now + policy.duration),
        created_by=safe(user, 200),
        comment=safe(ack_comment(ack_user(user), safe(reason.strip()) or "acknowledged", op)),
    )


def _draft(desk: Desk, cluster: Cluster, matchers: Matchers, reason: str, op: str, policy: AckPolicy) -> Silence:
    now = desk.now(cluster)
    draft = draft_ack(matchers, user=desk.user, reason=reason, op=op, now=now, policy=policy)
    return msgspec.structs.replace(draft, cluster=cluster.name)


async def _still_firing(cluster: Cluster, alert: Alert, matchers: Matchers) -> int:
    """Ask for the alert at this moment; gives how many others the matchers hide as well."""
    reply = await cluster.alerts(narrowing(matchers))
    hidden = [found for found in reply.data if match_all(matchers, found.labels)]
    if not any(found.fingerprint == alert.fingerprint for found in hidden):
        hint = f"{len(reply.failures)} member(s) did not answer" if reply.failures else ""
        raise Refused(f"{alert.name} is gone: it resolved since you looked", hint=hint)
    return len(hidden) - 1


async def nobody_has_it(desk: Desk, cluster: Cluster, alerts: Sequence[Alert]) -> None:
    """Raises Refused that says who acknowledged one of these alerts first, and SourceError."""
    for silence in (await cluster.silences()).data:
        if not silence.is_ack or silence.status.state != "active":
            continue
        with suppress(UsageError):  # a matcher that RE2 refuses here cannot be one that silences the alert
            for alert in alerts:
                if match_all(silence.matchers, alert.labels):
                    who = "you" if is_mine(silence, desk.user) else silence.owner
                    raise Refused(
                        f"{alert.name} was acknowledged first by {who}, until {clock_words(silence.ends_at)}",
                        hint=safe(silence.reason, 200),
                    )


def narrowing(matchers: Matchers) -> Matchers:
    """As many of the matchers as fit into a URL and every version of Alertmanager reads."""
    chosen: list[Matcher] = []
    used = 0
    for matcher in sorted(matchers, key=lambda m: m.name != "alertname"):
        used += len(str(matcher).encode("utf-8", "replace"))
        if used > _FILTER_CHARACTERS:
            break
        if _CLASSIC_NAME.fullmatch(matcher.name) and matcher.value.isprintable():
            chosen.append(matcher)
    return tuple(chosen)


def _differing(labels: Mapping[str, str], labelsets: Sequence[Mapping[str, str]]) -> str:
    """The labels of an alert that tell it from these."""
    found = [f"{n}={v}" for n, v in sorted(labels.items()) if any(other.get(n) != v for other in labelsets)]
    return " ".join(found[:3])
