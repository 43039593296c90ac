"""Runbooks: Markdown with commands in it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

import msgspec

from opsconsole.text import SafeText, is_safe, safe, safe_block, trusted

MAX_MARKDOWN = 64 * 1024
"""Characters above which a runbook is shown as plain text."""

MAX_FILLED = 8000
"""Characters of a command with its values that are shown and copied."""

_FENCE = re.compile(r"^(?P<indent> {0,8})(?P<mark>`{3,}|~{3,})[ \t]*(?P<info>[^\n`]*)$")
_SHELLS = frozenset({"sh", "bash", "shell"})
_NOT_ENV = re.compile(r"[^a-zA-Z0-9_]")
_USED = re.compile(r"\$\{?#?(LABEL_[A-Za-z0-9_]+)")
_TITLE = re.compile(r'title="([^"]*)"')


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A fenced `sh` block. `script` is raw and goes to `sh -c` unchanged; `line` is where the fence opens.

    The info string's words after the language are marks: `sh title="logs" changes` (it changes things).
    """

    script: str
    title: SafeText
    line: int
    changes: bool = False

    @property
    def shown(self) -> SafeText:
        return safe_block(self.script, 2000)

    def variables(self) -> tuple[str, ...]:
        """The LABEL_ variables that the script reads, in order of first use."""
        return tuple(dict.fromkeys(_USED.findall(self.script)))


class Runbook(msgspec.Struct, frozen=True, kw_only=True):
    """One runbook. `body` is raw Markdown without its front matter; show it through `safe_block`."""

    path: str
    title: SafeText
    body: str
    alerts: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()
    owner: SafeText = trusted("")
    reviewed: SafeText = trusted("")


def commands_of(body: str) -> tuple[Command, ...]:
    """The fenced shell blocks of a Markdown text, in order."""
    found: list[Command] = []
    lines = body.replace("\r\n", "\n").split("\n")
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        if opening is None:
            at += 1
            continue
        start, indent = at, len(opening["indent"])
        at += 1
        block: list[str] = []
        while at < len(lines) and not _closes(lines[at], opening["mark"]):
            block.append(lines[at][indent:] if lines[at][:indent].isspace() else lines[at])
            at += 1
        at += 1
        command = _command(opening["info"], "\n".join(block).strip("\n"), start + 1)
        if command is not None:
            found.append(command)
    return tuple(found)


def _closes(line: str, mark: str) -> bool:
    stripped = line.strip()
    return len(stripped) >= len(mark) and set(stripped) == {mark[0]}


def _command(info: str, script: str, line: int) -> Command | None:
    words = _TITLE.sub(" ", info).split()
    if not words or words[0].lower() not in _SHELLS or not script.strip():
        return None
    title = _TITLE.search(info)
    first = script.strip().split("\n")[0]
    return Command(
        script=script,
        title=safe(title[1] if title else first, 60),
        line=line,
        changes="changes" in words[1:],
    )


def label_environment(labels: Mapping[str, str]) -> dict[str, str]:
    """Environment variables for an alert's labels: `instance` becomes `LABEL_instance`; characters that a
    variable name cannot hold become `_`. NUL cannot be in an environment and is left out."""
    return {f"LABEL_{_NOT_ENV.sub('_', name)}": value.replace("\0", "") for name, value in sorted(labels.items())}


def filled(command: Command, labels: Mapping[str, str]) -> SafeText:
    """The command with its values, for reading and copying: an assignment for each LABEL_ variable that the
    script reads, then the script. Pasted into bash it does what running it does, unless it `is_cut`."""
    return safe_block(_with_values(command, labels), MAX_FILLED)


def is_cut(command: Command, labels: Mapping[str, str]) -> bool:
    """Whether `filled` leaves out the end of the command, so that what it gives must not be run."""
    return len(_with_values(command, labels)) > MAX_FILLED


def _with_values(command: Command, labels: Mapping[str, str]) -> str:
    environment = label_environment(labels)
    assignments = [f"{name}={_shell_quote(environment.get(name, ''))}" for name in command.variables()]
    return "\n".join([*assignments, command.script])


def _shell_quote(value: str) -> str:
    """Quoted so that `safe_block` leaves it alone and bash still reads back every character."""
    if is_safe(value):
        return shlex.quote(value)
    plain = (c.isascii() and c.isprintable() and c not in "'\\" for c in value)
    escaped = "".join(c if keep else _hex(c) for c, keep in zip(value, plain, strict=True))
    return f"$'{escaped}'"


def _hex(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "replace"))
