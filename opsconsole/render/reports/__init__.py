"""A run of the checks as text for people and for other programs: one pure writer for each format."""

from __future__ import annotations

import importlib

from opsconsole.model.report import Report

FORMATS = ("text", "json", "junit", "nagios", "prometheus", "markdown")


def written(
    report: Report,
    format: str,
    *,
    colour: bool = False,
    verbose: bool = False,
    columns: int = 0,
    compact: bool = False,
) -> str:
    """The report in one of FORMATS, ending in a newline. `colour`, `verbose` (a line for each check that is OK)
    and `columns` (of a terminal, 0 for none) are for text, `compact` (one line) for JSON. Only the named format's
    module is imported."""
    module = importlib.import_module(f"opsconsole.render.reports.{format}")
    if format == "text":
        return str(module.write(report, colour=colour, verbose=verbose, columns=columns))
    if format == "json":
        return str(module.write(report, compact=compact))
    return str(module.write(report))
