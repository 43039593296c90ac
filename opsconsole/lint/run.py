"""All rules, and running them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opsconsole.clock import Clock, SystemClock
from opsconsole.lint import alerts, books, commands, files, servers, silences
from opsconsole.lint.finding import WARNING, Finding, Rule, finding
from opsconsole.lint.folder import Folder
from opsconsole.lint.tools import Tools, find_tools
from opsconsole.text import safe

_FARTHEST = timedelta(hours=14)
"""How far ahead of UTC a day may have begun somewhere."""

RULES = (
    Rule("schema", "playbook.yaml and the front matter of runbooks can be read.", files.schema),
    Rule("yaml", "The other YAML files can be read.", files.plain_yaml),
    Rule("files", "Alerts come with their rules, and rules with their tests.", files.there),
    Rule("size", "A runbook has at most 64 KiB, a playbook at most 1 MB.", files.size),
    Rule(
        "promql",
        "promtool accepts the rules, and the other expressions of the playbook.",
        servers.promql,
    ),
    Rule("routing", "amtool accepts alertmanager.yaml.", servers.routing),
    Rule("alert-twice", "No two alerts have one name.", alerts.once),
    Rule("alert-unknown", "Every alert that is spoken of is in rules.yaml.", alerts.known),
    Rule("alert-unlisted", "Every alert of rules.yaml is in playbook.yaml.", alerts.listed),
    Rule("alert-untested", "rules.test.yaml shows every alert firing and not firing.", alerts.tested),
    Rule("alert-graph", "Every alert compares a value with a number, so that it can be drawn.", alerts.drawable),
    Rule("severity", "Every alert has a severity that the playbook knows.", alerts.severity),
    Rule("dashboard-panel", "The panel that an alert names is there.", alerts.panel),
    Rule("runbook-missing", "Every alert has a runbook.", alerts.has_runbook),
    Rule("runbook-unused", "Every runbook has an alert.", alerts.used),
    Rule("runbook-url", "The runbook_url of every alert leads to its runbook.", alerts.runbook_url),
    Rule("runbook-sections", "A runbook has a meaning, steps and an escalation.", books.sections),
    Rule("runbook-owner", "A runbook has an owner, or the playbook has.", books.owner),
    Rule(
        "runbook-reviewed",
        "A runbook, or the playbook, has been reviewed, not in the future.",
        books.reviewed,
    ),
    Rule("link", "Relative links lead somewhere.", books.dead_links),
    Rule("silence-unknown", "Templates of silences name alerts and jobs that are there.", silences.unknown),
    Rule("silence-long", "No template of a silence lasts longer than a day.", silences.long),
    Rule("shell-syntax", "bash can read every command.", commands.syntax),
    Rule("shell-label", "No text of a label becomes part of a command.", commands.splices),
    Rule("shell-changes", "A command that changes something is marked.", commands.unmarked),
)


def lint(path: Path, *, clock: Clock | None = None, tools: Tools | None = None) -> list[Finding]:
    """Everything that the rules find in a playbook's folder, by file and line."""
    now = datetime.fromtimestamp((clock or SystemClock()).now(), UTC)
    folder = Folder(path, (now + _FARTHEST).date(), tools or find_tools())
    found = [finding(rule.name, spot) for rule in RULES for spot in rule.look(folder)]
    refused = {(f.file, f.line) for f in found if f.rule == "promql"}
    # What promtool cannot read cannot be drawn either: one finding says it.
    shown = [f for f in found if f.rule != "alert-graph" or (f.file, f.line) not in refused]
    return sorted(shown, key=lambda f: (f.file, f.line))


def lint_all(paths: Iterable[Path], *, clock: Clock | None = None, tools: Tools | None = None) -> list[Finding]:
    """Everything that the rules find in several folders; that a program is not there is said once."""
    tools = tools or find_tools()
    found: dict[tuple[str, ...], Finding] = {}
    for path in paths:
        for each in lint(path, clock=clock, tools=tools):
            everywhere = each.severity == WARNING and each.file == safe(str(path))
            where = () if everywhere else (each.file, str(each.line), each.hint)
            found.setdefault((each.rule, each.message, *where), each)
    return list(found.values())
