"""The silence form, filled with a silence that stands, and the question until when one is prolonged."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from opsconsole.actions.silence import plain_comment
from opsconsole.errors import UsageError
from opsconsole.model.matchers import format_matchers
from opsconsole.model.silences import Silence
from opsconsole.render.silence_commands import edit_commands
from opsconsole.render.times import exact, parse_duration, parse_until, span
from opsconsole.text import SafeText, safe
from opsconsole.ui.dialogs.base import Dialog, words
from opsconsole.ui.dialogs.silence_draft import Words
from opsconsole.ui.dialogs.silence_form import SilenceForm
from opsconsole.ui.services import Services


class EditForm(SilenceForm):
    """Gives the silence as it is to be, under the id that it has. What is not touched stays exactly as it is."""

    verb = "save"

    def __init__(self, services: Services, silence: Silence) -> None:
        end = silence.ends_at.astimezone(services.zone)
        comment = plain_comment(silence).replace("\n", " ").strip()
        super().__init__(
            services, silence.cluster, silence.matchers, until=f"{end:%Y-%m-%dT%H:%M:%S}", comment=comment
        )
        name = f"{safe(silence.id[:8])}{services.engine.snapshot.place(silence.cluster)}"
        self._title, self._keys = f"Edit silence {name}", "esc cancel · tab next · ctrl+s save"
        self._before = silence

    def on_mount(self) -> None:
        # What is typed goes behind the comment that stands, not in its place.
        self.query_one("#comment", Input).select_on_focus = False

    def _parse(self, form: Words) -> Silence:
        draft, before, start = super()._parse(form), self._before, self._start
        nonce = f" [op={before.op}]" if before.op else ""
        return msgspec.structs.replace(
            before,
            matchers=before.matchers if form.matchers == start.matchers else draft.matchers,
            ends_at=before.ends_at if form.until == start.until else draft.ends_at,
            comment=before.comment if form.comment == start.comment else safe(f"{draft.comment}{nonce}"),
        )

    def _as_command(self, draft: Silence) -> SafeText:
        return safe(edit_commands(self._before, draft, self._url()).splitlines()[0], 4000)


class ExtendDialog(Dialog[float]):
    """Asks how much later a silence ends, or until when; gives the new end, seconds since the epoch."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "accept", show=False)]

    def __init__(self, services: Services, silence: Silence) -> None:
        place = services.engine.snapshot.place(silence.cluster)
        super().__init__(services, f"Extend the silence{place}", "esc cancel · enter extend")
        self._silence = silence

    def inside(self) -> ComposeResult:
        theme, now = self.services.theme, self._now
        yield words(safe(format_matchers(self._silence.matchers), 600), theme["strong"])
        yield words(f"by {self._silence.owner}: {safe(self._silence.reason, 400)}")
        yield words(
            f"ends {exact(self._silence.ends, self.services.zone, now)}, in {self._left(self._silence.ends)}"
        )
        yield words("By how much, or until when: 1h, 05:12", theme["strong"])
        yield Input("1h", compact=True, id="extend", max_length=40)
        yield words("", id="extend-end")

    def on_mount(self) -> None:
        self._describe()

    @on(Input.Changed)
    def _changed(self) -> None:
        self._describe()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_accept()

    def action_accept(self) -> None:
        until = self._until()
        if self.armed and isinstance(until, float):
            self.dismiss(until)

    def _describe(self) -> None:
        until, theme = self._until(), self.services.theme
        if isinstance(until, float):
            line = Text(f"will end {exact(until, self.services.zone, self._now)}, in {self._left(until)}")
        else:
            line = Text(until, style=theme["unknown"])
        self.query_one("#extend-end", Static).update(line)

    def _until(self) -> float | str:
        """The new end, or what is wrong with what was typed."""
        text, end = self.query_one("#extend", Input).value.strip(), self._silence.ends
        try:
            if ":" in text or "-" in text:
                until = parse_until(text, self._now, self.services.zone)
            else:
                until = end + parse_duration(text.removeprefix("+"))
        except UsageError as error:
            return f"{error.message}  {error.hint}"
        return until if until > end else safe("that is not later than it ends now; to end it sooner, edit it")

    def _left(self, at: float) -> SafeText:
        return span(at - self._now)

    @property
    def _now(self) -> float:
        return self.services.clock.now() + self.services.engine.snapshot.skew_of(self._silence.cluster)
