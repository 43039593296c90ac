"""A range query that is asked for one thing at a time, and what is known of its answer."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from textual.widget import Widget

from opsconsole.errors import SourceError
from opsconsole.model.reading import Failure, Reading
from opsconsole.model.series import QueryResult
from opsconsole.text import safe, trusted
from opsconsole.ui.services import Services


class Question(msgspec.Struct, frozen=True):
    """What to ask: an expression over the last `window` seconds, every `step`; `about` is the alert's key."""

    expr: str
    window: float
    step: float
    about: str


class Asked:
    """Holds the reading of the latest question. A new question forgets the old answer; the same one is asked
    again after `every` seconds, and its old answer stays, with its age, when that fails."""

    def __init__(self, owner: Widget, services: Services, done: Callable[[], None], *, every: float) -> None:
        self._owner = owner
        self._services = services
        self._done = done
        self._every = every
        self._tried = float("-inf")
        self._busy = False
        self.question: Question | None = None
        self.reading: Reading[QueryResult] = Reading(limit=2 * every + 10)

    def want(self, question: Question) -> None:
        """Ask when the question is new or its answer is old."""
        if question != self.question:
            self.question = question
            self.reading = Reading(limit=self.reading.limit)
            self._tried = float("-inf")
        if not self._busy and self._services.clock.now() - self._tried >= self._every:
            self._busy = True
            self._owner.run_worker(self._ask(), group="asked", exit_on_error=False)

    async def _ask(self) -> None:
        try:
            while (question := self.question) is not None:
                self._tried = now = self._services.clock.now()
                reading = await self._read(question, now)
                if question == self.question:
                    self.reading = reading
                    break
        finally:
            self._busy = False
        self._done()

    async def _read(self, question: Question, now: float) -> Reading[QueryResult]:
        # Whole steps, so that the points of two answers are the same points.
        end = now - now % question.step
        try:
            result = await self._services.engine.ask_range(
                question.expr, start=end - question.window, end=end, step=question.step
            )
        except SourceError as error:
            failure = Failure(
                kind=error.kind,
                message=safe(error.message, 300),
                hint=safe(error.hint, 200),
                where=safe(error.where, 200),
            )
            known = self.reading if question == self.question else Reading(limit=self.reading.limit)
            return known.failed(failure, now)
        except TimeoutError:
            return self.reading.failed(Failure(kind="timed out", message=trusted("no answer in time")), now)
        return self.reading.good(result, now, result.warnings)
