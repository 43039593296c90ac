"""Who takes an alert, and why."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from opsconsole.model.alertlist import AlertRow
from opsconsole.model.alerts import Alert
from opsconsole.render.glyphs import SEVERITY_STYLES, severity_label
from opsconsole.text import safe
from opsconsole.ui.dialogs.prompt import PromptDialog
from opsconsole.ui.services import Services

_LISTED = 12


class AckDialog(PromptDialog):
    """Asks for the reason of an acknowledgement of these alerts; gives the reason."""

    def __init__(self, services: Services, rows: Sequence[AlertRow], *, user: str, reason: str) -> None:
        count = len(rows)
        what = "this alert" if count == 1 else f"these {count} alerts"
        snapshot = services.engine.snapshot
        extender = snapshot.extender
        places = dict.fromkeys(snapshot.place(row.alert.cluster) for row in rows)
        where = ",".join(places)
        keeps = "" if extender == "nobody" else f", extended by {extender} while it fires"
        lines = [
            *alert_lines(services, [row.alert for row in rows]),
            Text(f"Silences exactly {what}{where} for 15m as {user}{keeps}.", style=services.theme["dim"]),
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
