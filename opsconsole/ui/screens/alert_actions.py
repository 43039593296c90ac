"""What can be done to alerts: the same on the list and on one alert's own screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence

from rich.text import Text

from opsconsole.actions.focus import Focus
from opsconsole.actions.keys import Scope
from opsconsole.errors import OpsError
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Result, shows_on
from opsconsole.model.matchers import exact_matchers
from opsconsole.model.runbook import Command
from opsconsole.model.severity import AlertState
from opsconsole.model.silences import Silence
from opsconsole.render.times import exact, left
from opsconsole.text import safe, trusted
from opsconsole.ui.acking import ackable, own_ack, renewable, same_name
from opsconsole.ui.dialogs.ack import AckDialog
from opsconsole.ui.dialogs.command import CommandDialog, CommandPicker, copy_command, failed
from opsconsole.ui.dialogs.expire import ExpireDialog
from opsconsole.ui.dialogs.silence_form import SilenceForm
from opsconsole.ui.dialogs.text_view import copy_text
from opsconsole.ui.panels.detail import DetailPanel
from opsconsole.ui.panels.detail_facts import alert_text
from opsconsole.ui.panels.detail_runbook import suspect_of
from opsconsole.ui.screens import silencing
from opsconsole.ui.screens.base import ConsoleScreen
from opsconsole.ui.screens.flags import FlagsScreen


class AlertActions(ConsoleScreen):
    """A screen with a DetailPanel whose keys act on alerts.

    Each action takes the alerts that were under the cursor or marked when its key was pressed, and looks
    them up again by key when it is confirmed.
    """

    scope = Scope.ALERTS
    _acting = False

    @property
    def detail(self) -> DetailPanel:
        return self.query_one(DetailPanel)

    def current(self) -> AlertRow | None:
        """The alert that a key pressed now is about; none on a screen that does not say."""
        return None

    def marked(self) -> tuple[AlertRow, ...]:
        """The marked alerts."""
        return ()

    def group(self) -> tuple[AlertRow, ...]:
        """The alerts that stand together with the one under the cursor: here, those of its name."""
        row = self.current()
        return () if row is None else tuple(r for r in self.snapshot.rows if same_name(r, row))

    def unmark(self) -> None:
        """Forget the marks after an action on them."""

    def focus_now(self) -> Focus:
        row = self.current()
        base = self.base_focus()
        marked = self.marked()
        commands = self.detail.commands if row is not None else ()
        return Focus(
            scope=self.scope,
            read_only=base.read_only,
            undoable=base.undoable,
            writing=base.writing,
            row=row,
            marked=len(marked),
            group=sum(ackable(one) for one in self.group()),
            own=row is not None and own_ack(self.snapshot, row),
            renewable=row is not None and renewable(self.snapshot, row),
            flags_known=self.snapshot.flags is not None and self.snapshot.flags.known(self.snapshot.now),
            command=commands[0] if commands else None,
            copyable=row is not None or bool(marked),
        )

    def _begin(self, action: Callable[..., Coroutine[None, None, None]], *subject: object) -> None:
        """Start an action with its dialogs; a second key typed ahead of the first one's dialog starts none."""
        if not self._acting:
            self._acting = True
            self.run_worker(self._whole(action, *subject), group="actions", exit_on_error=False)

    async def _whole(self, action: Callable[..., Coroutine[None, None, None]], *subject: object) -> None:
        try:
            await action(*subject)
        finally:
            self._acting = False

    def do_ack(self) -> None:
        row = self.current()
        if row is not None and not self.marked() and renewable(self.snapshot, row):
            self._begin(self._do, "ack-again", self.services.runner.ack_again, row.silence)
            return
        rows = self.marked() or ((row,) if row is not None else ())
        self._begin(self._ack, rows)

    def do_ack_group(self) -> None:
        self._begin(self._ack, self.group())

    async def _ack(self, rows: Sequence[AlertRow]) -> None:
        able = [row for row in rows if ackable(row)]
        if not able:
            self.console_app.tell("ack: they are pending, or somebody has them already", severity="warning")
            return
        user = self.snapshot.context.user
        dialog = AckDialog(self.services, able, user=user, reason=self.console_app.ack_reason)
        reason = await self.app.push_screen_wait(dialog)
        if not reason:
            return
        self.console_app.ack_reason = reason
        one = dialog.agreed is not None and dialog.agreed.is_one
        self._report_all("acknowledged", await self._ack_all(able, reason, one=one))
        self.unmark()

    async def _ack_all(self, rows: Sequence[AlertRow], reason: str, *, one: bool) -> list[Outcome]:
        """Acknowledge what is still there, by one silence only when the dialog has said so."""
        outcomes: list[Outcome] = []
        left: list[Alert] = []
        for row in rows:
            refusal = self._why_gone(row)
            if refusal:
                message = safe(refusal, 400)
                outcomes.append(Outcome(op="", action="ack", result=Result.REFUSED, message=message))
            else:
                left.append(row.alert)
        runner = self.services.runner
        try:
            if len(left) == 1:
                outcomes.append(await runner.ack(left[0], reason))
            elif left:
                outcomes += await runner.ack_all(left, reason, one=one)
        except OpsError as error:
            outcomes.append(failed("ack", error))
        return outcomes

    def _why_gone(self, row: AlertRow) -> str:
        """Why an alert can no longer be acknowledged; "" when it can. Only what is known counts."""
        cluster = next((c for c in self.snapshot.clusters if c.name == row.alert.cluster), None)
        if cluster is None or not cluster.alerts.known(self.snapshot.now):
            return ""
        now = find_row(self.snapshot.rows, row.key)
        if now is None:
            return f"{row.alert.name} is gone: it resolved before you confirmed. Nothing was done."
        if now.state is AlertState.ACKED and now.silence is not None:
            reason = safe(now.silence.reason, 200)
            return f"{now.silence.owner} has {row.alert.name} already: {reason}. Nothing was done."
        return ""

    def do_silence(self) -> None:
        row = self.current()
        if row is not None:
            self._begin(self._silence, row)

    async def _silence(self, row: AlertRow) -> None:
        clusters = self.snapshot.clusters
        cluster = row.alert.cluster or (clusters[0].name if clusters else "")
        draft = await self.app.push_screen_wait(
            SilenceForm(self.services, cluster, exact_matchers(row.alert.labels))
        )
        if draft is not None:
            await self._do("silence", self.services.runner.silence, draft)

    def do_template(self) -> None:
        """Pick a template; the alert under the cursor fills its gaps as far as it can."""
        row, clusters = self.current(), self.snapshot.clusters
        cluster = (row.alert.cluster if row is not None else "") or (clusters[0].name if clusters else "")
        labels = dict(row.alert.labels) if row is not None else {}
        self._begin(silencing.from_template, self, cluster, labels)

    def do_edit(self) -> None:
        row = self.current()
        if row is not None and row.silence is not None:
            self._begin(silencing.edit, self, row.silence)

    def do_extend(self) -> None:
        row = self.current()
        if row is not None and row.silence is not None:
            self._begin(silencing.extend, self, row.silence)

    def do_expire(self) -> None:
        row = self.current()
        if row is not None and row.silence is not None:
            self._begin(self._expire, row.silence)

    async def _expire(self, silence: Silence) -> None:
        lines = silence_lines(self, silence)
        title = f"Expire the {'ack' if silence.is_ack else 'silence'}{self.snapshot.place(silence.cluster)}"
        if await self.app.push_screen_wait(ExpireDialog(self.services, title, lines, [silence])):
            await self._do("expire", self.services.runner.expire, silence)

    async def _do(self, action: str, act: Callable[[Silence], Awaitable[Outcome]], subject: Silence) -> None:
        try:
            outcome = await act(subject)
        except OpsError as error:
            outcome = failed(action, error)
        self.console_app.report(outcome)

    def do_run(self) -> None:
        row, commands = self.current(), self.detail.commands
        if row is not None and commands:
            self._begin(self._run, row, commands)

    async def _run(self, row: AlertRow, commands: tuple[Command, ...]) -> None:
        chosen: Command | None = commands[0]
        if len(commands) > 1:
            chosen = await self.app.push_screen_wait(CommandPicker(self.services, commands, row.alert.labels))
        if chosen is None:
            return
        outcome = await self.app.push_screen_wait(CommandDialog(self.services, chosen, row.alert))
        if outcome is not None:
            self.console_app.report(outcome)

    def do_copy(self) -> None:
        marked = self.marked()
        if marked:
            text = trusted("\n\n".join(alert_text(row.alert) for row in marked))
            copy_text(self.app, self.services, f"{len(marked)} alerts", text)
            return
        found, command, row = self.detail.copied(), self.detail.command_in_front, self.detail.row
        if command is not None and row is not None:
            copy_command(self.app, self.services, command, row.alert.labels)
        elif found is not None:
            copy_text(self.app, self.services, *found)

    def do_flags_of_alert(self) -> None:
        """Go to the flag that changed before the alert."""
        row = self.current()
        change = suspect_of(row.alert, self.snapshot.changes) if row is not None else None
        if change is None:
            self.console_app.tell("no flag is known to have changed in the day before this alert")
            return
        self.run_worker(self._go_to_flag(change.key), group="go", exit_on_error=False)

    def do_rollback(self) -> None:
        """Rolling back is done where the diff and the errors are seen: on the Flags screen."""
        self.do_flags_of_alert()

    async def _go_to_flag(self, key: str) -> None:
        await self.app.switch_mode("flags")
        screen = self.app.screen
        if isinstance(screen, FlagsScreen):
            screen.select(key)

    def do_next_tab(self) -> None:
        self.detail.move_tab(1)

    def do_previous_tab(self) -> None:
        self.detail.move_tab(-1)

    def do_range(self) -> None:
        self.detail.next_window()

    def _report_all(self, done: str, outcomes: Sequence[Outcome]) -> None:
        """One message for one outcome; for several, those that did not end well and how many did."""
        for outcome in outcomes:
            if len(outcomes) == 1 or outcome.result is not Result.DONE:
                self.console_app.report(outcome)
        good = sum(outcome.result is Result.DONE for outcome in outcomes)
        if len(outcomes) > 1 and good:
            self.console_app.tell(f"{good} of {len(outcomes)} {done}{shows_on(outcomes)}")
            self.services.engine.refresh()


def find_row(rows: Sequence[AlertRow], key: str) -> AlertRow | None:
    """The row with this key."""
    return next((row for row in rows if row.key == key), None)


def silence_lines(screen: ConsoleScreen, silence: Silence) -> list[str | Text]:
    """A silence in words, for a dialog."""
    services, now = screen.services, screen.snapshot.now_at(silence.cluster)
    theme = services.theme
    return [
        Text(safe(", ".join(str(m) for m in silence.matchers), 2000), style=theme["strong"]),
        f"by {silence.owner}: {safe(silence.reason, 2000)}",
        f"ends {exact(silence.ends, services.zone, now)}, {left(silence.ends - now)} left",
    ]
