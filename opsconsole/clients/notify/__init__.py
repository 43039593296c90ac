"""The ways to tell people what a guard does."""

from __future__ import annotations

from collections.abc import Iterable

from opsconsole.clients.notify.email import Email
from opsconsole.clients.notify.pagerduty import PagerDutyAlerts, PagerDutyChanges
from opsconsole.clients.notify.slack import Slack
from opsconsole.clients.notify.webhook import Webhook
from opsconsole.clock import Clock
from opsconsole.config.schema import NotifyConfig

Channel = PagerDutyAlerts | PagerDutyChanges | Slack | Webhook | Email


def make_channels(configs: Iterable[NotifyConfig], clock: Clock) -> tuple[Channel, ...]:
    """The channels of a context, in the order of its file. PagerDuty's changes are a channel of their own: what
    keeps one of the two from arriving must not keep the other. Close each with `aclose`."""
    found: list[Channel] = []
    for config in configs:
        match config.kind:
            case "pagerduty":
                found.append(PagerDutyAlerts(config, clock))
                if config.changes:
                    found.append(PagerDutyChanges(config, clock))
            case "slack":
                found.append(Slack(config, clock))
            case "webhook":
                found.append(Webhook(config, clock))
            case "email":
                found.append(Email(config))
    return tuple(found)


__all__ = ["Channel", "make_channels"]
