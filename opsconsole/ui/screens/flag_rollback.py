"""Rolling a flag back and restoring it: plan, show, ask, do."""

from __future__ import annotations

from rich.text import Text

from opsconsole.model.flags import Flag, RollbackPlan
from opsconsole.model.journal import Outcome
from opsconsole.model.rollback_choices import Choice, choices
from opsconsole.text import SafeText, safe
from opsconsole.ui.dialogs.base import Dialog
from opsconsole.ui.dialogs.confirm import ConfirmDialog, TypedConfirmDialog
from opsconsole.ui.dialogs.rollback import RollbackDialog
from opsconsole.ui.screens.base import ConsoleScreen
from opsconsole.ui.screens.flag_story import able, noted, proposed, worst_firing

_LINE = 500
"""Characters of a line of a plan's diff that are shown."""


async def rolled_back(screen: ConsoleScreen, flag: Flag) -> Outcome | None:
    """Roll a flag back in the way that is proposed, or another one that a person chooses; None when nobody
    agreed. Raises OpsError when it cannot be planned."""
    snapshot, runner = screen.snapshot, screen.services.runner
    proposal = proposed(snapshot, flag)
    worst = worst_firing(snapshot)
    onset = worst.alert.since if worst is not None else None
    plan = await runner.plan_rollback(flag.key, proposal.kind, "", onset)
    ways = list(choices(flag, snapshot.changes, able(snapshot)))
    at = next((i for i, way in enumerate(ways) if way.kind is plan.kind and way.version == plan.version), None)
    if at is None:
        words = proposal.words if plan.kind is proposal.kind else safe(plan.kind.value)
        ways, at = [Choice(kind=plan.kind, words=words, version=plan.version), *ways], 0

    async def load(choice: Choice) -> RollbackPlan:
        return await runner.plan_rollback(flag.key, choice.kind, choice.version, onset)

    dialog = RollbackDialog(
        screen.services,
        plan,
        ways,
        at,
        load,
        why=proposal.why if plan.kind is proposal.kind else safe(""),
        place=_place(screen),
        name=flag.key if snapshot.context.production else "",
    )
    agreed = await screen.app.push_screen_wait(dialog)
    return await runner.rollback(agreed, extra=noted(snapshot)) if agreed is not None else None


async def restored(screen: ConsoleScreen, flag: Flag) -> Outcome | None:
    """Bring back what stood before a flag's rollback; None when nobody agreed. Raises OpsError when it cannot be
    planned."""
    plan = await screen.services.runner.plan_restore(flag.key)
    if not await screen.app.push_screen_wait(_restoring(screen, flag, plan)):
        return None
    return await screen.services.runner.restore(flag.key, plan)


def _restoring(screen: ConsoleScreen, flag: Flag, plan: RollbackPlan) -> Dialog[bool]:
    theme = screen.services.theme
    lines: list[str | Text] = [
        Text(f"Restore = bring back what stood before the rollback: {plan.words}", style=theme["strong"]),
        f"in {_place(screen)}",
        "",
    ]
    for part in plan.diff.split("\n"):
        style = {"+": "ok", "-": "critical"}.get(part[:1], "dim")
        lines.append(Text(safe(part, _LINE), style=theme[style]))
    title = f"Restore {flag.name}"
    if screen.snapshot.context.production:
        return TypedConfirmDialog(screen.services, title, lines, name=flag.key, verb="restore")
    return ConfirmDialog(screen.services, title, lines, verb="restore")


def _place(screen: ConsoleScreen) -> SafeText:
    context = screen.snapshot.context
    return safe(f"{safe(context.name, 60)} {context.environment.upper()}")
