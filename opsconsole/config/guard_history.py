"""The files that `guard simulate` reads: known incidents, and the changes of flags."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from opsconsole.config.keys import Key, Table, boolean, text
from opsconsole.config.load import read_root
from opsconsole.config.nodes import Problems
from opsconsole.config.reader import Section
from opsconsole.errors import ConfigError
from opsconsole.model.flags import FlagChange
from opsconsole.model.guardhistory import Known
from opsconsole.text import safe

_INCIDENT: Table = {
    "from": Key("When it began.", text(), required=True),
    "to": Key("When it was over.", text(), required=True),
    "name": Key("What it was.", text()),
}
_CHANGE: Table = {
    "flag": Key("The flag's key.", text(), required=True),
    "at": Key("When it changed.", text(), required=True),
    "off": Key("Whether it was off afterwards.", boolean()),
    "what": Key("What changed.", text()),
}
_TIME = "write it as 2026-01-02T05:12:00Z"


def read_incidents(path: Path) -> tuple[Known, ...]:
    """The incidents of a file `incidents: [{from: …, to: …, name: …}]`, in order of time. Raises ConfigError."""
    problems = Problems(str(path))
    found: list[Known] = []
    for section in _sections(path, problems, "incidents", "- {from: 2026-01-02T05:12:00Z, to: …, name: …}"):
        section.only(_INCIDENT)
        start, end = _time(section, "from"), _time(section, "to")
        if start and end and end <= start:
            section.problem("is not after its `from`", at="to")
        found.append(Known(start=start, end=end, name=safe(section.text("name", outside=True), 100)))
    _raise(problems)
    return tuple(sorted(found, key=lambda known: known.start))


def read_changes(path: Path) -> tuple[FlagChange, ...]:
    """The changes of a file `changes: [{flag: …, at: …, off: no}]`, newest first. Raises ConfigError."""
    problems = Problems(str(path))
    found: list[FlagChange] = []
    for section in _sections(path, problems, "changes", "- {flag: new_parser, at: 2026-01-02T05:12:00Z, off: no}"):
        section.only(_CHANGE)
        key, at, off = section.text("flag", required=True), _time(section, "at"), section.boolean("off")
        what = section.text("what", "turned off" if off else "changed", outside=True)
        found.append(
            FlagChange(key=key, at=at, summary=safe(what, 200), exact=True, after_hash=f"{key}@{at:.3f}", off=off)
        )
    _raise(problems)
    return tuple(sorted(found, key=lambda change: -change.at))


def _sections(path: Path, problems: Problems, name: str, shape: str) -> list[Section]:
    root = read_root(path, problems)
    if root is None:
        return []
    root.only({name})
    root.get(name, required=True, hint=shape)
    return root.sections(name, shape)


def _time(section: Section, name: str) -> float:
    """Seconds since the epoch of a time that names its zone; 0 after noting that it is none."""
    text = section.text(name, required=True)
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        if text:
            section.problem(f"`{safe(text, 40)}` is not a time with its zone", _TIME, at=name)
        return 0.0
    return moment.astimezone(UTC).timestamp()


def _raise(problems: Problems) -> None:
    if problems.found:
        raise ConfigError(tuple(problems.found))
