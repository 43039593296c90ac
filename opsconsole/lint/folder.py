"""A playbook's folder, read once for all rules."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from pathlib import Path

from opsconsole.config.documents import (
    Alert,
    Document,
    Entry,
    RuleTest,
    alerts_of,
    entries,
    inside,
    read_document,
    rule_tests_of,
)
from opsconsole.config.nodes import Problems, decode, read_bytes
from opsconsole.config.playbooks import FILE, read_playbook
from opsconsole.config.runbooks import FOLDER, body_starts
from opsconsole.lint.tools import Tools
from opsconsole.model.playbook import Playbook
from opsconsole.model.runbook import Command, Runbook
from opsconsole.text import trusted


class Book:
    """One runbook with its text; `offset` is the number of lines before its body."""

    def __init__(self, runbook: Runbook, text: str) -> None:
        self.runbook = runbook
        self.path = Path(runbook.path)
        self.text = text
        self.offset = text.count("\n", 0, body_starts(text))

    def first_line(self, command: Command) -> int:
        """The line of the file on which a command's script begins."""
        at = self.offset + command.line
        lines = self.text.split("\n")
        while at < len(lines) and not lines[at].strip():
            at += 1
        return at + 1

    def front_line(self, key: str) -> int:
        """The line of a key of the front matter, 1 when it is not there."""
        for number, line in enumerate(self.text.split("\n")[: self.offset], 1):
            if line.startswith(f"{key}:"):
                return number
        return 1


class Folder:
    """What the rules look at. `today` is the last day that a review may have happened on."""

    def __init__(self, path: Path, today: date, tools: Tools) -> None:
        self.path = path
        self.today = today
        self.tools = tools
        found, problems = read_playbook(path)
        self.playbook = found
        self.problems = problems
        self.source = read_document(path / FILE, shared=False)
        self.rules = read_document(path / "rules.yaml")
        self.tests = read_document(path / "rules.test.yaml")
        self.routes = read_document(path / "alertmanager.yaml")

    @property
    def documents(self) -> tuple[Document, ...]:
        """The YAML files beside `playbook.yaml`."""
        return (self.rules, self.tests, self.routes)

    @cached_property
    def alerts(self) -> tuple[Alert, ...]:
        return alerts_of(self.rules)

    @cached_property
    def rule_tests(self) -> tuple[RuleTest, ...]:
        return rule_tests_of(self.tests)

    @cached_property
    def guard_alerts(self) -> tuple[Entry, ...]:
        """The alerts that the rules of the guard name."""
        rules = inside(self.source.root, "guard", "rules")
        found = (entries(rule).get("alert") for rule in (rules.items if rules is not None else ()))
        return tuple(entry for entry in found if entry is not None and entry.text)

    @cached_property
    def books(self) -> tuple[Book, ...]:
        """The runbooks by path."""
        unique = {book.path: book for book in self.playbook.runbooks.values()} if self.playbook else {}
        return tuple(Book(book, read_text(Path(path)) or "") for path, book in sorted(unique.items()))

    @cached_property
    def texts(self) -> dict[Path, str]:
        """The Markdown files of the folder and of its runbooks."""
        paths = [*sorted(self.path.glob("*.md")), *sorted((self.path / FOLDER).glob("*.md"))]
        return {path: text for path in paths if (text := read_text(path)) is not None}

    @property
    def known_playbook(self) -> Playbook:
        """The playbook; an empty one when it cannot be read."""
        return self.playbook or Playbook(system="", title=trusted(""), folder=str(self.path))

    def is_broken(self, key: str) -> bool:
        """Whether the reader has a problem at or below a key of `playbook.yaml`, so that the value it gave
        cannot be trusted."""
        return any(
            problem.key == key or problem.key.startswith((f"{key}.", f"{key}[")) for problem in self.problems
        )

    def entry(self, *keys: str) -> Entry | None:
        """A value of `playbook.yaml` with the line of its key."""
        return entries(inside(self.source.root, *keys[:-1])).get(keys[-1])


def read_text(path: Path) -> str | None:
    """The text of a file; None when it cannot be read, which the reader tells."""
    problems = Problems(str(path))
    raw = read_bytes(path, problems)
    text = None if raw is None else decode(raw, problems)
    return None if text is None else text.replace("\r\n", "\n")
