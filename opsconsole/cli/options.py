"""The connection options, the same for the console and for every command that connects."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import click
import typer

from opsconsole.config.discover import Options

_PANEL = "Connection"

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Configuration file, in place of the default ones. [env: OPSCONSOLE_CONFIG]",
        rich_help_panel=_PANEL,
    ),
]
ContextOption = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="NAME",
        help="Context of the configuration file, in place of its current_context.",
        rich_help_panel=_PANEL,
    ),
]
PrometheusOption = Annotated[
    str | None,
    typer.Option(
        "--prometheus",
        metavar="URL",
        help="Prometheus, in place of the context's. [env without a configuration file: PROMETHEUS_URL]",
        rich_help_panel=_PANEL,
    ),
]
AlertmanagerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--alertmanager",
        metavar="URL",
        help="Alertmanager, in place of the context's; repeat it for the members of one cluster. "
        "[env without a configuration file: ALERTMANAGER_URL]",
        rich_help_panel=_PANEL,
    ),
]
PlaybookOption = Annotated[
    list[str] | None,
    typer.Option(
        "--playbook",
        metavar="NAME|DIR",
        help="Playbook, in place of the context's; may be repeated.",
        rich_help_panel=_PANEL,
    ),
]
ReadOnlyOption = Annotated[
    bool,
    typer.Option("--read-only", help="Leave out everything that changes something.", rich_help_panel=_PANEL),
]
FlagsFileOption = Annotated[
    Path | None,
    typer.Option(
        "--flags-file",
        metavar="FILE",
        help="Definition file of flagd, in place of the context's flag provider.",
        rich_help_panel=_PANEL,
    ),
]


ScreenOption = Annotated[
    str,
    typer.Option(help="The screen to begin with: overview, alerts, silences, flags, incident or status."),
]


P = ParamSpec("P")


def _connection(
    config: ConfigOption = None,
    context: ContextOption = None,
    prometheus: PrometheusOption = None,
    alertmanager: AlertmanagerOption = None,
    playbook: PlaybookOption = None,
    read_only: ReadOnlyOption = False,
    flags_file: FlagsFileOption = None,
) -> Options:
    """The values of the connection options as one struct. What was not given to a command is taken from before
    its name: `opsconsole --context prod check` is `opsconsole check --context prod`."""
    before = _before_the_command()
    return Options(
        config=config or before.config,
        context=context or before.context,
        prometheus=prometheus or before.prometheus,
        alertmanager=tuple(alertmanager or before.alertmanager),
        playbook=tuple(playbook or before.playbook),
        read_only=read_only or before.read_only,
        flags_file=flags_file or before.flags_file,
    )


def connected(command: Callable[Concatenate[Options, P], None]) -> Callable[..., None]:
    """A command that takes the connection options on the command line and gets them as one struct, its first
    argument. They stand behind its own arguments and before its own options."""
    shared = inspect.signature(_connection, eval_str=True).parameters
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    @wraps(command)
    def run(**given: Any) -> None:
        options = _connection(**{name: given.pop(name) for name in shared})
        command(options, **given)  # type: ignore[call-arg]  # typer gives what the signature says

    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*shared.values(), *own)]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # how inspect is told
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _before_the_command() -> Options:
    context = click.get_current_context(silent=True)
    found = context.find_root().obj if context is not None else None
    return found if isinstance(found, Options) else Options()
