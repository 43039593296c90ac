"""What the options of `check` ask for, once they fit together."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec

from opsconsole.checks.catalog import CATALOG
from opsconsole.checks.select import Selection
from opsconsole.errors import UsageError
from opsconsole.model.report import Baseline
from opsconsole.model.verdicts import Level
from opsconsole.text import SafeText, safe, trusted

ROUND = 30.0
"""Seconds for one round, unless told otherwise."""

WAIT = 300.0
"""Seconds for which --until waits, unless told otherwise."""

EVERY = 5.0
"""Seconds between the rounds of --until, unless told otherwise."""


class FormatName(StrEnum):
    """The formats, as the command line names them."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    NAGIOS = "nagios"
    PROMETHEUS = "prometheus"
    MARKDOWN = "markdown"


class LevelName(StrEnum):
    """The levels, as the command line names them."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"

    @property
    def level(self) -> Level:
        return Level[self.name]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to check, and how to tell of it.

    `output` is None for stdout. `every` is the seconds from one round to the next, None for a single one;
    `until` the level that is waited for; `timeout` is seconds: with `until` for all rounds, else for each.
    """

    selection: Selection
    format: str
    output: Path | None = None
    quiet: bool = False
    verbose: bool = False
    operator: SafeText = trusted("")
    system_version: SafeText = trusted("")
    unknown_as: Level | None = None
    baseline: Baseline | None = None
    every: float | None = None
    until: Level | None = None
    timeout: float = ROUND

    @property
    def watching(self) -> bool:
        return self.every is not None


def wanted_of(
    *,
    only: list[str] | None,
    skip: list[str] | None,
    format: FormatName | None,
    as_json: bool,
    output: Path | None,
    quiet: bool,
    verbose: bool,
    operator: str | None,
    system_version: str,
    unknown_as: LevelName | None,
    baseline: Path | None,
    watch: str | None,
    until: LevelName | None,
    timeout: str | None,
) -> Wanted:
    """The options as one struct. Raises UsageError when they do not fit together."""
    chosen = _format(format, as_json)
    every = _seconds("--watch", watch) if watch is not None else None
    file = output if output is not None and str(output) != "-" else None
    if every is not None and file is None and not quiet and chosen in _WHOLE:
        raise UsageError(
            f"--watch writes one report after the other, which {chosen} cannot hold", hint="add --output FILE"
        )
    if until in (LevelName.CRITICAL, LevelName.UNKNOWN):
        raise UsageError("--until waits for ok or warning")
    if verbose and (quiet or chosen != "text"):
        raise UsageError("--verbose is of the text on stdout or in --output: the other formats tell everything")
    selection = Selection(only=_globs(only), skip=_globs(skip))
    if (glob := selection.unmatched(CATALOG)) is not None:
        raise no_such_check(glob, [*(c.id for c in CATALOG), *(c.group for c in CATALOG)])
    return Wanted(
        selection=selection,
        format=chosen,
        output=writable(file),
        quiet=quiet,
        verbose=verbose,
        operator=safe(operator or "", 200),
        system_version=safe(system_version, 200),
        unknown_as=unknown_as.level if unknown_as is not None else None,
        baseline=_baseline(baseline),
        every=every,
        until=until.level if until is not None else None,
        timeout=_seconds("--timeout", timeout) if timeout is not None else WAIT if until is not None else ROUND,
    )


def no_such_check(glob: str, known: list[str]) -> UsageError:
    """The error for a glob that matches nothing."""
    from opsconsole.config.reader import nearest

    hint = nearest(glob, set(known))
    return UsageError(
        f"no check matches {safe(glob, 80)}", hint=f"{hint} opsconsole check --list explains them all"
    )


_WHOLE = frozenset({"junit", "prometheus", "markdown"})
"""Formats of which two in a row are none."""


def _format(format: FormatName | None, as_json: bool) -> str:
    if as_json and format not in (None, FormatName.JSON):
        raise UsageError(f"--json and --format {format.value if format else ''} do not go together")
    return "json" if as_json else format.value if format is not None else "text"


def _globs(given: list[str] | None) -> tuple[str, ...]:
    globs = tuple(glob for text in given or () for glob in text.split(","))
    if any(not glob.strip() for glob in globs):
        raise UsageError("--only and --skip need an id, a group or a glob", hint="opsconsole check --list")
    return tuple(glob.strip() for glob in globs)


def _seconds(option: str, text: str) -> float:
    """Seconds of `30`, `0.5`, `30s`, `5m`. Raises UsageError."""
    from opsconsole.config.reader import parse_seconds

    try:
        seconds = float(text)
    except ValueError:
        parsed = parse_seconds(text.strip())
        seconds = -1.0 if parsed is None else parsed
    if not 0.1 <= seconds <= _LONGEST:
        raise UsageError(
            f"{option} {safe(text, 40)} is not a time of at least 0.1 s", hint="write it as 30, 30s, 5m or 1h30m"
        )
    return seconds


_LONGEST = 30 * 86_400.0


def writable(file: Path | None) -> Path | None:
    """The file of `--output`: told before anything is asked, not after. Raises UsageError."""
    if file is not None and (file.is_dir() or not file.parent.is_dir()):
        raise UsageError("--output needs a file in a folder that is there", where=safe(str(file)))
    return file


def _baseline(file: Path | None) -> Baseline | None:
    if file is None:
        return None
    from opsconsole.cli.check_baseline import read_baseline

    return read_baseline(file)
