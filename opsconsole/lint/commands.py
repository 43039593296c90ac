"""Rules about the commands of runbooks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from opsconsole.lint.changing import changes, remote
from opsconsole.lint.finding import WARNING, Spot
from opsconsole.lint.folder import Folder
from opsconsole.lint.programs import SHELLS
from opsconsole.lint.shell import Simple, Use, Word, read_script
from opsconsole.lint.tools import ask

_TEMPLATE = re.compile(r"\{\{-?\s*(?P<what>\$(?:labels|value|externalLabels)\b[^}]*|[A-Za-z_]\w*)\s*-?\}\}")
_GO_WORDS = re.compile(r"end|else|break|continue|print|println|printf|json|len|upper|lower|title|nil|true|false")
_LABELS = re.compile(r"\$labels\.\w+")
_PLACEHOLDER = re.compile(r"(?<![<\w])<[A-Za-z][\w.-]*>(?!\()")
_BASH_LINE = re.compile(r"line (\d+): (.*)")
_SQL_OPTIONS = {"psql": ("-c", "--command"), "mysql": ("-e", "--execute"), "mariadb": ("-e", "--execute")}


def syntax(folder: Folder) -> Iterator[Spot]:
    """Every command is one that bash can read."""
    bash = folder.tools.bash
    if bash is None:
        if any(book.runbook.commands for book in folder.books):
            yield Spot(folder.path, 0, "bash is not there: commands are not checked", severity=WARNING)
        return
    for book in folder.books:
        for command in book.runbook.commands:
            answer = ask([bash, "--norc", "--noprofile", "-n"], command.script + "\n")
            if answer.fine and not answer.text:
                continue
            found = _BASH_LINE.search(answer.text)
            first = book.first_line(command)
            line = min(first + int(found[1]) - 1, first + command.script.count("\n")) if found else first
            yield Spot(book.path, line, found[2] if found else answer.text.strip() or "bash cannot read it")


def unmarked(folder: Folder) -> Iterator[Spot]:
    """Every command that changes something says so."""
    for book in folder.books:
        for command in book.runbook.commands:
            for line, what in [] if command.changes else changes(command.script)[:1]:
                text = f"`{what}` changes something, and the block does not say so"
                hint = 'put the word changes behind its title: ```sh title="…" changes'
                yield Spot(book.path, book.first_line(command) + line, text, hint)


def splices(folder: Folder) -> Iterator[Spot]:
    """No text of a label becomes part of a command."""
    for book in folder.books:
        for command in book.runbook.commands:
            first = book.first_line(command)
            seen: set[tuple[int, str]] = set()
            for line, text, hint in (*_templates(command.script), *_uses(command.script)):
                if (line, text) not in seen:
                    seen.add((line, text))
                    yield Spot(book.path, first + line, text, hint)


def _templates(script: str) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(script.split("\n")):
        for pattern in (_TEMPLATE, _LABELS, _PLACEHOLDER):
            found = pattern.search(line)
            if found is not None and not _GO_WORDS.fullmatch(found.groupdict().get("what") or ""):
                hint = 'take the value from the environment: "$LABEL_name"'
                yield number, f"`{found[0]}` is a placeholder, whose value the shell would read as code", hint
                break


def _uses(script: str, first: int = 0) -> Iterator[tuple[int, str, str]]:
    read = read_script(script, first)
    for use in read.uses:
        if not use.quoted:
            yield use.line, f"${use.name} stands without quotes", f'"${use.name}"'
    for command in read.commands:
        for use, into in _spliced(command):
            hint = 'hand it over: sh -c \'… "$1"\' - "$LABEL_name", psql -v name="$LABEL_name"'
            yield use.line, f"${use.name} becomes part of {into}", hint
        for word in _scripts(command):
            if not word.uses:
                yield from _uses(word.text, word.line)


def _spliced(command: Simple) -> Iterator[tuple[Use, str]]:
    """The uses of labels in what another shell, or a database, reads as code, and what that is."""
    words = command.words
    names = [word.text.rsplit("/", 1)[-1] for word in words]
    for word in _scripts(command):
        yield from ((use, "a script for another shell") for use in word.uses if use.quoted)
    for at, name in enumerate(names):
        rest = words[at + 1 :]
        far: list[Word] = []
        if name == "eval" and at == 0:
            far = rest
        elif name == "ssh":
            far = rest[len(rest) - len(remote([word.text for word in rest])) :]
        elif name in _SQL_OPTIONS:
            far = _after(rest, _SQL_OPTIONS[name]) + command.bodies
            yield from ((use, "an SQL statement") for word in far for use in word.uses if use.quoted)
            continue
        yield from ((use, f"what `{name}` runs") for word in far for use in word.uses if use.quoted)


def _after(words: list[Word], options: tuple[str, ...]) -> list[Word]:
    """The values of some options."""
    found = [following for word, following in pairwise(words) if word.text in options]
    long = tuple(f"{option}=" for option in options if option.startswith("--"))
    return found + [word for word in words if word.text.startswith(long)]


def _scripts(command: Simple) -> list[Word]:
    """The words that a `sh -c` of this command reads as a script, and what a bare shell reads."""
    found: list[Word] = []
    for at, word in enumerate(command.words):
        if word.text.rsplit("/", 1)[-1] not in SHELLS:
            continue
        rest = command.words[at + 1 :]
        given = [b for a, b in pairwise(rest) if re.fullmatch(r"-[a-z]*c", a.text)]
        found += given[:1] or command.bodies
    return found
