"""`opsconsole silence templates`, and what `silence add` makes of a template."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from opsconsole.cli.options import connected
from opsconsole.cli.silence_words import matchers_of
from opsconsole.cli.tables import CELL, write_table
from opsconsole.cli.wiring import load_playbooks, resolve
from opsconsole.config.discover import Options
from opsconsole.config.schema import Context
from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matchers, format_matchers
from opsconsole.model.silence_templates import find_template
from opsconsole.render.times import format_duration, parse_duration
from opsconsole.text import safe

DEFAULT = 3600.0
"""Seconds that a silence lasts when nothing says otherwise, as amtool's."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a silence is to be: its matchers, comment and seconds."""

    matchers: Matchers
    comment: str
    seconds: float


def asked_of(
    context: Context, words: Sequence[str], template: str, values: Sequence[str], comment: str, duration: str
) -> Asked:
    """What the arguments of `silence add` ask for. Raises UsageError, and ConfigError of a playbook."""
    matchers, seconds = matchers_of(words), DEFAULT
    if template:
        books = [(book.system, book.silences) for book in load_playbooks(context, runbooks=False)]
        _, found = find_template(books, template)
        filled, proposed = found.fill(_values(values, found.placeholders))
        matchers = tuple(dict.fromkeys((*filled, *matchers)))
        comment, seconds = comment.strip() or proposed, found.duration
    elif values:
        raise UsageError("--set fills the gaps of a template", hint="name it with --template")
    if not matchers:
        raise UsageError("a silence needs a matcher", hint="opsconsole silence add alertname=HighLatency -c why")
    if not comment.strip():
        raise UsageError("the comment is empty", hint="-c TEXT: why, for whoever reads it next")
    if duration:
        seconds = parse_duration(duration)
    if seconds <= 0:
        raise UsageError("a silence must last longer than nothing", hint="--duration 30m")
    return Asked(matchers=matchers, comment=comment.strip(), seconds=seconds)


def _values(given: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign:
            raise UsageError(f"--set {safe(text, 60)} has no value", hint="--set NAME=VALUE")
        if name not in wanted:
            words = ", ".join(wanted) or "none"
            raise UsageError(f"the template has no gap {safe(name, 60)}", hint=f"its gaps: {words}")
        found[name] = value
    return found


@connected
def templates(options: Options) -> None:
    """List the templates of silences in the playbooks of the context."""
    books = load_playbooks(resolve(options), runbooks=False)
    rows = [
        [
            safe(template.name),
            safe(book.system),
            template.title,
            format_duration(template.duration),
            safe(", ".join(template.placeholders) or "-"),
            safe(format_matchers(template.matchers), CELL),
        ]
        for book in books
        for template in book.silences
    ]
    if not rows:
        raise UsageError("no playbook of this context has templates for silences", hint="use --playbook NAME")
    write_table(["template", "system", "for", "lasts", "to fill", "matchers"], rows)
