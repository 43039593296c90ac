"""`opsconsole alerts` and `silences`: lists as tables and JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import typer

from opsconsole.cli.options import connected
from opsconsole.cli.tables import write_json, write_silences, write_table
from opsconsole.cli.wiring import Reading, open_reading
from opsconsole.config.discover import Options
from opsconsole.errors import SourceError, UsageError
from opsconsole.model.alertlist import AlertRow, compile_filter, distinguishing
from opsconsole.model.reading import Reading as Known
from opsconsole.model.severity import AlertState, severity_of
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe

T = TypeVar("T")


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@connected
def alerts(
    options: Options,
    matchers: Annotated[str, typer.Argument(help='severity="critical",job=~"api.*", or plain words')] = "",
    as_json: JsonOption = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that are silenced, acknowledged or inhibited.")
    ] = False,
) -> None:
    """List the alerts, most urgent first."""
    wanted = compile_filter(matchers)
    opened = open_reading(options)
    if as_json:
        snapshot = collect(opened, {"alerts"}, rows=False)
        need(snapshot, lambda s: [c.alerts for c in s.clusters], "Alertmanager")
        found = [a for a in snapshot.alerts() if wanted(a.labels) and (everything or a.status.state == "active")]
        found.sort(key=lambda a: (severity_of(a.labels), a.starts_at, a.fingerprint))
        write_json(found)
        return
    snapshot = collect(opened, {"alerts", "silences"})
    need(snapshot, lambda s: [c.alerts for c in s.clusters], "Alertmanager")
    rows = [
        row for row in snapshot.rows if (everything or row.state is AlertState.ACTIVE) and wanted(row.alert.labels)
    ]
    write_table(["severity", "alert", "labels", "since", "state"], [_alert(r, snapshot) for r in rows])


@connected
def silences(
    options: Options,
    as_json: JsonOption = False,
    expired: Annotated[bool, typer.Option("--expired", help="Also those that have expired.")] = False,
) -> None:
    """List the silences, the one that ends first on top."""
    opened = open_reading(options)
    snapshot = collect(opened, {"silences"})
    need(snapshot, lambda s: [c.silences for c in s.clusters], "Alertmanager")
    shown = sorted(
        (s for s in snapshot.silences().values() if expired or s.status.state != "expired"),
        key=lambda s: s.ends_at,
    )
    if as_json:
        write_json(shown)
        return
    write_silences(shown, snapshot.now_at, clusters=len(snapshot.clusters) > 1)


def collect(opened: Reading, names: set[str], *, rows: bool = True) -> Snapshot:
    engine = opened.engine
    engine.polls.builds_rows = rows

    async def ask() -> None:
        # The snapshot is not returned from here: asyncio makes a repr of what a task returns.
        try:
            await engine.collect(names=names)
        finally:
            await engine.aclose()

    asyncio.run(ask())
    return engine.snapshot


def need(snapshot: Snapshot, readings: Callable[[Snapshot], Sequence[Known[T]]], what: str) -> None:
    """Raise unless every reading is known: a list that may be old or partial is not printed as if whole."""
    found = readings(snapshot)
    if not found:
        raise UsageError(f"no {what} is configured", hint="use --alertmanager URL, or see opsconsole --help")
    for reading in found:
        if not reading.known(snapshot.now):
            failure = reading.failure
            raise SourceError(
                reading.why(snapshot.now),
                where=failure.where if failure else "",
                hint=failure.hint if failure else "",
            )


def _alert(row: AlertRow, snapshot: Snapshot) -> list[SafeText]:
    shared = snapshot.shared.get(row.alert.labels.get("alertname", ""), frozenset())
    by = f" by {row.silence.owner}" if row.silence is not None else ""
    return [
        safe(row.severity.word),
        row.alert.name,
        distinguishing(row.alert, shared),
        safe(f"{row.alert.starts_at:%Y-%m-%d %H:%M:%S}"),
        safe(f"{row.state.value}{by}"),
    ]
