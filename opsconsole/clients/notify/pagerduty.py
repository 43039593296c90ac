"""PagerDuty by its Events API v2: alerts that page, and changes that are shown beside them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from opsconsole.clients._httpx import httpx
from opsconsole.clients.notify.base import Post, secret_of, wanted
from opsconsole.clock import Clock
from opsconsole.config.schema import Endpoint, NotifyConfig
from opsconsole.model.guard import GuardEvent
from opsconsole.model.guard_words import diff_lines, facts, headline, next_steps
from opsconsole.model.pagerkeys import MAX_KEY, incident_key
from opsconsole.text import SafeText, safe

MAX_BYTES = 512 * 1024
"""What PagerDuty takes."""

MAX_SUMMARY = 1024
"""Characters."""

BUSY_WAIT = 120.0
"""Seconds to wait when there were too many events: PagerDuty advises a few minutes."""

_ALERTS = frozenset({"rolled-back", "not-rolled-back", "test"})
_SIGHT = frozenset({"blind", "seeing-again"})
_CHANGES = frozenset({"rolled-back", "test"})


class _PagerDuty:
    def __init__(
        self, config: NotifyConfig, clock: Clock, path: str, inner: httpx.AsyncBaseTransport | None
    ) -> None:
        endpoint = config.endpoint or Endpoint(url="")
        self._config = config
        self._post = Post(endpoint.url + path, endpoint.http, clock, inner=inner)

    async def _send(self, body: dict[str, Any]) -> None:
        key = await secret_of(self._config.secret, "PagerDuty")
        raw = msgspec.json.encode({"routing_key": key, **body})
        if len(raw) > MAX_BYTES:
            body["payload"] = _cut(body["payload"])
            raw = msgspec.json.encode({"routing_key": key, **body})
        await self._post.send(raw, hide=(key,), busy_wait=BUSY_WAIT)

    async def aclose(self) -> None:
        await self._post.aclose()


class PagerDutyAlerts(_PagerDuty):
    """Triggers for what a person has to know now, and resolves what it triggered under keys of its own, such as
    what it told before the alert fired. Those of alerts are left for Alertmanager to resolve, which alone knows
    whether they still fire."""

    resolves = True
    """Whether what was sent stays open until it is told that it is over."""

    def __init__(
        self, config: NotifyConfig, clock: Clock, *, inner: httpx.AsyncBaseTransport | None = None
    ) -> None:
        super().__init__(config, clock, "/v2/enqueue", inner)
        self.name = config.name

    def wants(self, event: GuardEvent) -> bool:
        if _resolves(event):
            return True
        if self._config.on:
            return wanted(event, self._config.on)
        return event.page or event.kind in _ALERTS

    async def send(self, event: GuardEvent) -> None:
        if _resolves(event):
            await self._send({"event_action": "resolve", "dedup_key": own_key(event)})
            return
        await self._send(
            {
                "event_action": "trigger",
                "dedup_key": dedup_key(event),
                "client": "opsconsole guard",
                "payload": {
                    **_payload(event),
                    "severity": severity(event),
                    "component": str(event.flag or event.rule),
                    "group": str(safe(event.system, 255)),
                    "class": str(safe(event.kind, 255)),
                },
            }
        )


class PagerDutyChanges(_PagerDuty):
    """Change events: they notify nobody, and are shown beside the incidents of the service."""

    resolves = False

    def __init__(
        self, config: NotifyConfig, clock: Clock, *, inner: httpx.AsyncBaseTransport | None = None
    ) -> None:
        super().__init__(config, clock, "/v2/change/enqueue", inner)
        self.name = f"{config.name}/changes"

    def wants(self, event: GuardEvent) -> bool:
        return event.kind in _CHANGES and not event.resolved

    async def send(self, event: GuardEvent) -> None:
        await self._send({"payload": _payload(event)})


def dedup_key(event: GuardEvent) -> str:
    """The event's own key, or that of its incident."""
    key = event.dedup_key
    return key if key and len(key) <= MAX_KEY and event.kind not in _SIGHT else own_key(event)


def own_key(event: GuardEvent) -> str:
    """The key of what no alert is known for. That a rule is blind is an incident of its own: it ends when the
    guard sees again, whatever the rule then says."""
    rule = f"{event.system}/{event.rule}"
    if event.kind in _SIGHT:
        return incident_key(event.context, f"blind/{rule}")
    return incident_key(event.context, event.incident or rule)


def _resolves(event: GuardEvent) -> bool:
    """What was never triggered, PagerDuty drops."""
    return event.resolved or event.kind == "seeing-again"


def severity(event: GuardEvent) -> str:
    """In PagerDuty's words."""
    if event.page:
        return "critical"
    return "warning" if event.kind in ("rolled-back", "not-rolled-back", "not-recovered", "blind") else "info"


def _payload(event: GuardEvent) -> dict[str, Any]:
    details: dict[str, Any] = {str(name).lower(): str(text) for name, text in facts(event)}
    details |= {"summary": str(event.summary), "what to do next": [str(step) for step in next_steps(event)]}
    if event.diff:
        details["diff"] = list(diff_lines(event))
    if event.timeline:
        details["timeline"] = [str(line) for line in event.timeline]
    details["event"] = event.id
    return {
        "summary": _short(headline(event), MAX_SUMMARY),
        "source": str(safe(f"{event.system or 'guard'}/{event.context}", 255)),
        "timestamp": datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds"),
        "custom_details": details,
    }


def _short(text: SafeText, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _cut(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload without what makes it long."""
    details = payload["custom_details"]
    kept = {name: text[:2000] for name, text in details.items() if isinstance(text, str)}
    return {**payload, "custom_details": {**kept, "left out": "the diff and the timeline, for their size"}}
