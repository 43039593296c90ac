"""`opsconsole guard`: the process that rolls flags back without a person."""

from __future__ import annotations

import typer

from opsconsole.cli import guard_simulate
from opsconsole.cli.guard_notify import add_to

app = typer.Typer(help="Watch the guard, which rolls flags back by itself.", no_args_is_help=True)

add_to(app)
guard_simulate.add_to(app)
