"""`opsconsole demo`: the command."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli import demo as servers
from opsconsole.cli.finish import Finished
from opsconsole.cli.options import ReadOnlyOption, ScreenOption
from opsconsole.config.schema import ClusterConfig, Context, Endpoint, FlagsConfig

if TYPE_CHECKING:
    from opsconsole.demo.embedded import DemoEndpoints


def demo(
    real: Annotated[
        bool, typer.Option("--real", help="Real Prometheus and Alertmanager processes on loopback.")
    ] = False,
    only_serve: Annotated[
        bool, typer.Option("--serve", help="Print where the servers are and open no console.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Another seed, another noise.")] = 7,
    speed: Annotated[float, typer.Option(min=0.1, help="How much faster the incident runs.")] = 1.0,
    playbook: Annotated[
        str, typer.Option(metavar="NAME", help="The simulated system; other than accubooks only with --real.")
    ] = servers.EMBEDDED,
    read_only: ReadOnlyOption = False,
    screen: ScreenOption = "overview",
) -> None:
    """Open the console on one made-up incident.

    A flag goes out, errors and latency rise, the pool fills, alerts fire; rolling the flag back heals it. It
    takes about four minutes and needs nothing installed; --real needs Debian's prometheus and
    prometheus-alertmanager, and the Python package prometheus-client.

    Both run the playbook's own files, only faster: every `for:`, range window and wait for grouping is divided
    by ten. With --real, `--serve` prints where faults are turned on: POST {"on": true} to …/faults/NAME.
    """
    servers.check_playbook(playbook, real=real)

    async def opener(endpoints: DemoEndpoints) -> int:
        from opsconsole.cli.console import run_console

        # The demo's actions belong into a journal of their own, which goes with its folder.
        return await run_console(
            demo_context(endpoints, read_only=read_only),
            start=screen,
            demo=endpoints.label,
            journal_file=endpoints.directory / "journal.db",
        )

    if not only_serve:
        from opsconsole.cli.console import need_console

        need_console(screen)
    opened = servers.serve if only_serve else opener
    raise Finished(asyncio.run(servers.run_demo(opened, real=real, seed=seed, speed=speed, playbook=playbook)))


def demo_context(endpoints: DemoEndpoints, *, read_only: bool = False) -> Context:
    """The context of a running demo: no configuration file has a say in it."""
    return Context(
        name="demo",
        environment="demo",
        read_only=read_only,
        playbooks=(endpoints.playbook,),
        prometheus=Endpoint(url=endpoints.prometheus_url),
        alertmanager=(ClusterConfig(name="main", members=(Endpoint(url=endpoints.alertmanager_url),)),),
        flags=FlagsConfig(provider="flagd", path=endpoints.flags_file),
    )
