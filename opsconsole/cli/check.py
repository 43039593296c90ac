"""`opsconsole check`: the Status screen's checks for pipelines, cron and plug-ins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opsconsole.cli.check_options import FormatName, LevelName, Wanted, wanted_of
from opsconsole.cli.finish import Finished
from opsconsole.cli.options import connected
from opsconsole.config.discover import Options
from opsconsole.errors import UsageError

_SELECT, _REPORT, _WATCH = "Which checks", "The report", "Again and again"
_SYNTHETIC = "A test alert"


@connected
def check(
    options: Options,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Only these ids and groups; may be repeated.", rich_help_panel=_SELECT),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Not these ids and groups; may be repeated.", rich_help_panel=_SELECT),
    ] = None,
    list_checks: Annotated[
        bool, typer.Option("--list", help="Explain each check, and ask nothing.", rich_help_panel=_SELECT)
    ] = False,
    format: Annotated[
        FormatName | None, typer.Option(help="How to write the report: text if left out.", rich_help_panel=_REPORT)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="--format json.", rich_help_panel=_REPORT)] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the report there, whole or not at all, instead of to stdout.",
            rich_help_panel=_REPORT,
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Only the exit code.", rich_help_panel=_REPORT)
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            help="A line for each check that is OK too, instead of one for a group of them.",
            rich_help_panel=_REPORT,
        ),
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of --format json.", rich_help_panel=_REPORT)
    ] = False,
    operator: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who vouches for --format markdown.", rich_help_panel=_REPORT),
    ] = None,
    system_version: Annotated[
        str,
        typer.Option(metavar="TEXT", help="The release that was verified, for markdown.", rich_help_panel=_REPORT),
    ] = "",
    unknown_as: Annotated[
        LevelName | None,
        typer.Option(help="What UNKNOWN counts as; the report says so.", rich_help_panel=_REPORT),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An earlier JSON report: only what got worse counts.",
            rich_help_panel=_REPORT,
        ),
    ] = None,
    watch: Annotated[
        str | None,
        typer.Option(metavar="SECONDS", help="Check again every so often: 30, 30s, 5m.", rich_help_panel=_WATCH),
    ] = None,
    until: Annotated[
        LevelName | None,
        typer.Option(help="Check every 5 s (or --watch) until it is this or better.", rich_help_panel=_WATCH),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="SECONDS",
            help="For the whole run: 30, 30s, 5m. What has not answered by then is UNKNOWN. 30s, with --until 5m.",
            rich_help_panel=_WATCH,
        ),
    ] = None,
    synthetic: Annotated[
        bool,
        typer.Option(
            "--synthetic",
            help="Instead of the checks: post a test alert to every member, see it with the receivers that are "
            "promised, resolve it, and see it gone.",
            rich_help_panel=_SYNTHETIC,
        ),
    ] = False,
    severity: Annotated[
        str,
        typer.Option(
            metavar="WORD",
            help="Of the test alert, also when its route notifies at once; the playbooks' least if left out.",
            rich_help_panel=_SYNTHETIC,
        ),
    ] = "",
) -> None:
    """Check everything that the context and its playbooks name, from sources and targets to alerts and thresholds.

    Exit code 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (also for usage and configuration errors). What is
    missing, stale, partial or failed is UNKNOWN, never OK.
    """
    wanted = wanted_of(
        only=only,
        skip=skip,
        format=format,
        as_json=as_json,
        output=output,
        quiet=quiet,
        verbose=verbose,
        operator=operator,
        system_version=system_version,
        unknown_as=unknown_as,
        baseline=baseline,
        watch=watch,
        until=until,
        timeout=timeout,
    )
    if schema or list_checks:
        _explain(wanted, schema)
        return
    if synthetic or severity:
        if not synthetic or only or skip or baseline or watch or until:
            raise UsageError("--severity is of --synthetic, which goes with none of the options for checks")
        from opsconsole.cli.check_synthetic import check_synthetic

        raise Finished(check_synthetic(options, wanted, severity))
    from opsconsole.cli.check_rounds import check_in_rounds

    raise Finished(check_in_rounds(options, wanted))


def _explain(wanted: Wanted, schema: bool) -> None:
    from opsconsole.cli.check_output import show

    if schema:
        from opsconsole.render.reports.json import schema as text_of
    else:
        from opsconsole.cli.check_list import listed

        show(listed(wanted))
        return
    show(text_of())
