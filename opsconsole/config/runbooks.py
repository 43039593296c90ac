"""Reading the runbooks of a playbook: Markdown files with an optional YAML front matter."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from opsconsole.config import playbook_keys as keys
from opsconsole.config.nodes import Problems, decode, parse, read_bytes
from opsconsole.config.playbook_sections import read_date
from opsconsole.config.reader import Section, Value, nearest
from opsconsole.errors import Problem
from opsconsole.model.runbook import Runbook, commands_of
from opsconsole.model.runbooks import camel
from opsconsole.text import safe, trusted

FOLDER = "runbooks"

_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(?P<text>.+?)[ \t#]*$", re.M)
_FRONT = re.compile(r"---[ \t]*\n(?P<yaml>.*?)^---[ \t]*(?:\n|\Z)", re.S | re.M)


class Shelf(msgspec.Struct):
    """The runbooks of one folder by path relative to `runbooks/`, and the problems of reading them."""

    folder: Path
    books: dict[str, Runbook] = {}
    unusable: set[str] = set()
    problems: list[Problem] = []

    def take(self, name: str) -> Runbook | str:
        """The runbook with this relative path, or the reason why there is none: "" when the file's own
        problems, noted once, say it."""
        if name in self.unusable:
            return ""
        if name not in self.books:
            reason = _outside(self.folder, name)
            if reason:
                return reason
            book = _read(self.folder / FOLDER / name, self.problems)
            if book is None:
                self.unusable.add(name)
                return ""
            self.books[name] = book
        return self.books[name]


def open_shelf(folder: Path) -> Shelf:
    """Every `runbooks/*.md` of a playbook's folder."""
    shelf = Shelf(folder=folder)
    try:
        names = sorted(entry.name for entry in os.scandir(folder / FOLDER) if entry.name.endswith(".md"))
    except FileNotFoundError:
        return shelf
    except OSError as error:
        shelf.problems.append(
            Problem(safe(str(folder / FOLDER)), 0, "", f"cannot be read: {safe(error.strerror or 'unknown')}")
        )
        return shelf
    for name in names:
        reason = shelf.take(name)
        if isinstance(reason, str) and reason:
            shelf.problems.append(Problem(safe(str(folder / FOLDER / name)), 0, "", reason))
    return shelf


def assign(shelf: Shelf, explicit: Mapping[str, tuple[str, Value]]) -> dict[str, Runbook]:
    """The runbooks by alert name. `explicit` are the playbook's own entries: alert name -> file, and the
    value to blame. Then front matter counts, then the file's name."""
    found: dict[str, Runbook] = {}
    for alert, (name, value) in explicit.items():
        book = shelf.take(name)
        if isinstance(book, Runbook):
            found[alert] = book
        elif book:
            value.problem(f"the runbook {safe(name, 100)} {book}", nearest(name, shelf.books))
    claimed = dict(found)
    for name, book in shelf.books.items():
        for alert in book.alerts:
            other = found.get(alert)
            if other is not None and other is not book and alert not in claimed:
                text = f"two runbooks name the alert {safe(alert, 100)}"
                shelf.problems.append(
                    Problem(safe(book.path), 1, "alerts", text, f"the other is {safe(other.path)}")
                )
            found.setdefault(alert, book)
        alert = camel(name.removesuffix(".md"))
        if all(known is not book for known in found.values()):
            found[name if alert in found else alert] = book
    return found


def _outside(folder: Path, name: str) -> str:
    """Why a relative path may not be read: "" when it is a file inside the folder, symlinks followed."""
    path = folder / FOLDER / name
    try:
        real, base = path.resolve(), folder.resolve()
        if not real.is_relative_to(base):
            return "is outside the playbook's folder"
        if not real.exists():
            return "is not there"
        return "" if real.is_file() else "is not a file"
    except (OSError, ValueError, RuntimeError):
        return "cannot be looked at"


def _read(path: Path, found: list[Problem]) -> Runbook | None:
    problems = Problems(str(path))
    raw = read_bytes(path, problems)
    text = None if raw is None else decode(raw, problems)
    book = None if text is None else parse_runbook(text, path, problems)
    found.extend(problems.found)
    return book


def parse_runbook(text: str, path: Path, problems: Problems) -> Runbook:
    """A runbook from its text. The title is that of the front matter, else the first heading, else the
    file's name; problems of the front matter are noted."""
    text = text.replace("\r\n", "\n")
    front = _FRONT.match(text)
    body = text[body_starts(text) :]
    root = parse(front["yaml"], problems, first_line=2) if front else None
    section = None if root is None else Value(root, "", problems).section()
    heading = _HEADING.search(body)
    fallback = heading["text"] if heading else path.stem
    return Runbook(
        path=str(path),
        title=safe((section.text("title", outside=True) if section else "") or fallback, 120),
        body=body,
        alerts=_alerts(section),
        commands=commands_of(body),
        owner=safe(section.text("owner"), 120) if section else trusted(""),
        reviewed=safe(_reviewed(section)) if section else trusted(""),
    )


def body_starts(text: str) -> int:
    """Where the Markdown begins in a runbook's text whose lines end in `\\n`: after its front matter."""
    front = _FRONT.match(text)
    return front.end() if front else 0


def _alerts(section: Section | None) -> tuple[str, ...]:
    if section is None:
        return ()
    section.only(keys.RUNBOOK)
    return section.texts("alerts")


def _reviewed(section: Section) -> str:
    day = read_date(section, "reviewed")
    return day.isoformat() if day else ""
