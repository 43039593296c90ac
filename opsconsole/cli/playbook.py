"""`opsconsole playbook`: list, show, write and check playbooks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli.options import ConfigOption, ContextOption, PrometheusOption
from opsconsole.errors import ConfigError, ExitCode, Problem

if TYPE_CHECKING:
    from opsconsole.lint.finding import Finding
    from opsconsole.model.playbook import Playbook

app = typer.Typer(help="List, show, write and check playbooks.", no_args_is_help=True)

_SEVERITIES = ("critical", "high", "warning", "info")
_COLUMNS = ("name", "title", "alerts", *_SEVERITIES, "panels", "folder")

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@app.callback()
def _group() -> None:
    """List, show, write and check playbooks."""


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the shipped playbooks, with their alerts by severity and their panels.

    Those with problems are told on stderr, with exit code 2.
    """
    from opsconsole.config.playbooks import list_playbooks, load_playbook

    rows: list[dict[str, str | int]] = []
    problems: list[Problem] = []
    for folder in list_playbooks():
        try:
            rows.append(_row(folder.name, load_playbook(folder)))
        except ConfigError as error:
            problems.extend(error.problems)
    typer.echo(_json(rows) if as_json else _table(rows))
    if problems:
        raise ConfigError(tuple(problems))


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|DIR", help="A shipped playbook, or a playbook's folder.")],
) -> None:
    """Show what a playbook says.

    Its dashboards with the query of every panel, its alerts with severity, response time and runbook, its probes,
    who is on call now, the escalation and the guard.
    """
    from opsconsole.cli.playbook_show import describe
    from opsconsole.clock import SystemClock
    from opsconsole.config.playbooks import find_playbook, load_playbook

    typer.echo(describe(load_playbook(find_playbook(name)), SystemClock().now()))


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The system's name; the folder gets it too.")],
    directory: Annotated[
        Path,
        typer.Option(
            "--dir", metavar="DIR", show_default=False, help="Where to make the folder, here if left out."
        ),
    ] = Path(),
    from_prometheus: Annotated[
        bool,
        typer.Option(
            "--from-prometheus",
            help="Write the panels that are recognised in what Prometheus has; no alerts.",
        ),
    ] = False,
    config: ConfigOption = None,
    context: ContextOption = None,
    prometheus: PrometheusOption = None,
) -> None:
    """Write a first playbook to go on from.

    A folder with a dashboard, an alert with its test and its runbook, routes, and a JSON Schema for your editor.
    Nothing that is there is replaced.
    """
    from datetime import UTC, datetime

    from opsconsole.cli.playbook_new import write_found
    from opsconsole.config.playbook_starter import new_folder, starter_files, write_folder
    from opsconsole.text import safe

    target = new_folder(name, directory)
    if from_prometheus:
        typer.echo(write_found(name, target, config, context, prometheus), err=True)
    else:
        write_folder(target, starter_files(name, datetime.now(UTC).date()))
    shown = safe(str(target) if target.is_absolute() else f"./{target}")
    typer.echo(f"wrote {shown}\nnext: opsconsole playbook lint {shown}; opsconsole --playbook {shown}")


@app.command("lint")
def lint(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|DIR]...", help="Playbooks, all shipped ones if left out."),
    ] = None,
    as_json: JsonOption = False,
    rules: Annotated[bool, typer.Option("--rules", help="List the rules instead.")] = False,
) -> None:
    """Look for what is wrong with playbooks.

    Each finding is a line `file:line: rule: message`; exit code 1 when there is an error, 0 when there are at most
    warnings. PromQL is checked by promtool, routing by amtool and commands by bash, where they are installed.
    """
    from opsconsole.cli.finish import Finished
    from opsconsole.config.playbooks import find_playbook, list_playbooks
    from opsconsole.lint.finding import ERROR
    from opsconsole.lint.run import RULES, lint_all

    if rules:
        typer.echo(_lines([(rule.name, rule.says) for rule in RULES]))
        return
    folders = [_near(f) for f in (map(find_playbook, names) if names else list_playbooks())]
    found = lint_all(folders)
    if as_json:
        typer.echo(_json(found))
    elif found:
        typer.echo("\n".join(map(str, found)))
    typer.echo(_summary(found, len(folders)), err=True)
    if any(finding.severity == ERROR for finding in found):
        raise Finished(ExitCode.FAILED)


@app.command("schema")
def schema() -> None:
    """Write the JSON Schema of playbook.yaml.

    Editors complete and check a playbook with it: write it to a file and name that on the playbook's first line,
    `# yaml-language-server: $schema=FILE`.
    """
    from opsconsole.config.playbook_starter import schema_text

    typer.echo(schema_text(), nl=False)


def _near(folder: Path) -> Path:
    """A folder below the working directory as seen from there."""
    here = Path.cwd()
    return folder.relative_to(here) if folder != here and folder.is_relative_to(here) else folder


def _row(name: str, playbook: Playbook) -> dict[str, str | int]:
    from opsconsole.config.documents import alerts_of, read_document
    from opsconsole.model.severity import severity_of
    from opsconsole.text import safe

    alerts = alerts_of(read_document(Path(playbook.folder) / "rules.yaml"))
    words = [severity_of({key: entry.text for key, entry in alert.labels.items()}).word for alert in alerts]
    return {
        "name": safe(name),
        "title": playbook.title,
        "alerts": len(alerts),
        **{word: words.count(word) for word in _SEVERITIES},
        "panels": sum(len(dashboard.panels) for dashboard in playbook.dashboards),
        "folder": safe(playbook.folder),
    }


def _summary(found: list[Finding], playbooks: int) -> str:
    from opsconsole.cli.playbook_show import count

    errors = sum(finding.severity == "error" for finding in found)
    warnings = len(found) - errors
    return f"{count(errors, 'error')}, {count(warnings, 'warning')} in {count(playbooks, 'playbook')}"


def _json(rows: object) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(rows), indent=2).decode()


def _table(rows: list[dict[str, str | int]]) -> str:
    head = [name.upper() for name in _COLUMNS]
    return _lines([head, *([str(row[name]) for name in _COLUMNS] for row in rows)])


def _lines(rows: Sequence[Sequence[str]]) -> str:
    from opsconsole.cli.playbook_show import columns

    return "\n".join(columns(rows))
