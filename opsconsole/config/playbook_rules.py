"""The alerts of a playbook's `rules.yaml`, and which of them have a runbook."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from opsconsole.config.documents import Alert, alerts_of, read_document
from opsconsole.config.reader import parse_seconds
from opsconsole.config.runbooks import FOLDER, assign, open_shelf
from opsconsole.model.playbook import RuleSpec
from opsconsole.model.runbooks import kebab
from opsconsole.text import SafeText, safe, trusted

FILE = "rules.yaml"


def read_rules(folder: Path, named: Mapping[str, str]) -> tuple[tuple[RuleSpec, ...], SafeText]:
    """The alerts of a folder's `rules.yaml`, none when it has no such file, and why it cannot be used. `named`
    are the runbook files that the playbook gives to its alerts."""
    document = read_document(folder / FILE)
    if document.problems:
        return (), safe(str(document.problems[0]), 300)
    runbooks = _Runbooks(folder, named)
    return tuple(_rule(alert, runbooks) for alert in alerts_of(document) if alert.name), trusted("")


def runbook_names(folder: Path) -> frozenset[str]:
    """The names of the runbooks of a folder, without `.md`."""
    try:
        return frozenset(e.name.removesuffix(".md") for e in os.scandir(folder / FOLDER) if e.name.endswith(".md"))
    except OSError:
        return frozenset()


def _rule(alert: Alert, runbooks: _Runbooks) -> RuleSpec:
    severity = alert.labels.get("severity")
    url = alert.annotations.get("runbook_url")
    return RuleSpec(
        name=alert.name,
        expr=alert.expr.text.strip() if alert.expr is not None else "",
        hold=(parse_seconds(alert.hold.text) or 0.0) if alert.hold is not None else 0.0,
        severity=severity.text if severity is not None else "",
        has_runbook=url is not None or runbooks.has(alert.name),
    )


class _Runbooks:
    """Whether an alert has a runbook by its name. The files are only read for those that no file is named
    after: a front matter may speak of them."""

    def __init__(self, folder: Path, named: Mapping[str, str]) -> None:
        self._folder = folder
        self._named = named
        self._stems = {kebab(name) for name in runbook_names(folder)}
        self._read: frozenset[str] | None = None

    def has(self, alert: str) -> bool:
        file = self._named.get(alert)
        if file is not None and (self._folder / FOLDER / file).is_file():
            return True
        if kebab(alert) in self._stems:
            return True
        if self._read is None:
            self._read = frozenset(assign(open_shelf(self._folder), {}))
        return alert in self._read
