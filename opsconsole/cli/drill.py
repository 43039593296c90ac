"""`opsconsole drill`: the incident-response test on a real demo stack."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole import __version__
from opsconsole.cli import demo as servers
from opsconsole.cli.finish import Finished
from opsconsole.cli.tables import write_text
from opsconsole.errors import ExitCode, OpsError, UsageError
from opsconsole.text import safe, trusted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opsconsole.demo.embedded import DemoEndpoints
    from opsconsole.demo.real import RealStack
    from opsconsole.demo.systems.base import System
    from opsconsole.drill.model import Drill, FaultRun
    from opsconsole.drill.run import Scene
    from opsconsole.model.verdicts import Level

FORMATS = ("text", "json", "markdown")


def drill(
    playbook: Annotated[
        str, typer.Option(metavar="NAME", help="The simulated system: one of the shipped playbooks.")
    ] = servers.EMBEDDED,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="NAME", help="Only this fault; may be repeated.", show_default=False),
    ] = None,
    as_list: Annotated[bool, typer.Option("--list", help="Print the faults and their alerts, and end.")] = False,
    format: Annotated[str, typer.Option(metavar="FORMAT", help=f"{', '.join(FORMATS)}.")] = "text",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the report there, whole or not at all, instead of to stdout.",
        ),
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of --format json, and end.")
    ] = False,
    speed: Annotated[float, typer.Option(min=0.1, help="How much faster than the demo.")] = 3.0,
    seed: Annotated[int, typer.Option(help="Another seed, another noise.")] = 7,
    timeout: Annotated[float, typer.Option(min=1.0, help="Seconds for which one step is waited for.")] = 180.0,
) -> None:
    """Let each scripted fault happen on a real stack, answer it, and hold the times against the playbook.

    For each fault: seconds until its alert is pending, firing, visible in the console, acknowledged, rolled back
    (or the fault turned off) and resolved. Starts its own Prometheus and Alertmanager on loopback, as
    `demo --real` does, with every delay and range window of the playbook made shorter; touches nothing else.

    Exit code 0 when every target of the playbook was met, 1 when one was missed or not measured.
    """
    from opsconsole.cli.check_options import writable
    from opsconsole.demo.systems.registry import find_system
    from opsconsole.drill.report import SCHEMA

    if schema:
        write_text(SCHEMA.read_text(encoding="utf-8"))
        return
    if format not in FORMATS:
        raise UsageError(f"there is no format {safe(format, 40)}", hint=f"formats: {', '.join(FORMATS)}")
    system = find_system(playbook)
    faults = _chosen(system, fault or [])
    if as_list:
        write_text("".join(f"{name}  {system.proves[name]}\n" for name in faults))
        return
    file = writable(output) if str(output) != "-" else None
    report = asyncio.run(_whole(system, faults, speed=speed, seed=seed, wait=timeout))
    level = _written(report, format, file)
    raise Finished(ExitCode.OK if level == 0 else ExitCode.FAILED)


def _chosen(system: System, wanted: Sequence[str]) -> tuple[str, ...]:
    from opsconsole.config.reader import nearest

    for name in wanted:
        if name not in system.proves:
            hint = nearest(name, system.proves)
            raise UsageError(f"{system.name} has no fault {safe(name, 40)}", hint=hint)
    return tuple(dict.fromkeys(wanted)) or tuple(system.proves)


def _written(report: Drill, format: str, file: Path | None) -> Level:
    """Write the report to a file, or to stdout without one and when the file cannot be written: a drill takes
    minutes. Raises OpsError."""
    from opsconsole.cli.check_output import save
    from opsconsole.drill.report import WRITERS

    text = WRITERS[format](report)
    if file is None:
        write_text(text)
    else:
        try:
            save(file, text)
        except OpsError:
            write_text(text)
            raise
        tell(f"{report.level.name}: the report is in {safe(str(file), 300)}")
    return report.level


async def _whole(system: System, faults: Sequence[str], *, speed: float, seed: int, wait: float) -> Drill:
    """Start, drill, end; ended early its report is of what there is."""
    from opsconsole.demo.real import RealStack
    from opsconsole.drill.model import Drill
    from opsconsole.drill.run import drill as run_drill

    runs: list[FaultRun] = []
    stopped = ""
    compress = 10.0 * speed
    stack = RealStack(system=system.name, seed=seed, compress=compress, release_after=None)
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        tell(f"starting {system.name} on real servers, {compress:g} times faster")
        scene = _scene(system, stack, await _started(stack), wait)
        began = scene.clock.now()
        try:
            await run_drill(scene, faults, tell, runs.append)
        except OpsError as error:
            stopped = str(error)
        except asyncio.CancelledError:
            stopped = "it was interrupted"
        finally:
            await scene.engine.aclose()
    finally:
        await asyncio.to_thread(stack.stop)
    return Drill(
        system=safe(system.name, 60),
        title=scene.playbook.title,
        compress=compress,
        began=began,
        seconds=scene.clock.now() - began,
        version=__version__,
        operator=scene.runner.user,
        runs=tuple(runs),
        stopped=safe(stopped, 300),
    )


async def _started(stack: RealStack) -> DemoEndpoints:
    """Start it in a thread, which nothing can stop half-way. Raises OpsError when that was wanted."""
    starting = asyncio.create_task(asyncio.to_thread(stack.start))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting])
        raise OpsError("interrupted before anything was drilled") from None


def _scene(system: System, stack: RealStack, endpoints: DemoEndpoints, wait: float) -> Scene:
    from opsconsole.actions.runner import Runner
    from opsconsole.cli.demo_command import demo_context
    from opsconsole.cli.wiring import context_info, host_name, load_playbooks, os_user
    from opsconsole.clients.sources import Sources
    from opsconsole.clock import SystemClock
    from opsconsole.drill.run import Scene
    from opsconsole.journal.store import Journal
    from opsconsole.state.engine import Engine

    clock, context = SystemClock(), demo_context(endpoints)
    user = os_user(context)
    info = context_info(context, trusted("DRILL"), user)
    playbooks = load_playbooks(context)
    sources = Sources(context, clock)
    engine = Engine(info, sources, playbooks, clock)
    runner = Runner(
        clusters=sources.clusters,
        flags=sources.flags,
        journal=Journal(endpoints.directory / "journal.db", clock),
        clock=clock,
        user=user,
        host=host_name(),
        context=info.name,
        read_only=False,
        refresh=engine.refresh,
    )
    return Scene(
        stack=stack,
        endpoints=endpoints,
        system=system,
        playbook=playbooks[0],
        engine=engine,
        runner=runner,
        clock=clock,
        wait=wait,
    )


def tell(text: str) -> None:
    """Narration goes to stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
