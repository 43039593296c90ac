"""As much of Markdown as the rules need: headings, links and what is outside code."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FENCE = re.compile(r"^ {0,8}(?P<mark>`{3,}|~{3,})")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(?P<text>.+?)[ \t]*#*[ \t]*$")
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
_LINK = re.compile(r"\]\(\s*(?:<(?P<angled>[^<>]*)>|(?P<plain>[^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*))")
_DEFINITION = re.compile(r"^ {0,3}\[[^\]^][^\]]*\]:\s*<?(?P<target>[^\s<>]+)>?")
_LINKED = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_NOT_SLUG = re.compile(r"[^\w\- ]")


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines outside fenced code with their numbers, from 1; code inside a line is blanked out. The front
    matter's lines are left out."""
    lines = text.split("\n")
    start = _after_front_matter(lines)
    mark = ""
    for number, line in enumerate(lines[start:], start + 1):
        fence = _FENCE.match(line)
        if mark:
            if fence is not None and fence["mark"].startswith(mark) and not line.strip().strip(mark[0]):
                mark = ""
        elif fence is not None:
            mark = fence["mark"]
        else:
            yield number, _CODE.sub(lambda found: " " * len(found[0]), line)


def _after_front_matter(lines: list[str]) -> int:
    if lines[0].rstrip() != "---":
        return 0
    return next((n + 1 for n, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), 0)


def headings(text: str) -> list[tuple[int, str]]:
    """The headings with their lines, as they are written."""
    lines = text.split("\n")
    found = []
    for number, _ in prose(text):
        heading = _HEADING.match(lines[number - 1])
        if heading is not None:
            found.append((number, heading["text"]))
    return found


def slugs(text: str) -> set[str]:
    """The anchors of the headings, as code forges make them."""
    found: set[str] = set()
    for _, heading in headings(text):
        shown = _LINKED.sub(r"\1", heading).lower()
        slug = _NOT_SLUG.sub("", shown).replace(" ", "-")
        number = 0
        while (name := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(name)
    return found


def links(text: str) -> Iterator[tuple[int, str]]:
    """The targets of links and images with their lines."""
    for number, line in prose(text):
        for link in _LINK.finditer(line):
            yield number, link["angled"] or link["plain"] or ""
        definition = _DEFINITION.match(line)
        if definition is not None:
            yield number, definition["target"]
