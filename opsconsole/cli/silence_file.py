"""amtool's JSON of silences: what `amtool silence query -o json` prints and `amtool silence import` reads."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.actions.silence import draft_of, plain_comment
from opsconsole.actions.writing import clock_words
from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matcher, format_matchers
from opsconsole.model.silences import Silence, sanitise_silence
from opsconsole.text import SafeText, safe


def amtool_json(silences: Iterable[Silence]) -> list[dict[str, Any]]:
    """The silences with the fields that amtool has, and no others."""
    return [
        {name: value for name, value in msgspec.to_builtins(silence).items() if name != "cluster"}
        for silence in silences
    ]


def read_silences(file: str) -> tuple[Silence, ...]:
    """The silences of a file, or of standard input for `-`, their texts made safe. Raises UsageError."""
    where = "standard input" if file == "-" else safe(file, 200)
    try:
        body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {safe(error.strerror or str(error))}", where=where) from None
    except ValueError:
        raise UsageError("is not a file's name", where=where) from None
    try:
        read = msgspec.json.decode(body, type=list[Silence])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"is not amtool's JSON: {safe(str(error), 200)}",
            where=where,
            hint="write it with `opsconsole silence export` or `amtool silence query -o json`",
        ) from None
    for silence in read:
        if silence.starts_at.tzinfo is None or silence.ends_at.tzinfo is None:
            raise UsageError("has a time without a zone", where=where, hint="write it as 2026-01-02T05:12:00Z")
    return tuple(sanitise_silence(silence) for silence in read)


def missing(
    read: Sequence[Silence], there: Iterable[Silence], cluster: str, now: datetime, *, twice: bool = False
) -> tuple[list[Silence], list[SafeText]]:
    """Drafts for `cluster` of what is not there yet, and why the others are skipped.

    The same is what has the same matchers, creator, comment and end, whatever its id and the mark of the
    operation in its comment; `twice` drafts it all the same.
    """
    known = {_identity(silence) for silence in there if silence.status.state != "expired"}
    drafts: list[Silence] = []
    skipped: list[SafeText] = []
    for silence in read:
        words = format_matchers(silence.matchers)
        if silence.status.state == "expired" or silence.ends_at <= now:
            skipped.append(safe(f"skipped, it ended at {clock_words(silence.ends_at)}: {words}", 400))
        elif not twice and _identity(silence) in known:
            skipped.append(safe(f"skipped, it exists already: {words}", 400))
        else:
            known.add(_identity(silence))
            drafts.append(msgspec.structs.replace(draft_of(silence), cluster=cluster))
    return drafts, skipped


def _identity(silence: Silence) -> tuple[frozenset[Matcher], str, str, int]:
    # Alertmanager keeps milliseconds.
    return (
        frozenset(silence.matchers),
        silence.created_by,
        plain_comment(silence).strip(),
        round(silence.ends * 1000),
    )
