"""`opsconsole playbook`: what playbooks there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.errors import ConfigError, Problem

if TYPE_CHECKING:
    from opsconsole.model.playbook import Playbook

app = typer.Typer(help="What playbooks there are.", no_args_is_help=True)

_COLUMNS = ("name", "title", "alerts", "panels", "folder")


@app.callback()
def _group() -> None:
    """What playbooks there are."""


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List the shipped playbooks. Those with problems are told on stderr, with exit code 2."""
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


def _row(name: str, playbook: Playbook) -> dict[str, str | int]:
    from opsconsole.text import safe

    return {
        "name": safe(name),
        "title": playbook.title,
        "alerts": len(playbook.alerts),
        "panels": sum(len(dashboard.panels) for dashboard in playbook.dashboards),
        "folder": safe(playbook.folder),
    }


def _json(rows: list[dict[str, str | int]]) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(rows), indent=2).decode()


def _table(rows: list[dict[str, str | int]]) -> str:
    from rich.cells import cell_len

    lines = [[name.upper() for name in _COLUMNS], *([str(row[name]) for name in _COLUMNS] for row in rows)]
    widths = [max(cell_len(line[i]) for line in lines) for i in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
