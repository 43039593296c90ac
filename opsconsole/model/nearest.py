"""Matchers that hide nothing, and the nearest ones that hide something. Pure.

A change is made to one matcher: its value, its name or its operator is corrected, or it is dropped. The nearest
matchers are those with the fewest changes; of these first the ones that drop the fewest, then the ones whose
corrections are the smallest, then the ones that hide the fewest alerts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from opsconsole.errors import UsageError
from opsconsole.model.alerts import Alert
from opsconsole.model.matchers import Matcher, Matchers, match_all
from opsconsole.model.radius import refuse_everything
from opsconsole.text import SafeText, safe

MOST = 3
"""Sets that are offered."""

_SWITCH = 0.5
"""The distance of another operator with the same value, and of another case: less than one letter."""

_DIGITS = re.compile(r"\D")
_META = re.compile(r"[.+*?()|\[\]{}^$\\]")


class Nearest(msgspec.Struct, frozen=True):
    """One set that hides `alerts`, and what was changed to get there, in words."""

    matchers: Matchers
    changes: tuple[SafeText, ...]
    alerts: tuple[Alert, ...]


class Fix(msgspec.Struct, frozen=True):
    """One matcher in place of another, None for none; `distance` says how far away it is."""

    matcher: Matcher | None
    distance: float = 0.0


_DROP = Fix(None)


def nearest(matchers: Sequence[Matcher], alerts: Sequence[Alert]) -> tuple[Nearest, ...]:
    """The sets nearest to matchers that hide none of these alerts, at most MOST, the best first.

    Each hides at least one alert, and none is as good as on everything (see `refuse_everything`). Nothing when
    the matchers hide something already, or when no set comes near. Raises UsageError for a bad regular
    expression.
    """
    failing = _failing(matchers, alerts)
    best = min((len(at) for at in failing), default=0)
    if not best:
        return ()
    for count in range(best, len(matchers) + 1):
        close = [(alert, at) for alert, at in zip(alerts, failing, strict=True) if len(at) == count]
        if offers := _offers(tuple(matchers), close, alerts):
            return offers
    return ()


def _failing(matchers: Sequence[Matcher], alerts: Sequence[Alert]) -> list[tuple[int, ...]]:
    """By alert the places of the matchers that leave it out. A value that occurs often is looked at once."""
    seen: list[dict[str, bool]] = [{} for _ in matchers]

    def matches(place: int, labels: Mapping[str, str]) -> bool:
        matcher, value = matchers[place], labels.get(matchers[place].name, "")
        if value not in seen[place]:
            seen[place][value] = matcher.matches(labels)
        return seen[place][value]

    places = range(len(matchers))
    return [tuple(place for place in places if not matches(place, alert.labels)) for alert in alerts]


def _offers(
    matchers: Matchers, close: Sequence[tuple[Alert, tuple[int, ...]]], alerts: Sequence[Alert]
) -> tuple[Nearest, ...]:
    found: dict[Matchers, tuple[tuple[int, float], Mapping[int, Fix]]] = {}
    corrected: dict[tuple[int, tuple[tuple[str, str], ...]], Fix] = {}
    real = [is_real(matcher, alerts) for matcher in matchers]
    for alert, places in close:
        fixes = {}
        for place in places:
            key = place, _relevant(matchers[place], alert.labels)
            if key not in corrected:
                near = () if real[place] else corrections(matchers[place], alert.labels)
                corrected[key] = min(near, key=_far, default=_DROP)
            fixes[place] = corrected[key]
        for chosen in (fixes, dict.fromkeys(places, _DROP)):
            made = _with(matchers, chosen)
            rank = sum(fix.matcher is None for fix in chosen.values()), sum(map(_far, chosen.values()))
            if _narrow(made) and (made not in found or rank < found[made][0]):
                found[made] = rank, chosen
    ranked = sorted(found.items(), key=lambda item: item[1][0])[: MOST * 4]
    carried = {name for alert in alerts for name in alert.labels}
    offers = [
        (rank, Nearest(made, _words(matchers, chosen, carried), _hidden(made, alerts)))
        for made, (rank, chosen) in ranked
    ]
    offers.sort(key=lambda offer: (offer[0], len(offer[1].alerts), str(offer[1].matchers)))
    return tuple(offer for _, offer in offers[:MOST])


def is_real(matcher: Matcher, alerts: Sequence[Alert]) -> bool:
    """Whether some alert has just this label with this value: then nothing of it is mistyped."""
    return not matcher.is_regex and any(alert.labels.get(matcher.name) == matcher.value for alert in alerts)


def _far(fix: Fix) -> float:
    return fix.distance


def _hidden(matchers: Matchers, alerts: Sequence[Alert]) -> tuple[Alert, ...]:
    return tuple(alert for alert in alerts if match_all(matchers, alert.labels))


def _narrow(matchers: Matchers) -> bool:
    try:
        refuse_everything(matchers)
    except UsageError:
        return False
    return True


def _with(matchers: Matchers, fixes: Mapping[int, Fix]) -> Matchers:
    made = (fixes[place].matcher if place in fixes else m for place, m in enumerate(matchers))
    return tuple(dict.fromkeys(matcher for matcher in made if matcher is not None))


def _relevant(matcher: Matcher, labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What of the labels the corrections of a matcher depend on."""
    if matcher.name in labels:
        return ((matcher.name, labels[matcher.name]),)
    return tuple(sorted(labels.items()))


