"""How notifications go out, by integration, from Alertmanager's own metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from opsconsole.text import SafeText, safe, trusted

METRICS = {
    "alertmanager_notifications_total": "sent",
    "alertmanager_notifications_failed_total": "failed",
    "alertmanager_notification_requests_total": "requests",
    "alertmanager_notification_requests_failed_total": "requests_failed",
}
"""The counters, and the fields of `Integration` that they fill. One notification may take several requests: it has
failed only when the retries of a whole group interval have."""

RELOADED = "alertmanager_config_last_reload_successful"
"""1 while the configuration in force is the one on the disk."""


class Integration(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of integration (webhook, pagerduty, …): notifications and requests, and those that failed."""

    name: SafeText
    sent: float = 0.0
    failed: float = 0.0
    requests: float = 0.0
    requests_failed: float = 0.0

    @property
    def failing(self) -> bool:
        """Whether any notification, or a try at one, failed."""
        return self.failed > 0 or self.requests_failed > 0

    @property
    def dead(self) -> bool:
        """Whether no request at all got through."""
        tries, failed = (self.requests, self.requests_failed) if self.requests else (self.sent, self.failed)
        return failed > 0 and failed >= tries * 0.999


class Notifications(msgspec.Struct, frozen=True, kw_only=True):
    """What went out of one cluster. `window` is the seconds counted; 0 when it is all since the members started,
    because nothing scrapes them. `reloaded` is false when a member could not read its configuration again and goes
    on with an older one, None when none says."""

    integrations: tuple[Integration, ...] = ()
    window: float = 0.0
    reloaded: bool | None = None


def notifications(samples: Iterable[tuple[Mapping[str, str], float]], window: float = 0.0) -> Notifications:
    """From the samples of METRICS and RELOADED (labels with `__name__`, value), over all members and receivers."""
    found: dict[str, dict[str, float]] = {}
    reloaded: bool | None = None
    for labels, value in samples:
        if labels.get("__name__") == RELOADED:
            reloaded = value == 1 and reloaded is not False
        field = METRICS.get(labels.get("__name__", ""))
        if field is not None and value == value:  # NaN says nothing
            counts = found.setdefault(labels.get("integration", ""), {})
            counts[field] = counts.get(field, 0.0) + value
    return Notifications(
        integrations=tuple(Integration(name=_name(name), **counts) for name, counts in sorted(found.items())),
        window=window,
        reloaded=reloaded,
    )


def read_metrics(text: str) -> tuple[tuple[Mapping[str, str], float], ...]:
    """The samples of METRICS and RELOADED in a page of Alertmanager's `/metrics`; other lines are passed over."""
    found: list[tuple[Mapping[str, str], float]] = []
    for line in text.splitlines():
        if not line.startswith("alertmanager_"):
            continue
        head, _, value = line.rpartition(" ")
        name, _, labels = head.partition("{")
        if name not in METRICS and name != RELOADED:
            continue
        pairs = (pair.partition("=") for pair in labels.rstrip("}").split(",") if pair)
        try:
            number = float(value)
        except ValueError:
            continue
        found.append(({"__name__": name, **{n: v.strip('"') for n, _, v in pairs}}, number))
    return tuple(found)


def _name(raw: str) -> SafeText:
    return safe(raw, 40) or trusted("(unnamed)")
