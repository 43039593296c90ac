"""The lines of the alert list: an alert, a group's heading, and how many there are."""

from __future__ import annotations

from rich.text import Text

from opsconsole.model.alertlist import AlertRow, ListOptions, distinguishing
from opsconsole.model.alerts import Alert
from opsconsole.model.severity import AlertState
from opsconsole.render.alerts import alert_row
from opsconsole.render.glyphs import SEVERITY_STYLES
from opsconsole.render.row import Row
from opsconsole.render.status import SourceStatus, source_status
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted
from opsconsole.ui.panels.alert_items import Heading, Items
from opsconsole.ui.services import Services


def alert_sources(snapshot: Snapshot) -> list[SourceStatus]:
    """What is known of each cluster's alerts."""
    return [
        source_status(trusted(f"Alertmanager {safe(c.name, 30)}"), c.alerts, snapshot.now)
        for c in snapshot.clusters
    ]


def what_distinguishes(snapshot: Snapshot, alert: Alert) -> SafeText:
    """The labels that tell an alert from others of its name; those that the playbook names come first."""
    name = alert.labels.get("alertname", "")
    guides = (p.alerts[name].distinguish for p in snapshot.playbooks if name in p.alerts)
    return distinguishing(alert, snapshot.shared.get(name, frozenset()), next(guides, ()))


def draw_alert(
    services: Services,
    snapshot: Snapshot,
    row: AlertRow,
    width: int,
    *,
    selected: bool = False,
    marked: bool = False,
    hold: float | None = None,
) -> Text:
    """One alert of a snapshot as a row of exactly `width` cells."""
    return alert_row(
        row,
        width=width,
        now=snapshot.now_at(row.alert.cluster),
        glyphs=services.glyphs,
        theme=services.theme,
        distinguishing=what_distinguishes(snapshot, row.alert),
        extender=snapshot.extended_by(row.silence),
        mark=snapshot.mark_of(row.silence),
        user=snapshot.context.user,
        marked=marked,
        selected=selected,
        hold=hold,
    )


def any_pending(snapshot: Snapshot) -> bool:
    """Whether a row is pending: these are sorted last."""
    return bool(snapshot.rows) and snapshot.rows[-1].state is AlertState.PENDING


def holds_of(snapshot: Snapshot) -> dict[str, float]:
    """The `for:` of each rule by its alert's name, seconds."""
    groups = snapshot.rules.data if snapshot.rules is not None else None
    return {str(rule.name): rule.duration for group in groups or () for rule in group.rules}


def draw_heading(services: Services, heading: Heading, group_by: str, width: int) -> Text:
    """The heading of a group of alerts."""
    theme, glyphs = services.theme, services.glyphs
    row = Row(width, glyphs)
    rule = glyphs.box[4]
    row.add(f"{rule}{rule} ", theme["border"])
    name = "" if group_by == "alertname" else f"{safe(group_by, 60)}="
    row.add(f"{name}{safe(heading.value, 120) or '(none)'}", theme["title"])
    row.add(f"  {heading.count:,} ", theme[SEVERITY_STYLES[heading.worst]])
    row.add(rule * max(0, row.left), theme["border"])
    return row.done()


def count_line(
    services: Services, items: Items, options: ListOptions, width: int, *, marked: int, filtering: bool
) -> Text:
    """How many alerts the list holds, by what it was made, and what it does not show."""
    theme = services.theme
    row = Row(width, services.glyphs)
    row.add(f" {items.shown:,} of {items.total:,}", theme["strong"])
    if marked:
        row.add(f"  {marked:,} marked", theme["marked"])
    if options.filter and not filtering:
        row.add("  filter: ", theme["dim"])
        row.add(safe(options.filter, 200), theme["key"])
    if options.group_by:
        row.add(f"  grouped by {safe(options.group_by, 60)}", theme["dim"])
    hidden = (
        (items.inhibited_hidden, "inhibited", "i"),
        (items.suppressed_hidden, "suppressed", "e"),
        (items.pending_hidden, "pending", "p"),
    )
    said = [f"{what} {count:,} ({key})" for count, what, key in hidden if count]
    if said:
        row.add(f"  hidden: {', '.join(said)}", theme["dim"])
    return row.done()
