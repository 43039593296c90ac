"""What a guard says of itself: as the file that it writes at each round, and as metrics that Prometheus has."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from opsconsole.model.guard import Armed, GuardStatus, RulePhase, RuleStatus
from opsconsole.model.series import Series
from opsconsole.text import SafeText, safe, trusted

PREFIX = "opsconsole_guard_"
PATTERN = "status-*.json"
"""The names of the files in a guard's folder: one for each process, so that none overwrites another's."""

PART = "opsconsole_part"
SEEN, SCRAPED = "seen", "scraped"

ASKED = (
    f'{{__name__=~"{PREFIX}.+"}}'
    f' or label_replace(timestamp({PREFIX}heartbeat_timestamp_seconds), "{PART}", "{SCRAPED}", "", "")'
    f" or label_replace(max by (context) (max_over_time({PREFIX}heartbeat_timestamp_seconds[24h])),"
    f' "{PART}", "{SEEN}", "", "")'
)
"""The one question to Prometheus: every guard's newest metrics, when they were scraped, and the last heartbeat
within a day of those that are gone."""

_LEAST = 30.0
_LONGEST_TEXT = 1000


class GuardSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What looking for a guard found. `status` is None when there is none, and was none within a day; `where` says
    in words where it was found. `expected` is whether the configuration has a guard; `others` are the contexts of
    guards that Prometheus knows, when this context has none."""

    status: GuardStatus | None = None
    where: SafeText = trusted("")
    expected: bool = False
    others: tuple[SafeText, ...] = ()


def status_name(host: str, pid: int) -> str:
    """The name of one process' file."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in host)[:60]
    return f"status-{plain or 'host'}-{pid}.json"


def encode_status(status: GuardStatus) -> bytes:
    return msgspec.json.format(msgspec.json.encode(status), indent=1) + b"\n"


def decode_status(raw: bytes) -> GuardStatus:
    """Every text in it is made safe. Raises ValueError for what is none."""
    try:
        return msgspec.convert(_clean(msgspec.json.decode(raw)), GuardStatus)
    except msgspec.MsgspecError as error:
        raise ValueError(safe(str(error), 200)) from None


def is_over(status: GuardStatus, now: float) -> bool:
    """Whether the guard has stopped: it said so, or has not been heard of for three of its intervals."""
    return status.stopped or abs(now - status.at) > max(_LEAST, 3 * status.interval)


def best(statuses: Iterable[GuardStatus], now: float) -> GuardStatus | None:
    """Of several guards of one context the one to be shown: that runs, that acts, that was heard of last."""
    return max(statuses, key=lambda s: (not is_over(s, now), s.leader, s.at), default=None)


def from_series(found: Iterable[Series], now: float) -> dict[str, GuardStatus]:
    """The guards in Prometheus' answer to `ASKED`, the best of each context by the context's name.

    `at` is as long before `now` as the heartbeat was old when it was scraped, so that the time between scrapes
    does not count; of a guard whose metrics are gone it is the last heartbeat, and nothing else is known.
    """
    guards: dict[tuple[str, str, str], list[Series]] = {}
    seen: dict[str, float] = {}
    for series in found:
        context = series.labels.get("context", "")
        if series.labels.get(PART) == SEEN and series.last is not None:
            seen[context] = series.last
        elif series.last is not None:
            key = (context, series.labels.get("job", ""), series.labels.get("instance", ""))
            guards.setdefault(key, []).append(series)
    statuses: dict[str, list[GuardStatus]] = {}
    for (context, _, instance), own in guards.items():
        status = _of_one(context, instance, own, now)
        if status is not None:
            statuses.setdefault(context, []).append(status)
    chosen = {context: best(several, now) for context, several in statuses.items()}
    gone = {context: _gone(context, at) for context, at in seen.items() if context not in chosen}
    return gone | {context: one for context, one in chosen.items() if one is not None}


def _gone(context: str, at: float) -> GuardStatus:
    why = trusted("its metrics are gone from Prometheus")
    return GuardStatus(
        context=context,
        host=trusted(""),
        pid=0,
        at=at,
        started=0.0,
        interval=0.0,
        leader=False,
        stopped=True,
        problem=why,
    )


def _of_one(context: str, instance: str, own: Iterable[Series], now: float) -> GuardStatus | None:
    own = list(own)
    plain: dict[str, float] = {}
    for series in own:
        name = SCRAPED if series.labels.get(PART) == SCRAPED else series.labels.get("__name__", "")
        if name and "rule" not in series.labels and "kind" not in series.labels:
            plain[name.removeprefix(PREFIX)] = series.values[-1]
    heartbeat, scraped = plain.get("heartbeat_timestamp_seconds"), plain.get(SCRAPED)
    if heartbeat is None or scraped is None:
        return None
    behind = now - scraped

    def here(at: float) -> float:
        """A time of the guard's clock as if it had been scraped now."""
        return at + behind

    until = plain.get("armed_until_timestamp_seconds", 0.0)
    armed = Armed(until=until, at=0.0, by=trusted("")) if plain.get("armed") == 1 else None
    blind = plain.get("blind_seconds", 0.0)
    return GuardStatus(
        context=context,
        host=safe(instance, 100),
        pid=0,
        at=here(heartbeat),
        started=plain.get("start_timestamp_seconds", 0.0),
        interval=plain.get("interval_seconds", 10.0),
        rules=_rules(own),
        armed=armed,
        expect_armed=plain.get("expected_armed") == 1,
        killed=trusted("the kill switch is pulled" if plain.get("kill_switch") else ""),
        leader=plain.get("leader") == 1,
        blind_since=here(heartbeat) - blind if blind > 0 else None,
        undelivered=_whole(plain.get("undelivered_notifications", 0.0)),
        stopped=plain.get("up") == 0,
        problem=trusted("it has a problem: see its log" if plain.get("problem") else ""),
    )


