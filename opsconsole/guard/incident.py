"""What a guard did, in the journal: each event once, and what became of telling people."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from opsconsole.errors import UsageError
from opsconsole.guard.outbox_file import Delivery
from opsconsole.journal.store import Journal
from opsconsole.model.guard import GuardEvent
from opsconsole.model.guard_words import headline, next_steps
from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.model.pagerkeys import alert_key, incident_key
from opsconsole.model.routing import Routing, parse_routing
from opsconsole.state.snapshot import ClusterReading
from opsconsole.text import SafeText, safe, safe_block

EVENT = "guard"
"""The journal's action of an event."""

NOTIFY = "guard-notify"
"""The journal's action of a notification that was sent, or given up."""

_TROUBLE = frozenset({"not-rolled-back", "not-recovered"})


def page_key(cluster: ClusterReading | None, labels: Mapping[str, str], context: str, incident: str) -> str:
    """The dedup_key of an event: the one that Alertmanager uses for the alert with these labels, if it has it and
    tells PagerDuty of it; else one of our own for the incident."""
    if labels and cluster is not None:
        routings = tuple(_routing(m.status.data.config) for m in cluster.members if m.status.data is not None)
        key = alert_key([r for r in routings if r is not None], labels) if None not in routings else ""
        if key:
            return key
    return incident_key(context, incident)


@lru_cache(maxsize=8)
def _routing(config: str) -> Routing | None:
    try:
        return parse_routing(config)
    except UsageError:
        return None


class IncidentLog:
    """Writes to the journal as `user` in a context. Every method raises JournalError."""

    def __init__(self, journal: Journal, *, user: str, context: str) -> None:
        self._journal = journal
        self._user = user
        self._context = context

    def record(self, event: GuardEvent) -> Entry | None:
        """The event with its timeline; None when the journal has it: a guard that was killed tells it again."""
        if self._journal.entries(1, event.id, action=EVENT, context=self._context):
            return None
        lines = [str(event.summary or headline(event))]
        lines += [f"  {line}" for line in event.timeline]
        lines += [f"  next: {step}" for step in next_steps(event)]
        return self._journal.record(
            event.id,
            Phase.NOTE,
            EVENT,
            headline(event),
            self._user,
            self._context,
            Result.FAILED if event.kind in _TROUBLE else Result.DONE,
            safe_block("\n".join(lines)),
            {"incident": event.incident, "kind": event.kind, "event": msgspec.to_builtins(event)},
        )

    def fault(self, words: SafeText) -> None:
        """That something failed for a fault of this program."""
        self._journal.record(
            "guard-fault", Phase.NOTE, EVENT, "a fault", self._user, self._context, Result.FAILED, words, {}
        )

    def told(self, delivery: Delivery) -> None:
        """That a channel was told of an event, or why it never will be."""
        event, dead = delivery.event, delivery.state == "dead"
        words = f"could not tell {delivery.channel}: {delivery.reason}" if dead else f"told {delivery.channel}"
        self._journal.record(
            f"{event.id}/{delivery.channel}",
            Phase.NOTE,
            NOTIFY,
            headline(event),
            self._user,
            self._context,
            Result.FAILED if dead else Result.DONE,
            safe(f"{words} (after {delivery.tries} tries)" if delivery.tries > 1 else words, 1500),
            {"incident": event.incident, "channel": delivery.channel, "state": delivery.state},
        )
