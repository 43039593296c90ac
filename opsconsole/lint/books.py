"""Rules about runbooks as texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from opsconsole.lint.finding import Spot
from opsconsole.lint.folder import Folder, read_text
from opsconsole.lint.markdown import headings, links, slugs

_SECTIONS = (
    ("Meaning", ("meaning", "definition")),
    ("Diagnosis or Response steps", ("diagnosis", "response steps", "mitigation")),
    ("Escalation", ("escalation",)),
)
"""The sections that a runbook needs: what to call them, and any one of these headings."""

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")


def sections(folder: Folder) -> Iterator[Spot]:
    """Every runbook says what the alert means, what to do, and whom to call."""
    for book in folder.books:
        found = headings(book.text)
        words = {text.lower().rstrip(":").strip() for _, text in found}
        for name, any_of in _SECTIONS:
            if not words.intersection(any_of):
                known = ", ".join(word.capitalize() for word in any_of)
                line = found[0][0] if found else 1
                yield Spot(book.path, line, f"has no section {name}", f"a heading: {known}")


def owner(folder: Folder) -> Iterator[Spot]:
    """Every runbook has an owner, its own or the playbook's."""
    if folder.known_playbook.owner or folder.is_broken("owner"):
        return
    for book in folder.books:
        if not book.runbook.owner:
            yield Spot(book.path, 1, "has no owner", "owner: … in its front matter or in playbook.yaml")


def reviewed(folder: Folder) -> Iterator[Spot]:
    """Every runbook has the day of its last review, its own or the playbook's, and none in the future."""
    playbook = folder.known_playbook
    today = folder.today.isoformat()
    if playbook.reviewed > today:
        entry = folder.entry("reviewed")
        line = entry.line if entry is not None else 0
        yield Spot(folder.source.path, line, f"the review of {playbook.reviewed} is in the future")
    for book in folder.books:
        own = book.runbook.reviewed
        line = book.front_line("reviewed")
        if own > today:
            yield Spot(book.path, line, f"the review of {own} is in the future")
        elif not own and not playbook.reviewed and not _cannot_tell(folder, book.path):
            yield Spot(book.path, line, "has no date of its last review", "reviewed: … in its front matter")


def _cannot_tell(folder: Folder, path: Path) -> bool:
    """Whether the reader already complains of the date, the runbook's or the playbook's."""
    unread = {problem.file for problem in folder.problems if problem.key == "reviewed"}
    return not unread.isdisjoint({str(path), str(folder.source.path)})


def dead_links(folder: Folder) -> Iterator[Spot]:
    """Every relative link leads to a file, and to a heading in it."""
    for path, text in folder.texts.items():
        for line, target in links(text):
            problem = _dead(path, text, target)
            if problem:
                yield Spot(path, line, problem)


def _dead(path: Path, text: str, target: str) -> str:
    """Why a link leads nowhere; "" when it does, or leaves the folder by a URL."""
    if not target or _SCHEME.match(target) or target.startswith("//"):
        return ""
    name, _, anchor = target.partition("#")
    name = unquote(name.partition("?")[0])
    there = path if not name else path.parent / name
    try:
        if name.startswith("/") or not there.exists():
            return f"the link to {target} is dead: there is no such file"
    except (OSError, ValueError):
        return f"the link to {target} is dead: it is no path"
    if not anchor or there.suffix != ".md":
        return ""
    read = text if there == path else read_text(there)
    if read is not None and unquote(anchor) not in slugs(read):
        return f"the link to {target} is dead: there is no such heading"
    return ""
