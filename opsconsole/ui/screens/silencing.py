"""What can be done to a silence, with its dialogs: the same on the Silences screen and on an alert's silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from opsconsole.actions.silence import plain_comment
from opsconsole.errors import OpsError
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.journal import Outcome, Result, shows_on
from opsconsole.model.matchers import Matchers, format_matchers
from opsconsole.model.radius import Limits, Radius, changed, not_known, reasons
from opsconsole.model.silence_changes import changes_between
from opsconsole.model.silence_templates import proposals
from opsconsole.model.silences import Silence
from opsconsole.render.times import format_duration, left
from opsconsole.text import safe
from opsconsole.ui.dialogs.confirm import ConfirmDialog, TypedConfirmDialog
from opsconsole.ui.dialogs.expire import ExpireDialog
from opsconsole.ui.dialogs.silence_edit import EditForm, ExtendDialog
from opsconsole.ui.dialogs.silence_form import SilenceForm
from opsconsole.ui.dialogs.silence_now import change_lines, radius_lines
from opsconsole.ui.dialogs.silence_template import FillDialog, TemplatePicker
from opsconsole.ui.screens.base import ConsoleScreen

_LISTED = 12
"""Silences that a question about several lists."""


async def create(
    screen: ConsoleScreen,
    cluster: str,
    matchers: Matchers = (),
    *,
    until: str = "2h",
    comment: str = "",
    again: str = "",
) -> None:
    """Ask for a silence and make it; `again` is the id of the expired one that it is made like."""
    form = SilenceForm(screen.services, cluster, matchers, until=until, comment=comment)
    draft = await screen.app.push_screen_wait(form)
    if draft is not None:
        screen.console_app.report(await screen.services.runner.silence(draft, again))


async def recreate(screen: ConsoleScreen, silence: Silence) -> None:
    """Make an expired one again, as long as it was, from now on; its preview is a new one."""
    seconds = round(silence.ends - silence.starts_at.timestamp())
    comment = plain_comment(silence).replace("\n", " ").strip()
    until = format_duration(max(60, seconds))
    again = silence.id
    await create(screen, silence.cluster, silence.matchers, until=until, comment=comment, again=again)


async def edit(screen: ConsoleScreen, silence: Silence) -> None:
    """Edit it; when someone else has changed it meanwhile, show what, and begin again from that if wanted."""
    current: Silence | None = silence
    while current is not None:
        wanted = await screen.app.push_screen_wait(EditForm(screen.services, current))
        if wanted is None:
            return
        outcome = await screen.services.runner.edit(current, wanted)
        current = await _after_conflict(screen, current, outcome)


async def _after_conflict(screen: ConsoleScreen, before: Silence, outcome: Outcome) -> Silence | None:
    """What to begin again from, after the difference was shown; None when the edit has ended."""
    fresh = await _changed_since(screen, before) if outcome.result is Result.REFUSED else None
    if fresh is None:
        screen.console_app.report(outcome)
        return None
    lines = [*str(outcome.message).split("\n"), "", "It is now:", safe(format_matchers(fresh.matchers), 600)]
    lines.append(f"by {fresh.created_by}: {safe(plain_comment(fresh), 400)}")
    dialog = ConfirmDialog(screen.services, "Somebody else changed it", lines, verb="edit what it is now")
    screen.services.engine.refresh()
    return fresh if await screen.app.push_screen_wait(dialog) else None


async def _changed_since(screen: ConsoleScreen, before: Silence) -> Silence | None:
    """The silence as it is now, or what took its place, when that differs and can be edited."""
    runner = screen.services.runner
    try:
        now = await runner.read(before.cluster, before.id)
        if now is not None and now.status.state == "expired":
            now = await runner.successor(now)
    except OpsError:
        return None
    return now if now is not None and (now.id != before.id or changes_between(before, now)) else None


async def extend(screen: ConsoleScreen, silence: Silence) -> None:
    """Ask until when and move its end. Longer than the configured maximum asks for the number of alerts."""
    until = await screen.app.push_screen_wait(ExtendDialog(screen.services, silence))
    if until is None or not await _long_enough(screen, silence, until, screen.snapshot.context.limits):
        return
    screen.console_app.report(await screen.services.runner.extend(silence, until))


async def _long_enough(screen: ConsoleScreen, silence: Silence, until: float, limits: Limits) -> bool:
    services, change = screen.services, None
    radius = await _hidden(screen, silence)
    while why := reasons(Radius(), until - screen.snapshot.now_at(silence.cluster), limits):
        lines: list[str | Text] = [*change_lines(services, change), *why]
        lines += radius_lines(services, radius, limit=8)
        dialog = TypedConfirmDialog(
            services,
            "Extend it so far?",
            [*lines, safe(format_matchers(silence.matchers), 600)],
            name=radius.answer,
            noun="number",
            verb="extend",
        )
        if not await screen.app.push_screen_wait(dialog):
            return False
        before, radius = radius, await _hidden(screen, silence)
        change = changed(before, radius)
        if change is None:
            break
    return True


async def _hidden(screen: ConsoleScreen, silence: Silence) -> Radius:
    try:
        return await screen.services.runner.preview(silence.cluster, silence.matchers)
    except OpsError as error:
        return not_known(error)


async def expire(screen: ConsoleScreen, silences: Sequence[Silence]) -> bool:
    """List what is to end and which alerts come back, and end it after a yes. Whether there was one."""
    one = len(silences) == 1
    place = screen.snapshot.place(silences[0].cluster) if one else ""
    title = f"Expire this silence{place}" if one else f"Expire {len(silences)} silences"
    verb = "expire it" if one else f"expire all {len(silences)}"
    dialog = ExpireDialog(screen.services, title, expiry_lines(screen, silences), silences, verb=verb)
    if not await screen.app.push_screen_wait(dialog):
        return False
    app, runner = screen.console_app, screen.services.runner
    if one:
        app.report(await runner.expire(silences[0]))
        return True
    outcomes = await runner.expire_all(silences)
    for outcome in outcomes:
        if outcome.result is not Result.DONE:
            app.report(outcome)
    done = sum(outcome.result is Result.DONE for outcome in outcomes)
    app.tell(f"expired {done} of {len(outcomes)} silences{shows_on(outcomes)}; one undo brings them back")
    screen.services.engine.refresh()
    return True


def expiry_lines(screen: ConsoleScreen, silences: Sequence[Silence]) -> list[str]:
    """The silences that are to end."""
    snapshot, several = screen.snapshot, len(silences) > 1
    lines: list[str] = []
    for silence in silences[:_LISTED]:
        place = snapshot.place(silence.cluster) if several else ""
        rest = left(silence.ends - snapshot.now_at(silence.cluster))
        lines.append(safe(format_matchers(silence.matchers), 600 if not several else 200))
        lines.append(f"  by {silence.owner}: {safe(silence.reason, 400)}; it would end in {rest}{place}")
    if len(silences) > _LISTED:
        lines.append(f"  and {len(silences) - _LISTED} more")
    return [*lines, ""]


def hidden_by(screen: ConsoleScreen) -> dict[str, list[AlertRow]]:
    """The alerts that each silence hides, as Alertmanager says, by silence id."""
    found: dict[str, list[AlertRow]] = {}
    for row in screen.snapshot.rows:
        for silence_id in row.alert.status.silenced_by:
            found.setdefault(silence_id, []).append(row)
    return found


async def from_template(screen: ConsoleScreen, cluster: str, labels: Mapping[str, str]) -> None:
    """Pick a template, fill its gaps, of which the labels propose some, and open the form with it."""
    books = screen.snapshot.playbooks
    templates = [(book.system, template) for book in books for template in book.silences]
    if not templates:
        screen.console_app.tell("no playbook of this context has templates for silences", severity="warning")
        return
    template = await screen.app.push_screen_wait(TemplatePicker(screen.services, templates))
    if template is None:
        return
    values: dict[str, str] | None = {}
    if template.placeholders:
        fill = FillDialog(screen.services, template, proposals(template, labels))
        values = await screen.app.push_screen_wait(fill)
    if values is not None:
        matchers, comment = template.fill(values)
        await create(screen, cluster, matchers, until=format_duration(template.duration), comment=comment)
