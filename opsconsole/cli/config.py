"""`opsconsole config`: write, show and check the configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from opsconsole.cli.options import ConfigOption, connected
from opsconsole.config.discover import Options
from opsconsole.errors import ConfigError, Problem, UsageError

app = typer.Typer(help="Write, show and check the configuration.", no_args_is_help=True)


@app.command("init")
def init(
    config: ConfigOption = None,
    prometheus: Annotated[
        str, typer.Option(metavar="URL", help="Prometheus to write down.")
    ] = "http://localhost:9090",
    alertmanager: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Alertmanager to write down, http://localhost:9093 if left out; repeat it for the members "
            "of one cluster.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a first configuration file.

    It is commented, and only you can read it.
    """
    from opsconsole.config.paths import user_config
    from opsconsole.config.reader import expand
    from opsconsole.config.starter import starter, write_new

    home = Path.home()
    named = str(config) if config is not None else os.environ.get("OPSCONSOLE_CONFIG", "")
    path = expand(named, Path.cwd(), home) if named else user_config(os.environ, home)
    write_new(path, starter(prometheus, tuple(alertmanager or ["http://localhost:9093"])), force=force)
    typer.echo(f"wrote {path}")


@app.command("show")
@connected
def show(options: Options) -> None:
    """Show what would be used.

    Each value with where it came from; secrets are never shown.
    """
    from opsconsole.config.discover import resolve
    from opsconsole.config.show import describe

    typer.echo(describe(resolve(options, os.environ, Path.home())))


@app.command("validate")
def validate(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Configuration file, the usual one if left out.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Check a configuration file.

    The playbooks that it names too; every problem is told at once.
    """
    from opsconsole.config.load import load_config
    from opsconsole.config.paths import config_files
    from opsconsole.config.playbooks import find_playbook, load_playbook
    from opsconsole.text import safe

    home = Path.home()
    loaded = load_config(file or config, os.environ, home=home)
    if loaded.path is None:
        places = config_files(os.environ, home)
        raise ConfigError(
            tuple(Problem(safe(str(path)), 0, "", "not there") for path in places),
            hint="`opsconsole config init` writes a first configuration",
        )
    problems: dict[Problem, None] = {}
    for name, context in loaded.contexts.items():
        for playbook in context.playbooks:
            try:
                load_playbook(find_playbook(playbook))
            except ConfigError as error:
                problems |= dict.fromkeys(error.problems)
            except UsageError as error:
                key = f"contexts.{safe(name)}.playbooks"
                line = loaded.lines.get(name, 0)
                problems[Problem(safe(str(loaded.path)), line, key, error.message, error.hint)] = None
    if problems:
        raise ConfigError(tuple(problems))
    typer.echo(f"OK: {safe(str(loaded.path))}: contexts {', '.join(sorted(loaded.contexts))}")
