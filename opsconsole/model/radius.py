"""What a silence hides now, and what must be asked before it is made. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from opsconsole.errors import OpsError, UsageError
from opsconsole.model.alerts import Alert
from opsconsole.model.matchers import Matcher
from opsconsole.model.severity import Severity
from opsconsole.text import SafeText, safe, trusted

UNKNOWN = "unknown"
"""What is typed instead of a number when it is not known how many alerts a silence hides."""

_NAMED = 3
"""Critical alerts that a reason names."""

_WORDS = ("HighLatency", "disk-full_7", "zq9 wx/yz:1", "\u03a9mega 12345")
"""Values that have nothing in common: a pattern that matches each of them stands for any value."""


class Limits(msgspec.Struct, frozen=True):
    """Above these a silence is confirmed by typing the number of alerts that it hides: so many alerts, so
    many seconds."""

    confirm_above: int = 10
    max_duration: float = 24 * 3600.0


class Radius(msgspec.Struct, frozen=True):
    """The alerts that matchers hide now, as Alertmanager says. With `why`, the reason, it is not known which
    they are, and `alerts` are those that are known nevertheless."""

    alerts: tuple[Alert, ...] = ()
    why: SafeText = trusted("")

    @property
    def known(self) -> bool:
        return not self.why

    @property
    def counts(self) -> Mapping[Severity, int]:
        """How many of which severity, the worst first."""
        return dict(sorted(Counter(alert.severity for alert in self.alerts).items()))

    @property
    def criticals(self) -> tuple[Alert, ...]:
        """The critical alerts, the oldest first."""
        found = [alert for alert in self.alerts if alert.severity is Severity.CRITICAL]
        return tuple(sorted(found, key=lambda alert: (alert.since, alert.name, alert.key)))

    @property
    def answer(self) -> str:
        """What a person types to confirm it."""
        return str(len(self.alerts)) if self.known else UNKNOWN


class Change(msgspec.Struct, frozen=True):
    """The alerts that are hidden now and were not, and the other way round."""

    came: tuple[Alert, ...] = ()
    went: tuple[Alert, ...] = ()


def radius_of(alerts: Sequence[Alert], failures: Iterable[object] = ()) -> Radius:
    """The radius of an answer of a cluster; not known when a member failed: `failures` are pairs of a URL and
    an error."""
    reasons = [_failure(failure) for failure in failures]
    why = f"the answer is partial: {'; '.join(reasons)}" if reasons else ""
    return Radius(tuple(alerts), safe(why, 300))


def not_known(error: OpsError) -> Radius:
    """The radius when the question failed."""
    return Radius(why=safe(f"{error.kind}: {error.message} {error.hint}".strip(), 300))


def changed(before: Radius, now: Radius) -> Change | None:
    """What is hidden differently since `before`; None when nothing is. The change is empty when it is only
    known now, or no longer."""
    old, new = {a.key: a for a in before.alerts}, {a.key: a for a in now.alerts}
    if old.keys() == new.keys() and before.known == now.known:
        return None
    came = tuple(alert for key, alert in new.items() if key not in old)
    return Change(came, tuple(alert for key, alert in old.items() if key not in new))


def coming_back(hidden: Iterable[Alert], ending: Collection[str]) -> tuple[Alert, ...]:
    """Of the alerts that these silences hide those that nothing else hides: they alert again when these end."""
    return tuple(
        alert
        for alert in hidden
        if alert.status.silenced_by
        and set(alert.status.silenced_by) <= set(ending)
        and not alert.status.inhibited_by
    )


def refuse_everything(matchers: Sequence[Matcher]) -> None:
    """Raise UsageError for matchers that are as good as on everything: none names a value that an alert must
    have. Also for a bad regular expression."""
    if any(m.is_equal and not m.matches({}) and not _any_value(m) for m in matchers):
        return
    but = " but those that they leave out" if any(map(_leaves_out, matchers)) else ""
    raise UsageError(
        f"these matchers match every alert there is{but}",
        hint='name at least one value that it must have, such as alertname="HighLatency"',
    )


def _leaves_out(matcher: Matcher) -> bool:
    return not _any_value(matcher) or (not matcher.is_equal and matcher.matches({}))


def _any_value(matcher: Matcher) -> bool:
    """Whether a matcher is satisfied by whatever value its label has."""
    return all(matcher.matches({matcher.name: word}) for word in _WORDS)


def reasons(radius: Radius, seconds: float, limits: Limits, everything: int | None = None) -> list[str]:
    """Why the number must be typed before this is silenced for so many seconds; nothing when a plain yes
    will do. `everything` is how many alerts there are now, when that is known."""
    count = len(radius.alerts)
    found: list[str] = []
    if not radius.known:
        found.append("It is not known what this hides.")
    if radius.criticals:
        found.append(f"{len(radius.criticals):,} critical: {_names(radius.criticals)}.")
    if count > limits.confirm_above:
        found.append(f"{count:,} alerts are more than {limits.confirm_above:,}.")
    if everything is not None and 1 < everything <= count:
        found.append("It hides everything: every alert that this Alertmanager has now.")
    if seconds > limits.max_duration:
        found.append(f"It lasts {span(seconds)}: longer than {span(limits.max_duration)}.")
    return found


def _names(alerts: Sequence[Alert]) -> str:
    names = list(dict.fromkeys(str(alert.name) for alert in alerts))
    more = f" and {len(names) - _NAMED:,} more names" if len(names) > _NAMED else ""
    return f"{', '.join(safe(name, 60) for name in names[:_NAMED])}{more}"


def span(seconds: float) -> str:
    """Seconds as `25h`, `1h30m`: hours and minutes, the last one begun."""
    minutes = -(-round(seconds) // 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(part for part in (f"{hours}h" if hours else "", f"{minutes}m" if minutes or not hours else ""))


def _failure(failure: object) -> str:
    match failure:
        case (str() as url, OpsError() as error):
            return f"{url} {error.kind}: {error.message}"
    return "a member did not answer"
