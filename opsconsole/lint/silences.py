"""Rules about the templates of silences: that each could hide something, and not for long."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from opsconsole.config.documents import entries, inside
from opsconsole.config.nodes import Node
from opsconsole.config.reader import nearest
from opsconsole.lint.finding import WARNING, Spot
from opsconsole.lint.folder import Folder
from opsconsole.model.matchers import Matcher
from opsconsole.model.silence_templates import PLACEHOLDER, SilenceTemplate

LONG = 24 * 3600.0
"""Seconds; what is hidden for longer is forgotten."""


def unknown(folder: Folder) -> Iterator[Spot]:
    """The alerts and jobs that the matchers name are those of this playbook."""
    known = {
        "alertname": {alert.name for alert in folder.alerts},
        "job": {job.name for job in folder.known_playbook.jobs},
    }
    for template, node in _templates(folder):
        items = inside(node, "matchers")
        lines = [item.line for item in items.items] if items is not None else []
        for matcher, line in zip(template.matchers, lines, strict=False):
            names = known.get(matcher.name, set())
            if names and not PLACEHOLDER.search(matcher.value) and _names_nothing(matcher, names):
                what = "alert of rules.yaml" if matcher.name == "alertname" else "job of this playbook"
                text = f"the template {template.name}: {matcher} matches no {what}"
                yield Spot(folder.source.path, line, text, nearest(matcher.value, names))


def long(folder: Folder) -> Iterator[Spot]:
    """No template lasts longer than a day."""
    for template, node in _templates(folder):
        if template.duration > LONG:
            entry = entries(node).get("duration")
            text = f"the template {template.name} lasts longer than a day: what it hides is forgotten by then"
            hint = "let it be extended instead"
            yield Spot(folder.source.path, entry.line if entry is not None else node.line, text, hint, WARNING)


def _templates(folder: Folder) -> Iterator[tuple[SilenceTemplate, Node]]:
    """The templates that could be read, with their nodes."""
    listed = inside(folder.source.root, "silences")
    by_name = {template.name: template for template in folder.known_playbook.silences}
    for node in listed.items if listed is not None else ():
        name = entries(node).get("name")
        template = by_name.pop(name.text, None) if name is not None else None
        if template is not None:
            yield template, node


def _names_nothing(matcher: Matcher, names: Collection[str]) -> bool:
    """Whether a matcher speaks of none of the names: an exclusion of what is not there is a mistake too."""
    positive = Matcher(matcher.name, matcher.value, is_regex=matcher.is_regex)
    return not any(positive.matches({matcher.name: name}) for name in names)