def corrections(matcher: Matcher, labels: Mapping[str, str]) -> Iterator[Fix]:
    """The matchers near this one that these labels satisfy: another operator, a value or a name that was
    mistyped. None for one that leaves something out: it does so on purpose."""
    if not matcher.is_equal or not matcher.value:
        return
    value = labels.get(matcher.name, "")
    if value:
        yield from _values(matcher, value)
    else:
        yield from _names(matcher, labels)


def _values(matcher: Matcher, value: str) -> Iterator[Fix]:
    """Corrections for a label that is there with another value."""
    given = matcher.value
    if matcher.is_regex:
        if given == value:
            yield Fix(Matcher(matcher.name, value), _SWITCH)
        if not _META.search(given) and given in value:
            # People expect a search; Alertmanager anchors.
            yield Fix(Matcher(matcher.name, f".*{given}.*", is_regex=True), _SWITCH)
        if _META.search(given):
            return
    elif _META.search(given) and _satisfied(regex := Matcher(matcher.name, given, is_regex=True), value):
        yield Fix(regex, _SWITCH)
    if (far := distance(given, value)) is not None:
        yield Fix(Matcher(matcher.name, value), far)
    elif len(given) > 2 and given.casefold() in value.casefold():
        yield Fix(Matcher(matcher.name, value), len(value) - len(given) + _SWITCH)


def _names(matcher: Matcher, labels: Mapping[str, str]) -> Iterator[Fix]:
    """Corrections for a label that is not there: a name like it, or any name with the same value."""
    for name, value in labels.items():
        if not value or not _satisfied(Matcher(name, matcher.value, matcher.is_regex), value):
            continue
        far = distance(matcher.name, name)
        if far is None and not matcher.is_regex:
            far = float(max(len(matcher.name), len(name)))
        if far is not None:
            yield Fix(Matcher(name, matcher.value, matcher.is_regex), far)


def _satisfied(matcher: Matcher, value: str) -> bool:
    try:
        return matcher.matches({matcher.name: value})
    except UsageError:
        return False


@lru_cache(maxsize=65536)
def distance(given: str, wanted: str) -> float | None:
    """How many letters are to be put in, taken away, changed or swapped to make one of the other, without
    regard to case; None when these are more than a third of the longer one, and for other digits: db-1 is not
    db-2 mistyped."""
    if given == wanted:
        return 0.0
    if _DIGITS.sub("", given) != _DIGITS.sub("", wanted):
        return None
    a, b = given.casefold(), wanted.casefold()
    if a == b:
        return _SWITCH
    most = max(1, max(len(a), len(b)) // 3)
    if abs(len(a) - len(b)) > most or len(a) > 200 or min(len(a), len(b)) < 2:
        return None
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, char in enumerate(a, 1):
        last, before, row = before, row, [i]
        for j, other in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (char != other))
            if i > 1 and j > 1 and char == b[j - 2] and a[i - 2] == other:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return None
    return float(row[-1]) if row[-1] <= most else None


def _words(matchers: Matchers, fixes: Mapping[int, Fix], carried: set[str]) -> tuple[SafeText, ...]:
    said = []
    for place, fix in sorted(fixes.items()):
        old = matchers[place]
        if fix.matcher is not None:
            said.append(safe(f"{fix.matcher} for {old}", 400))
        elif old.name not in carried and old.is_equal:
            said.append(safe(f"without {old}: no alert has the label {old.name}", 400))
        else:
            said.append(safe(f"without {old}", 400))
    return tuple(said)
