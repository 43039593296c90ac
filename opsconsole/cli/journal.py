"""`opsconsole journal`: read what was done, and check that the record is whole."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from opsconsole.cli.finish import Finished
from opsconsole.cli.tables import write_table, write_text
from opsconsole.clock import SystemClock
from opsconsole.config.paths import journal_file
from opsconsole.errors import ExitCode, JournalError
from opsconsole.model.journal import Entry, Phase
from opsconsole.render.times import parse_duration
from opsconsole.text import SafeText, safe, safe_block, trusted

if TYPE_CHECKING:
    from opsconsole.journal.reader import Deed, JournalReader
    from opsconsole.journal.rows import Chain

T = TypeVar("T")

app = typer.Typer(help="Read what was done, and check that the record is whole.", no_args_is_help=True)

_COLUMNS = ["time (UTC)", "user", "action", "target", "state", "id"]
_CELL = 400
_ID = 16
"""Characters of an id that the list shows; of what has a longer one it shows the number of the first entry."""
_DEEPEST = 20
"""Levels of a detail that are shown. No action writes as many."""
_PROBLEMS = 20
"""Problems of a broken journal that are named."""

FileOption = Annotated[
    Path | None,
    typer.Option("--file", metavar="PATH", help="Another journal, such as a copy or another user's."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="At most so many; 0 for all.")] = 50,
    since: Annotated[
        str, typer.Option(metavar="DURATION", help="Only those begun in the last 30m, 8h, 7d.", show_default=False)
    ] = "",
    action: Annotated[
        str, typer.Option(metavar="NAME", help="Only this action, such as ack or silence.", show_default=False)
    ] = "",
    as_json: JsonOption = False,
    file: FileOption = None,
) -> None:
    """List the actions, newest first.

    The state is done, failed, refused (nothing was done), unknown (whether it happened), or open: still running,
    or cut off before it ended. Without a journal the list is empty; a --file that is not there is an error.
    Nothing is written, and a console may be open.
    """
    from opsconsole.journal.reader import read_journal

    begun = SystemClock().now() - parse_duration(since) if since else -math.inf

    def ask(journal: JournalReader) -> tuple[tuple[Deed, ...], str]:
        found = journal.deeds(limit + 1 if limit else -1, since=begun, action=action)
        known = journal.actions() if action and not found else ()
        if known and action not in known:
            return found, f"no action here is called {safe(action, 80)}; there are: {', '.join(known)}"
        more = limit and len(found) > limit
        return found[: limit or None], "older ones are not listed: --limit 0 lists all" if more else ""

    path = _path(file)
    found = read_journal(path, ask)
    if found is None and file is not None:
        raise _absent(path)
    deeds, note = found or ((), str(_absent(path)))
    if as_json:
        write_text(_json([_summary(deed) for deed in deeds]))
    else:
        write_table(_COLUMNS, [_row(deed) for deed in deeds])
    if note:
        sys.stderr.write(f"opsconsole: {note}\n")


@app.command("show")
def show(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="The action's id or number, as `journal list` shows it.")
    ],
    as_json: JsonOption = False,
    file: FileOption = None,
) -> None:
    """Show everything that was recorded of one action.

    What was intended, how it ended, and the evidence of both: of later entries only what they add, in JSON all of
    it. Exit code 1 when there is no such action, or no journal. Nothing is written, and a console may be open.
    """
    path = _path(file)
    deed = _read(path, lambda journal: (journal.deed(id_),))[0]
    if deed is None:
        raise JournalError(
            f"the journal has no action {safe(id_, 80) or '(empty)'}",
            where=safe(str(path)),
            hint="`opsconsole journal list --limit 0` has the ids of all",
        )
    if as_json:
        write_text(_json({**_summary(deed), "entries": [_whole(entry) for entry in deed.entries]}))
    else:
        write_text("\n".join(_story(deed)) + "\n")


@app.command("verify")
def verify(as_json: JsonOption = False, file: FileOption = None) -> None:
    """Check that no entry was changed or taken out.

    Each entry's hash covers the entry before it. Exit code 0 when all are as they were written, and 1 when one is
    not, which is named, or when there is no journal. Who rewrites the whole file can rewrite the hashes too: only
    a last hash that was noted elsewhere shows that. Nothing is written, and a console may be open.
    """
    path = _path(file)
    chain = _read(path, lambda journal: journal.chain())
    if as_json:
        write_text(_json(_report(chain, path)))
    else:
        write_text("\n".join(_verdict(chain)) + "\n")
    if chain.problems:
        raise Finished(ExitCode.FAILED)


def _path(file: Path | None) -> Path:
    return file if file is not None else journal_file(os.environ)


def _read(path: Path, ask: Callable[[JournalReader], T]) -> T:
    from opsconsole.journal.reader import read_journal  # only here: the other commands need no SQLite

    found = read_journal(path, ask)
    if found is None:
        raise _absent(path)
    return found


def _absent(path: Path) -> JournalError:
    return JournalError(
        "there is no journal",
        where=safe(str(path)),
        hint="a console begins one when it opens; --file names another",
    )


def _row(deed: Deed) -> list[SafeText]:
    first = deed.first
    return [
        safe(_time(first.at) or "an impossible time"),
        safe(first.user, 80),
        safe(first.action, 80),
        safe(first.subject, _CELL),
        trusted(deed.state),
        safe(first.op, 80) if len(first.op) <= _ID else trusted(f"{first.seq}"),
    ]


def _summary(deed: Deed) -> dict[str, object]:
    first, outcome = deed.first, deed.outcome
    return {
        "id": safe(first.op),
        "action": safe(first.action),
        "target": first.subject,
        "state": deed.state,
        "user": first.user,
        "context": first.context,
        "begun": _iso(first.at),
        "ended": _iso(outcome.at) if outcome else None,
        "message": (outcome or deed.entries[-1]).message,
    }


def _whole(entry: Entry) -> dict[str, object]:
    return {
        "entry": entry.seq,
        "at": _iso(entry.at),
        "phase": entry.phase.value,
        "result": entry.result.value,
        "target": entry.subject,
        "user": entry.user,
        "context": entry.context,
        "message": entry.message,
        "detail": _plain(entry.detail),
    }


def _story(deed: Deed) -> Iterator[str]:
    """A heading, and for each entry its time, its message and its evidence."""
    from opsconsole.journal.reader import state_word

    first = deed.first
    yield " ".join(filter(None, (safe(first.op), safe(first.action), first.subject))) + f": {deed.state}"
    told: dict[str, object] = {}
    for entry in deed.entries:
        # An intent says `open` for ever; whether it still is stands in the heading.
        ending = "" if entry.phase is Phase.INTENT else f", {state_word(entry.result)}"
        moment = _time(entry.at, "milliseconds") or "an impossible time"
        yield ""
        yield f"{entry.phase.value}{ending} at {moment} UTC by {entry.user} in {entry.context} (entry {entry.seq})"
        yield from (f"  {line}".rstrip() for line in entry.message.split("\n") if entry.message)
        for name, value in entry.detail.items():
            if name not in told or told[name] != value:
                yield from _evidence(safe(name), _plain(value), "    ")
        told |= entry.detail


def _evidence(name: str, value: object, indent: str) -> Iterator[str]:
    """`name: value`; what is inside a nested value on lines of its own, further in."""
    inside: list[tuple[str, object]] = []
    if isinstance(value, dict):
        inside = [(f"{safe(str(key))}:", item) for key, item in value.items()]
    elif isinstance(value, list):
        inside = [("-", item) for item in value]
    head = name if name.endswith(":") or name == "-" else f"{name}:"
    if inside:
        yield f"{indent}{head}"
        for key, item in inside:
            yield from _evidence(key, item, f"{indent}  ")
        return
    shown = safe_block(value) if isinstance(value, str) else json.dumps(value)
    lines = shown.split("\n")
    if len(lines) == 1:
        yield f"{indent}{head} {shown}".rstrip()
        return
    yield f"{indent}{head}"
    yield from (f"{indent}  {line}".rstrip() for line in lines)


def _verdict(chain: Chain) -> Iterator[str]:
    if not chain.problems:
        if not chain.entries:
            yield "whole: the journal has no entries yet"
            return
        span = f"{_time(chain.begun)} to {_time(chain.ended)} UTC"
        yield f"whole: {_count(chain.entries)}, {span}"
        yield f"last hash: {chain.last_hash}"
        return
    where = "in the file" if chain.broken is None else f"at entry {chain.broken}"
    yield f"broken {where}; {_count(chain.entries)} read"
    yield from (f"  {problem}" for problem in chain.problems[:_PROBLEMS])
    if len(chain.problems) > _PROBLEMS:
        yield f"  and {len(chain.problems) - _PROBLEMS} more"


def _report(chain: Chain, path: Path) -> dict[str, object]:
    return {
        "file": safe(str(path)),
        "whole": not chain.problems,
        "entries": chain.entries,
        "first_broken": chain.broken,
        "problems": list(chain.problems),
        "last_hash": chain.last_hash,
    }


def _count(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries:,} entries"


def _time(at: float, unit: str = "seconds") -> str:
    """Date and time in UTC; "" for what no calendar holds."""
    try:
        return datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat(" ", unit)
    except (ValueError, OverflowError, OSError):
        return ""


def _iso(at: float) -> str | None:
    moment = _time(at, "milliseconds")
    return f"{moment.replace(' ', 'T')}Z" if moment else None


def _plain(value: object, depth: int = 0) -> object:
    """A detail with what JSON has no word for, or nests without end, as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict | list) and depth >= _DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    return [_plain(item, depth + 1) for item in value] if isinstance(value, list) else value


def _json(value: object) -> str:
    """JSON in ASCII: evidence is kept as it is, and nothing in it acts on a terminal. DEL is the one control
    character that JSON does not escape by itself."""
    return json.dumps(value, ensure_ascii=True, indent=2).replace("\x7f", "\\u007f") + "\n"