def _rules(own: Iterable[Series]) -> tuple[RuleStatus, ...]:
    phases = {phase.value: phase for phase in RulePhase}
    found: dict[tuple[str, str], RulePhase] = {}
    values: dict[tuple[str, str], float] = {}
    since: dict[tuple[str, str], float] = {}
    for series in own:
        name, key = (
            series.labels.get("__name__", ""),
            (series.labels.get("system", ""), series.labels.get("rule", "")),
        )
        if name == f"{PREFIX}rule_phase" and series.last == 1:
            found[key] = phases.get(series.labels.get("phase", ""), RulePhase.UNKNOWN)
        elif name == f"{PREFIX}rule_value" and series.last is not None:
            values[key] = series.last
        elif name == f"{PREFIX}rule_phase_since_timestamp_seconds" and series.last is not None:
            since[key] = series.last
    return tuple(
        RuleStatus(
            rule=rule, system=system, title=safe(rule, 100), phase=phase, since=since.get((system, rule), 0.0),
            value=values.get((system, rule)),
        )
        for (system, rule), phase in sorted(found.items())
    )  # fmt: skip


def _whole(value: float) -> int:
    return int(value) if math.isfinite(value) else 0


def _clean(value: Any) -> Any:
    """Decoded JSON with its texts made safe."""
    shape: Mapping[type, Callable[[Any], Any]] = {
        str: lambda text: safe(text, _LONGEST_TEXT),
        list: lambda items: [_clean(item) for item in items],
        dict: lambda pairs: {safe(key, 100): _clean(item) for key, item in pairs.items()},
    }
    make = shape.get(type(value))
    return value if make is None else make(value)


def phase_words(status: GuardStatus) -> SafeText:
    """`2 rules ok`, or the rules that are not: `error_ratio pending, latency unknown`."""
    odd = [rule for rule in status.rules if rule.phase is not RulePhase.OK]
    if not odd:
        many = len(status.rules)
        return trusted(f"{many} rule{'' if many == 1 else 's'} ok" if many else "no rules")
    return safe(", ".join(f"{safe(rule.rule, 60)} {rule.phase.value}" for rule in odd), 300)
