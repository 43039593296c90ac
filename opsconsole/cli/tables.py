"""How commands print: tables, JSON and text."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Collection, Iterable

import msgspec

from opsconsole.cli.finish import hush_stdout
from opsconsole.clock import LocalZone
from opsconsole.model.matchers import format_matchers
from opsconsole.model.silences import Silence
from opsconsole.render.times import exact, left
from opsconsole.text import SafeText, is_safe, safe, trusted

CELL = 400
"""Characters of a table's cell; JSON has the whole text."""


def write_json(items: object) -> None:
    """What msgspec can encode, on one line."""
    body = _harmless(msgspec.json.encode(items))
    try:
        sys.stdout.flush()
        out = sys.stdout.buffer
        out.write(body)
        out.write(b"\n")
        out.flush()
    except BrokenPipeError:
        hush_stdout()


def _harmless(body: bytes) -> bytes:
    """The same JSON with every character escaped that a terminal might obey: labels are printed as they are,
    and JSON by itself escapes only C0."""
    if body.isascii() and b"\x7f" not in body:
        return body
    return _NOT_ASCII.sub(_escaped, body.decode()).encode()


_NOT_ASCII = re.compile(r"[^\x00-\x7e]")


def _escaped(found: re.Match[str]) -> str:
    char = found.group()
    if is_safe(char):
        return char
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def write_table(headers: list[str], rows: list[list[SafeText]], *, whole: Collection[str] = ()) -> None:
    """Print a table."""
    write_text(table_text(headers, rows, whole=whole))


def table_width() -> int:
    """Cells of a line: the terminal's, or COLUMNS."""
    if sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    return int(os.environ.get("COLUMNS", "200"))


def table_text(headers: list[str], rows: list[list[SafeText]], *, whole: Collection[str] = ()) -> str:
    """A table as wide as the terminal, or COLUMNS; long cells are folded, those of the columns `whole` last."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        table.add_column(header, overflow="fold", no_wrap=header in whole)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    width = None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", "200"))
    console = Console(width=width, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def json_text(items: object) -> str:
    """What `write_json` prints."""
    return f"{_harmless(msgspec.json.encode(items)).decode()}\n"


def write_text(text: str) -> None:
    """Print safe text as it is; a reader that has gone changes no exit code."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        hush_stdout()


def write_silences(silences: Iterable[Silence], now_at: Callable[[str], float], *, clusters: bool = False) -> None:
    """Silences as a table, in their order; `now_at` is seconds since the epoch on the clock of the cluster of that
    name, and `clusters` says whether to name the clusters."""
    where = ["cluster"] if clusters else []
    write_table(
        ["id", *where, "state", "matchers", "ends in", "ends", "by", "comment"],
        [[safe(s.id), *(safe(s.cluster, 40) for _ in where), *_silence(s, now_at(s.cluster))] for s in silences],
    )


def _silence(silence: Silence, now: float) -> list[SafeText]:
    return [
        safe(silence.status.state),
        safe(format_matchers(silence.matchers), CELL),
        trusted("-") if silence.status.state == "expired" else left(silence.ends - now),
        exact(silence.ends, LocalZone(), now),
        safe(silence.created_by, 80),
        safe(silence.comment, CELL),
    ]
