"""What a rule is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from opsconsole.lint.folder import Folder
from opsconsole.text import SafeText, safe

ERROR = "error"
WARNING = "warning"


class Spot(msgspec.Struct, frozen=True):
    """What a rule saw: a file, a line (from 1; 0 for the file as a whole), what is wrong and what to do. The
    texts may be anything."""

    file: Path | str
    line: int
    message: str
    hint: str = ""
    severity: str = ERROR


class Rule(msgspec.Struct, frozen=True):
    """One rule: its name, what holds when it finds nothing, and how it looks."""

    name: str
    says: str
    look: Callable[[Folder], Iterator[Spot]]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding, ready to be shown. `severity` is `error` or `warning`."""

    file: SafeText
    line: int
    rule: str
    severity: str
    message: SafeText
    hint: SafeText

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        kind = "warning: " if self.severity == WARNING else ""
        return f"{where}: {self.rule}: {kind}{self.message}" + (f" ({self.hint})" if self.hint else "")


def finding(rule: str, spot: Spot) -> Finding:
    """What a rule saw, made safe."""
    return Finding(
        file=safe(str(spot.file)),
        line=spot.line,
        rule=rule,
        severity=spot.severity,
        message=safe(spot.message, 500),
        hint=safe(spot.hint, 500),
    )
