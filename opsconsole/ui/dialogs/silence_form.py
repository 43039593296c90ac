"""The silence form: matchers, an end and a comment, and what they hide and would have hidden, asked as they
change."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.timer import Timer
from textual.widgets import Input, Static, TextArea

from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matchers
from opsconsole.model.radius import Radius, changed, reasons, refuse_everything
from opsconsole.model.silences import Silence
from opsconsole.render.silence_commands import typable
from opsconsole.render.times import exact, parse_until
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe
from opsconsole.ui.dialogs.base import Dialog, words
from opsconsole.ui.dialogs.confirm import ConfirmDialog, TypedConfirmDialog
from opsconsole.ui.dialogs.silence_draft import Words, amtool_line, draft_of, matchers_of
from opsconsole.ui.dialogs.silence_now import HidesNow, radius_lines
from opsconsole.ui.dialogs.silence_past import PastLine
from opsconsole.ui.services import Services

DEBOUNCE = 0.3
"""Seconds without a keystroke before Alertmanager is asked."""


class SilenceForm(Dialog[Silence]):
    """Gives the silence to create on `cluster`, without an id; nothing is written by the form.

    What is confirmed is what was shown: Alertmanager is asked again at ctrl+s, and again after a question was
    answered; when the answer differs from the one on the screen it is shown and a new ctrl+s is needed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "accept", show=False),
        Binding("ctrl+n", "take_nearest", show=False),
    ]

    verb: ClassVar[str] = "silence"
    """What a yes to its questions does."""

    def __init__(
        self,
        services: Services,
        cluster: str,
        matchers: Matchers = (),
        *,
        until: str = "2h",
        comment: str = "",
    ) -> None:
        name = safe(cluster or "Alertmanager", 40)
        super().__init__(services, f"Silence on {name}", f"esc cancel · tab next · ctrl+s silence on {name}")
        self._cluster = cluster
        self._start = Words("\n".join(str(typable(m)) for m in matchers), until, comment)
        self._confirming = False
        self._timer: Timer | None = None

    def inside(self) -> ComposeResult:
        strong = self.services.theme["strong"]
        yield words("Matchers, one a line", strong)
        yield TextArea(self._start.matchers, id="matchers", compact=True, soft_wrap=False)
        with Horizontal(classes="field"):
            yield words("For      ", strong)
            yield Input(self._start.until, compact=True, id="until", max_length=40, select_on_focus=False)
            yield words("", self.services.theme["dim"], id="ends")
        with Horizontal(classes="field"):
            yield words("Comment  ", strong)
            yield Input(self._start.comment, compact=True, id="comment", max_length=500)
        yield words("", id="form-problem")
        # It takes the focus, so that the keys reach what does not fit.
        with VerticalScroll(id="consequences", can_focus=True):
            yield HidesNow(self.services, self._cluster)
            yield PastLine(self.services)
            yield words("", self.services.theme["dim"], id="amtool")

    def on_mount(self) -> None:
        self.query_one("#comment" if self._start.matchers else "#matchers").focus()
        self._describe()
        self._ask_soon(0.01)

    @on(TextArea.Changed)
    def _matchers_changed(self) -> None:
        self._describe()
        self._ask_soon(DEBOUNCE)

    @on(Input.Changed)
    def _words_changed(self) -> None:
        self._describe()

    @on(Input.Submitted)
    def _next_field(self) -> None:
        self.focus_next()

    def action_accept(self) -> None:
        if self.armed and not self._confirming:
            self._confirming = True
            self.run_worker(self._confirm(), group="confirm", exit_on_error=False)

    def action_take_nearest(self) -> None:
        """Put the nearest matchers that hide something in the place of those that hide nothing."""
        area = self.query_one("#matchers", TextArea)
        try:
            offer = self._hides.offer(matchers_of(area.text))
        except UsageError:
            return
        if offer is not None and self.armed:
            # As an edit, so that it can be taken back in the field.
            area.replace("\n".join(str(typable(m)) for m in offer.matchers), (0, 0), area.document.end)

    async def _confirm(self) -> None:
        try:
            await self._check_and_leave()
        finally:
            self._confirming = False

    async def _check_and_leave(self) -> None:
        form, draft = self._words(), self._draft()
        if draft is None or not await self._stands(form, draft):
            return
        dialog = self._question(draft)
        if dialog is not None:
            if not await self.app.push_screen_wait(dialog):
                return
            # Once more: alerts may have come while it was being confirmed.
            if not await self._stands(form, draft):
                return
        self.dismiss(draft)

    async def _stands(self, form: Words, draft: Silence) -> bool:
        """Whether it still hides what was on the screen. What is different is shown and needs a new ctrl+s."""
        before = self._hides.shown(draft.matchers)
        radius = await self._ask(draft.matchers)
        if radius is None or self._words() != form:
            return False
        change = changed(before or Radius(), radius)
        if before is not None and change is None:
            return True
        self._hides.show(radius, change if before is not None else None)
        self._problem("This is what it hides now; ctrl+s again to go on.")
        self.rearm()
        return False

    def _question(self, draft: Silence) -> Dialog[bool] | None:
        """The dialog that must be answered before this is silenced."""
        radius = self._hides.shown(draft.matchers) or Radius()
        seconds = draft.ends - max(self._now, draft.starts_at.timestamp())
        why = reasons(radius, seconds, self._snapshot.context.limits, self._everything())
        matchers = [str(matcher) for matcher in draft.matchers]
        title = f"{self._title}?"
        if why:
            lines: list[str | Text] = [*why, "", *radius_lines(self.services, radius, limit=8), "", *matchers]
            return TypedConfirmDialog(
                self.services, title, lines, name=radius.answer, noun="number", verb=self.verb
            )
        if not radius.alerts:
            empty = ["It hides no alert now: is a matcher mistyped?", "", *matchers]
            return ConfirmDialog(self.services, title, empty, verb=f"{self.verb} all the same")
        return None

    def _everything(self) -> int | None:
        """How many alerts the cluster has, when that is known."""
        cluster = next((c for c in self._snapshot.clusters if c.name == self._cluster), None)
        if cluster is None or not cluster.alerts.known(self.services.clock.now()):
            return None
        return len(cluster.alerts.data or ())

    def _words(self) -> Words:
        return Words(
            self.query_one("#matchers", TextArea).text,
            self.query_one("#until", Input).value,
            self.query_one("#comment", Input).value,
        )

    def _draft(self) -> Silence | None:
        try:
            draft = self._parse(self._words())
        except UsageError as error:
            self._problem(f"{error.message}  {error.hint}")
            return None
        self._problem("")
        return draft

    def _parse(self, form: Words) -> Silence:
        return draft_of(
            form,
            cluster=self._cluster,
            user=self._snapshot.context.user,
            now=self._now,
            zone=self.services.zone,
        )

    def _describe(self) -> None:
        """Show when it ends, what is wrong, and the same thing as an amtool command."""
        form = self._words()
        self._say("#ends", self._ends(form.until))
        try:
            refuse_everything(matchers_of(form.matchers))
        except UsageError as error:
            self._problem(error.message)
            self._say("#amtool", "")
            return
        self._problem("")
        try:
            draft = self._parse(Words(form.matchers, form.until, form.comment or "…"))
        except UsageError:
            self._say("#amtool", "")
            return
        self._say("#amtool", f"as amtool: {self._as_command(draft)}")

    def _as_command(self, draft: Silence) -> SafeText:
        return amtool_line(draft, self._url())

    def _ends(self, until: str) -> str:
        now = self._now
        try:
            at = parse_until(until, now, self.services.zone)
        except UsageError as error:
            return f"  {error.message}; {error.hint}" if error.hint else f"  {error.message}"
        return f"  until {exact(at, self.services.zone, now)}"

    @property
    def _now(self) -> float:
        """By the clock that the silence will end by."""
        return self.services.clock.now() + self._snapshot.skew_of(self._cluster)

    def _url(self) -> str:
        cluster = next((c for c in self._snapshot.clusters if c.name == self._cluster), None)
        return cluster.members[0].url if cluster is not None and cluster.members else ""

    def _ask_soon(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(delay, self._ask_now)

    def _ask_now(self) -> None:
        try:
            matchers = matchers_of(self.query_one("#matchers", TextArea).text)
        except UsageError:
            self._hides.clear()
            self._past.clear()
            return
        self._past.ask(matchers)
        self.run_worker(self._ask(matchers), group="preview", exit_on_error=False)

    async def _ask(self, matchers: Matchers) -> Radius | None:
        """Ask what the matchers hide and show it; None when something else was asked meanwhile."""
        radius = await self._hides.ask(matchers)
        if radius is not None:
            self._past.hidden_now(matchers, len(radius.alerts) if radius.known else None)
        return radius

    def _problem(self, text: str) -> None:
        self.query_one("#form-problem", Static).update(Text(text, style=self.services.theme["unknown"]))

    def _say(self, where: str, text: str) -> None:
        self.query_one(where, Static).update(Text(text, style=self.services.theme["dim"]))

    @property
    def _hides(self) -> HidesNow:
        return self.query_one(HidesNow)

    @property
    def _past(self) -> PastLine:
        return self.query_one(PastLine)

    @property
    def _snapshot(self) -> Snapshot:
        return self.services.engine.snapshot
