"""Which rollback it is to be, said in words, with its diff; in production the flag's name is typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from opsconsole.errors import OpsError
from opsconsole.model.flags import RollbackPlan
from opsconsole.model.rollback_choices import Choice
from opsconsole.render.times import when
from opsconsole.text import SafeText, safe, safe_block, trusted
from opsconsole.ui.dialogs.base import Dialog, paragraphs, words
from opsconsole.ui.services import Services

_LINE = 500
"""Characters of a line of a plan's diff that are shown."""

Load = Callable[[Choice], Awaitable[RollbackPlan]]
"""Plans a choice. Raises OpsError."""


class RollbackDialog(Dialog[RollbackPlan]):
    """Gives the plan that was agreed to. It begins with `plan`, which is the choice number `at`; the arrow keys go
    to another one, which is planned anew. `why` is why the first one is proposed, `place` where it will be done;
    with `name` that has to be typed."""

    AUTO_FOCUS = "#typed-name"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", show=False),
        Binding("up", "choose(-1)", show=False, priority=True),
        Binding("down", "choose(1)", show=False, priority=True),
        Binding("pageup", "read(-1)", show=False, priority=True),
        Binding("pagedown", "read(1)", show=False, priority=True),
    ]

    def __init__(
        self,
        services: Services,
        plan: RollbackPlan,
        choices: Sequence[Choice],
        at: int,
        load: Load,
        *,
        why: SafeText,
        place: SafeText,
        name: str = "",
    ) -> None:
        super().__init__(services, f"Roll back {safe(plan.key, 200)}", "esc cancel · enter roll back")
        self._plan: RollbackPlan | None = plan
        self._choices, self._at, self._proposed = choices, at, at
        self._load = load
        self._why = why
        self._place = place
        self._wanted = name
        self._problem: SafeText = trusted("")

    def inside(self) -> ComposeResult:
        with VerticalScroll(classes="dialog-body", id="rollback-body"):
            yield Static(self._body(), markup=False, id="rollback")
        if self._wanted:
            yield words(f"Type {safe(self._wanted, 200)} to go on:", self.services.theme["strong"])
            yield Input(compact=True, id="typed-name", select_on_focus=False)
        yield words("", self.services.theme["unknown"], id="typed-problem")

    def on_mount(self) -> None:
        super().on_mount()
        self.call_after_refresh(self._show_keys)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_keys)

    def action_choose(self, step: int) -> None:
        """Go to another way, and plan it."""
        if len(self._choices) < 2:
            self.action_read(step)
            return
        self._at = (self._at + step) % len(self._choices)
        self._plan, self._problem = None, trusted("")
        if self._wanted:
            self.query_one("#typed-name", Input).value = ""
        self._show()
        self.run_worker(self._load_choice(self._choices[self._at]), group="plan", exclusive=True)

    def action_read(self, step: int) -> None:
        """Scroll the diff."""
        self.query_one("#rollback-body", VerticalScroll).scroll_relative(y=8 * step, animate=False)

    def action_accept(self) -> None:
        if self.armed and not self._wanted:
            self._accept()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if not self.armed:
            return
        # A name that cannot be typed as it is may be typed as it is shown.
        if event.value.strip() in {self._wanted, str(safe(self._wanted, 200))}:
            self._accept()
        else:
            self._say("that is not the name; nothing was done")

    def _accept(self) -> None:
        if self._plan is not None:
            self.dismiss(self._plan)
        else:
            self._say("there is no plan for it; nothing was done")

    async def _load_choice(self, choice: Choice) -> None:
        try:
            plan = await self._load(choice)
        except OpsError as error:
            self._problem = safe_block(f"{error.message}\n{error.hint}".strip(), 600)
        else:
            self._plan = plan
        self._show()

    def _show(self) -> None:
        self.query_one("#rollback", Static).update(self._body())
        self._say("")
        self.call_after_refresh(self._show_keys)
        # Keys from before this was on the screen agree to nothing.
        self.rearm()

    def _show_keys(self) -> None:
        """The keys that do something: the page keys only where not everything is in sight."""
        arrows = "up/down" if self.services.glyphs.ascii else "↑↓"
        keys = ["esc cancel"]
        if len(self._choices) > 1:
            keys.append(f"{arrows} another way")
        if self.query_one("#rollback-body", VerticalScroll).max_scroll_y > 0:
            keys.append("pgup pgdn scroll")
        self.show_title(self._title, " · ".join([*keys, "enter roll back"]))

    def _say(self, text: str) -> None:
        self.query_one("#typed-problem", Static).update(Text(text, style=self.services.theme["unknown"]))

    def _body(self) -> Text:
        theme = self.services.theme
        lines: list[str | Text] = [self._choice(at) for at in range(len(self._choices))]
        lines += [f"in {self._place}", ""]
        if self._plan is None:
            lines.append(Text(self._problem or "being planned", style=theme["unknown"]))
            return paragraphs(lines)
        lines.append(Text(self._plan.words, style=theme["strong"]))
        for part in self._plan.diff.split("\n"):
            style = {"+": "ok", "-": "critical"}.get(part[:1], "dim")
            lines.append(Text(safe(part, _LINE), style=theme[style]))
        return paragraphs(lines)

    def _choice(self, at: int) -> Text:
        """`▸ undo the last change: 100 % -> 50 %   proposed: some users had it before the last change`."""
        choice, theme, here = self._choices[at], self.services.theme, at == self._at
        mark = self.services.glyphs.pointer if here else " "
        line = Text(f"{mark} ")
        line.append(choice.words, theme["strong" if here else "plain"])
        change = choice.change
        if change is not None and choice.version:
            at_time = when(change.at, self.services.engine.snapshot.now, self.services.zone)
            line.append(safe(f"   {at_time} {change.who}  {change.summary}"), theme["dim"])
        if at == self._proposed and self._why:
            line.append(f"   proposed: {self._why}", theme["dim"])
        return line
