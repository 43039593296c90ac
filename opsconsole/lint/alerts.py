"""Rules about alerts: what `rules.yaml`, `playbook.yaml`, the runbooks and the tests say of each other."""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.config.playbook_keys import SEVERITIES
from opsconsole.config.reader import nearest
from opsconsole.lint.finding import WARNING, Spot
from opsconsole.lint.folder import Folder
from opsconsole.model.promql import split_comparison
from opsconsole.model.runbooks import runbook_by_url, runbook_for


def once(folder: Folder) -> Iterator[Spot]:
    """No two alerts have one name."""
    first: dict[str, int] = {}
    for alert in folder.alerts:
        if alert.name in first:
            hint = f"the first is on line {first[alert.name]}"
            yield Spot(folder.rules.path, alert.line, f"there are two alerts named {alert.name}", hint)
        first.setdefault(alert.name, alert.line)


def known(folder: Folder) -> Iterator[Spot]:
    """Every alert that is spoken of is in `rules.yaml`."""
    if folder.rules.root is None:
        return
    names = {alert.name for alert in folder.alerts}
    for name in folder.known_playbook.alerts:
        entry = folder.entry("alerts", name)
        if name not in names:
            text = f"the alert {name} is not in rules.yaml"
            yield Spot(folder.source.path, entry.line if entry else 0, text, nearest(name, names))
    for book in folder.books:
        for name in book.runbook.alerts:
            if name not in names:
                text = f"the alert {name} is not in rules.yaml"
                yield Spot(book.path, book.front_line("alerts"), text, nearest(name, names))
    for entry in folder.guard_alerts:
        if entry.text not in names:
            text = f"the alert {entry.text} is not in rules.yaml: no page of the guard can join it"
            yield Spot(folder.source.path, entry.line, text, nearest(entry.text, names))
    for test in folder.rule_tests:
        if test.alert not in names:
            text = f"the alert {test.alert} is not in rules.yaml: a test that it does not fire proves nothing"
            yield Spot(folder.tests.path, test.line, text, nearest(test.alert, names))


def listed(folder: Folder) -> Iterator[Spot]:
    """Every alert of `rules.yaml` is in `playbook.yaml`."""
    if folder.playbook is None:
        return
    for alert in folder.alerts:
        if alert.name not in folder.playbook.alerts:
            hint = nearest(alert.name, set(folder.playbook.alerts) - {a.name for a in folder.alerts})
            text = f"the alert {alert.name} is not in the alerts of playbook.yaml"
            yield Spot(folder.rules.path, alert.line, text, hint)


def severity(folder: Folder) -> Iterator[Spot]:
    """Every alert has one of the severities that the playbook names."""
    if folder.is_broken("severities"):
        return
    allowed = folder.known_playbook.severities or SEVERITIES
    for alert in folder.alerts:
        entry = alert.labels.get("severity")
        if entry is None:
            text = f"the alert {alert.name} has no severity"
            yield Spot(folder.rules.path, alert.line, text, f"labels: {{severity: {allowed[0]}}}")
        elif entry.text not in allowed:
            text = f"the alert {alert.name} has the severity `{entry.text}`, which this playbook does not know"
            yield Spot(folder.rules.path, entry.line, text, nearest(entry.text, allowed))


def panel(folder: Folder) -> Iterator[Spot]:
    """The panel that an annotation names is on a dashboard."""
    ids = {panel.id for dashboard in folder.known_playbook.dashboards for panel in dashboard.panels}
    for alert in folder.alerts if folder.playbook is not None else ():
        entry = alert.annotations.get("dashboard_panel")
        if entry is not None and entry.text not in ids:
            text = f"the alert {alert.name} names the panel `{entry.text}`, which is on no dashboard"
            yield Spot(folder.rules.path, entry.line, text, nearest(entry.text, ids))


def drawable(folder: Folder) -> Iterator[Spot]:
    """Every alert compares a value with a number, so that both can be drawn."""
    for alert in folder.alerts:
        if alert.expr is not None and split_comparison(alert.expr.text) is None:
            text = f"the alert {alert.name} is not `value > number` at its top level: its graph has no bound"
            hint = "put conditions inside the value: (… and …) > 5"
            yield Spot(folder.rules.path, alert.expr.line, text, hint, WARNING)


def has_runbook(folder: Folder) -> Iterator[Spot]:
    """Every alert has a runbook."""
    playbook = folder.known_playbook
    for alert in folder.alerts if folder.playbook is not None else ():
        url = alert.annotations.get("runbook_url")
        if runbook_for(playbook, alert.name, url.text if url is not None else "") is None:
            hint = f"write runbooks/NAME.md with `alerts: [{alert.name}]` in its front matter"
            yield Spot(folder.rules.path, alert.line, f"the alert {alert.name} has no runbook", hint)


def runbook_url(folder: Folder) -> Iterator[Spot]:
    """Every alert's `runbook_url` leads to its runbook."""
    playbook = folder.known_playbook
    for alert in folder.alerts if folder.playbook is not None else ():
        entry = alert.annotations.get("runbook_url")
        own = runbook_for(playbook, alert.name)
        if entry is None:
            text = f"the alert {alert.name} has no runbook_url"
            yield Spot(folder.rules.path, alert.line, text, "others who are paged look there")
            continue
        found = runbook_by_url(playbook, entry.text)
        if found is None:
            text = f"the runbook_url of {alert.name} leads to no runbook of this playbook"
            yield Spot(folder.rules.path, entry.line, text, "its last part is the name of a file of runbooks/")
        elif own is not None and own is not found:
            text = f"the runbook_url of {alert.name} leads to the runbook of another alert"
            yield Spot(folder.rules.path, entry.line, text, f"its own is {own.path}")


def used(folder: Folder) -> Iterator[Spot]:
    """Every runbook has an alert."""
    if folder.rules.root is None or folder.playbook is None:
        return
    names = {alert.name for alert in folder.alerts}
    reached = set()
    for alert in folder.alerts:
        url = alert.annotations.get("runbook_url")
        for book in (
            runbook_for(folder.playbook, alert.name),
            runbook_by_url(folder.playbook, url.text) if url is not None else None,
        ):
            if book is not None:
                reached.add(book.path)
    for item in folder.books:
        if item.runbook.path not in reached and not set(item.runbook.alerts) - names:
            yield Spot(
                item.path, 1, "no alert has this runbook", "name its alerts in the front matter: alerts: […]"
            )


def tested(folder: Folder) -> Iterator[Spot]:
    """Every alert is shown firing and shown not firing."""
    if folder.tests.root is None:
        return
    shown = {(test.alert, test.fires) for test in folder.rule_tests}
    for alert in folder.alerts:
        for fires, words in ((True, "firing"), (False, "not firing")):
            if (alert.name, fires) not in shown:
                hint = "an alert_rule_test with exp_alerts: " + ("[{…}]" if fires else "[]")
                text = f"rules.test.yaml does not show the alert {alert.name} {words}"
                yield Spot(folder.rules.path, alert.line, text, hint)
