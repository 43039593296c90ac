"""What the guard has to tell, on its way to the journal and the outbox. Nothing here keeps a rollback waiting."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec.structs import replace

from opsconsole.errors import JournalError, OpsError
from opsconsole.guard.incident import IncidentLog
from opsconsole.guard.ports import Outbox
from opsconsole.guard.store import StateStore
from opsconsole.model.guard import GuardEvent
from opsconsole.text import SafeText, safe, trusted

PAGE_SECONDS = 2.0
"""The longest that Alertmanager is waited for before people are told: of all that a round has to tell."""

ASK_AGAIN = 30.0
"""Seconds after which it is asked again when it did not answer."""

_KEPT = 20
"""Incidents whose alert is kept in mind."""

Page = Callable[[str, str, str], Awaitable[tuple[Mapping[str, str], str]]]
"""The raw labels and dedup_key of the alert of a system, rule id and incident. May raise OpsError."""


class Teller:
    """`problem` hears of what goes wrong, by its name. `counts` are the events by kind, `last` the newest."""

    def __init__(
        self,
        log: IncidentLog,
        outbox: Outbox,
        store: StateStore,
        page: Page | None,
        problem: Callable[[str, str], None],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.last: tuple[SafeText, float | None] = (trusted(""), None)
        self._log = log
        self._outbox = outbox
        self._store = store
        self._page = page
        self._problem = problem
        self._pages: Mapping[str, tuple[Mapping[str, str], str]] = {}
        self._ask_from = 0.0  # by the clock of asyncio
        self._delivery: asyncio.Task[None] | None = None
        self._fault = ""

    def journalled(self, events: Sequence[GuardEvent]) -> bool:
        """Whether the journal has them now."""
        for event in events:
            try:
                new = self._log.record(event) is not None
            except JournalError as error:
                self._problem("journal", error.message)
                return False
            if new:
                self.counts[event.kind] += 1
                self.last = safe(f"{event.kind} {event.flag}".strip(), 200), event.at
        return True

    async def hand_on(self) -> None:
        """Give what is to be told to the journal and the outbox. What they do not take is given again. Raises
        GuardError."""
        until = asyncio.get_running_loop().time() + PAGE_SECONDS
        for event in self._store.waiting():
            kept = self.journalled([event])
            try:
                self._outbox.put(await self._paged(event, until))
            except OpsError as error:
                self._problem("outbox", error.message)
                return
            except Exception as error:  # noqa: BLE001  a fault of the outbox must not end a round
                self.fault(error)
                return
            if kept:
                self._store.handed_on(event.id)

    async def _paged(self, event: GuardEvent, until: float) -> GuardEvent:
        """The event with the alert that it belongs to: the same one for a whole incident, once there is one. It
        is told without when that is not known by `until`, whatever fails."""
        if self._page is None:
            return event
        labels, key = self._pages.get(event.incident, ({}, ""))
        if not labels and self._ask_from <= asyncio.get_running_loop().time() < until:
            try:
                async with asyncio.timeout_at(until):
                    labels, key = await self._page(event.system, event.rule, event.incident)
            except (OpsError, TimeoutError) as error:
                words = error.message if isinstance(error, OpsError) else "Alertmanager gave no answer in time"
                self._not_paged(f"told without the alert that it belongs to: {words}")
            except Exception as error:  # noqa: BLE001  a fault here must not keep people from hearing
                self.fault(error)
                self._not_paged("told without the alert that it belongs to")
        if labels:
            self._pages = dict([*self._pages.items(), (event.incident, (labels, key))][-_KEPT:])
        return replace(event, labels=labels, dedup_key=key)

    def _not_paged(self, words: str) -> None:
        self._ask_from = asyncio.get_running_loop().time() + ASK_AGAIN
        self._problem("page", words)

    def deliver(self) -> None:
        """Have the messages sent, while the next round is made."""
        if self._delivery is None or self._delivery.done():
            self._delivery = asyncio.ensure_future(self._outbox.deliver())
            self._delivery.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fault(error)

    async def delivered(self) -> None:
        """When the delivery that is under way has ended."""
        if self._delivery is not None:
            await asyncio.gather(self._delivery, return_exceptions=True)

    async def aclose(self) -> None:
        """End the delivery: the outbox keeps what was not sent."""
        if self._delivery is not None:
            self._delivery.cancel()
            await self.delivered()

    def waiting(self) -> int:
        """How many deliveries are still to be made."""
        return self._outbox.waiting()

    def fault(self, error: BaseException) -> None:
        """Tell of an exception that nobody meant; the journal hears of it once in a row."""
        name = type(error).__name__
        self._problem("fault", f"unexpected {name}; this is a fault of opsconsole")
        words = safe(f"a fault of opsconsole: {name}: {error}", 500)
        if words == self._fault:
            return
        try:
            self._log.fault(words)
        except JournalError:
            self._problem("journal", "the fault could not be journalled")
        else:
            self._fault = words
