"""Reading the templates of silences of a playbook."""

from __future__ import annotations

from opsconsole.config import playbook_keys as keys
from opsconsole.config.nodes import Kind
from opsconsole.config.panels import Ids
from opsconsole.config.reader import Section
from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matchers
from opsconsole.model.silence_templates import PLACEHOLDER, SilenceTemplate, refuse_everything, template_matcher
from opsconsole.text import safe

LEAST, MOST = 60.0, 30 * 86400.0
"""Seconds that a template may last."""

_SHAPE = "- {name: deploy, duration: 30m, comment: …, matchers: ['alertname=\"…\"']}"


def read_silences(root: Section) -> tuple[SilenceTemplate, ...]:
    """The templates; what has a problem is left out of them."""
    names = Ids("template", "name")
    found = [_template(section, names) for section in root.sections("silences", _SHAPE)]
    return tuple(template for template in found if template is not None)


def _template(section: Section, names: Ids) -> SilenceTemplate | None:
    section.only(keys.SILENCE, {"for": "it is called duration", "labels": "write them as matchers"})
    name = names.read(section)
    matchers = _matchers(section)
    comment = section.text("comment", required=True, outside=True)
    if any(braces in PLACEHOLDER.sub("", comment) for braces in ("{{", "}}")):
        section.problem("has braces that are no placeholder", 'write a placeholder as "{{ticket}}"', at="comment")
    duration = section.duration("duration", 3600.0, LEAST, MOST)
    title = safe(section.text("title", name, outside=True), 80)
    if not matchers or not name:
        return None
    return SilenceTemplate(
        name=name, title=title, duration=duration, comment=safe(comment.strip(), 400), matchers=matchers
    )


def _matchers(section: Section) -> Matchers:
    value = section.get("matchers", required=True, hint="['job=\"shop\"', 'instance=\"{{instance}}\"']")
    if value is None:
        return ()
    items = value.items("['job=\"shop\"']")
    if not items:
        if value.node.kind is Kind.LIST:
            value.problem("is empty", "a silence needs a matcher")
        return ()
    found = []
    for item in items:
        text = item.text(outside=True)
        if text is None:
            continue
        try:
            found.append(template_matcher(text))
        except UsageError as error:
            item.problem(error.message, error.hint)
    try:
        if len(found) == len(items):
            refuse_everything(found)
    except UsageError as error:
        value.problem(error.message, error.hint)
        return ()
    return tuple(found)
