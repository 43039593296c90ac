"""Reading an earlier report of `check --format json`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from opsconsole.errors import UsageError
from opsconsole.model.report import Baseline
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.text import safe, trusted

_LARGEST = 64 * 1024 * 1024


class _OldCheck(msgspec.Struct, frozen=True):
    id: str
    verdict: str
    title: str = ""


class _OldReport(msgspec.Struct, frozen=True):
    version: int
    checks: list[_OldCheck]
    time: str = "an unknown time"
    only: list[str] = []
    skip: list[str] = []


def read_baseline(file: Path) -> Baseline:
    """The report in a file: of several (`--watch --format json` writes one a line) the last one. Raises
    UsageError."""
    where = safe(str(file), 200)
    try:
        with file.open("rb") as stream:
            body = stream.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or "not a usable path"
        raise UsageError(f"the baseline cannot be read: {safe(reason)}", where=where) from None
    old = _decoded(body) if len(body) <= _LARGEST else None
    if old is None:
        raise UsageError(
            "the baseline is not a report of version 1", where=where, hint="make one with opsconsole check --json"
        )
    verdicts = tuple(
        Verdict(id=safe(c.id, 200), title=safe(c.title, 200), level=Level[c.verdict], reason=trusted(""))
        for c in old.checks
    )
    return Baseline(source=where, time=safe(old.time, 40), verdicts=verdicts)


def _decoded(body: bytes) -> _OldReport | None:
    lines = body.strip().splitlines()
    for text in (body, lines[-1] if lines else b""):
        try:
            old = msgspec.json.decode(text, type=_OldReport)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if old.version == 1 and all(c.id and c.verdict in Level.__members__ for c in old.checks):
            return old
    return None
