"""Who takes an alert, and why."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from opsconsole.actions.ack import AckPlan
from opsconsole.model.acks import THIS_CONSOLE
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.alerts import Alert
from opsconsole.render.glyphs import SEVERITY_STYLES, severity_label
from opsconsole.render.times import format_duration
from opsconsole.text import safe
from opsconsole.ui.dialogs.base import words
from opsconsole.ui.dialogs.prompt import PromptDialog
from opsconsole.ui.services import Services

_LISTED = 12


class AckDialog(PromptDialog):
    """Asks for the reason of an acknowledgement of these alerts; gives the reason.

    For several it says whether it will be one silence or one each, once Alertmanager has said what one would hide;
    `agreed` is what it said when it was left, None when it did not say yet.
    """

    def __init__(self, services: Services, rows: Sequence[AlertRow], *, user: str, reason: str) -> None:
        self._alerts = [row.alert for row in rows]
        self.agreed: AckPlan | None = None
        count = len(rows)
        snapshot = services.engine.snapshot
        lasts = format_duration(snapshot.context.acks.duration)
        extender = snapshot.extender
        where = ",".join(dict.fromkeys(snapshot.place(row.alert.cluster) for row in rows))
        fires = "it fires" if count == 1 else "they fire"
        keeps = "" if extender == "nobody" else f", extended by {extender} while {fires}"
        if extender == THIS_CONSOLE:
            keeps += f" until it is {format_duration(snapshot.context.acks.max_age)} old"
        what = "exactly this alert" if count == 1 else f"these {count} alerts"
        lines = [
            *alert_lines(services, self._alerts),
            Text(f"Silences {what}{where} for {lasts} as {user}{keeps}.", style=services.theme["dim"]),
        ]
        title = "Acknowledge" if count == 1 else f"Acknowledge {count} alerts"
        super().__init__(
            services,
            title,
            lines,
            label="Reason",
            default=reason,
            verb="acknowledge",
            empty="say why in a word, such as: looking",
        )

    def inside(self) -> ComposeResult:
        if len(self._alerts) > 1:
            asking = "asking Alertmanager whether one silence would hide exactly these"
            yield words(asking, self.services.theme["dim"], id="ack-plan")
        yield from super().inside()

    def on_mount(self) -> None:
        super().on_mount()
        if len(self._alerts) > 1:
            self.run_worker(self._ask(), group="ack-plan", exit_on_error=False)

    async def _ask(self) -> None:
        plan = await self.services.runner.plan_ack(self._alerts)
        self.agreed = plan
        if self.is_mounted:
            style = self.services.theme["strong" if plan.is_one else "warning"]
            said = plan.why[:1].upper() + plan.why[1:]
            self.query_one("#ack-plan", Static).update(Text(f"{said}.", style=style))


def alert_lines(services: Services, alerts: Sequence[Alert], limit: int = _LISTED) -> list[Text]:
    """A line per alert: severity, name and all its other labels."""
    lines: list[Text] = []
    for alert in alerts[:limit]:
        line = Text(no_wrap=False)
        style = services.theme[SEVERITY_STYLES[alert.severity]]
        line.append(severity_label(alert.severity, services.glyphs), style)
        line.append(f"  {alert.name}  ", services.theme["strong"])
        rest = {n: v for n, v in sorted(alert.labels.items()) if n not in {"alertname", "severity"}}
        line.append(safe(" ".join(f"{n}={v}" for n, v in rest.items()), 300))
        lines.append(line)
    if len(alerts) > limit:
        lines.append(Text(f"… and {len(alerts) - limit:,} more", style=services.theme["dim"]))
    return lines
