"""Rules about the files themselves."""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.config.documents import inside
from opsconsole.lint.finding import WARNING, Spot
from opsconsole.lint.folder import Folder
from opsconsole.model.runbook import MAX_MARKDOWN

MAX_FOLDER = 1_000_000
"""Bytes of all files of a playbook."""


def schema(folder: Folder) -> Iterator[Spot]:
    """Every problem of reading `playbook.yaml` and the runbooks."""
    for problem in folder.problems:
        key = f"{problem.key}: " if problem.key else ""
        yield Spot(problem.file, problem.line, f"{key}{problem.message}", problem.hint)


def plain_yaml(folder: Folder) -> Iterator[Spot]:
    """Every problem of reading the YAML files beside it."""
    for document in folder.documents:
        for problem in document.problems:
            yield Spot(document.path, problem.line, problem.message, problem.hint)
        if document.there and document.root is None and not document.problems:
            yield Spot(document.path, 0, "is empty")
    if folder.rules.root is not None and inside(folder.rules.root, "groups") is None:
        yield Spot(folder.rules.path, 1, "has no groups", "groups: [{name: …, rules: [{alert: …, expr: …}]}]")


def there(folder: Folder) -> Iterator[Spot]:
    """A playbook that speaks of alerts comes with their rules and the tests of these."""
    playbook = folder.known_playbook
    if not folder.rules.there and (playbook.alerts or playbook.runbooks):
        text = "is not there, so that nothing of its alerts is checked"
        yield Spot(folder.rules.path, 0, text, severity=WARNING)
    if folder.alerts and not folder.tests.there:
        yield Spot(folder.tests.path, 0, "is not there", "show each alert firing and not firing")


def size(folder: Folder) -> Iterator[Spot]:
    """Neither the runbooks nor the whole are too large."""
    for book in folder.books:
        length = len(book.text.encode())
        if length > MAX_MARKDOWN:
            text = f"is {length:,} bytes long, more than {MAX_MARKDOWN:,}: it is shown as plain text"
            yield Spot(book.path, 0, text, "move what is not needed at night elsewhere")
    total = sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())
    if total > MAX_FOLDER:
        yield Spot(folder.path, 0, f"has {total:,} bytes, more than {MAX_FOLDER:,}", "a playbook is text")
