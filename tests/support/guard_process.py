"""Runs a guard that is killed with -9 at a step, and then a second one that finds what it left.

    python -m tests.support.guard_process FOLDER STEP...

One line of JSON for each step: how all stood after the second. The guards are
forked off this process, which has loaded everything: a start of Python for each would take most of the time.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from opsconsole.clock import ManualClock
from tests.support.guard_loops import Bench, is_on, write_flags

STEPS = (
    "looked",
    "decided",
    "saved",
    "journalled",
    "planned",
    "intended",
    "writing",
    "applied",
    "verified",
    "acted",
    "reported",
    "reported and told",
)
"""Every step between a look that decides and the end of what it decided."""

ENDED = 600.0
"""Seconds after the start when the second guard ends: it has recovered, and its cool-down is not over."""


def clock_at(seconds: float) -> ManualClock:
    clock = ManualClock()
    clock.advance(seconds)
    return clock


def first(folder: Path, step: str) -> None:
    """The guard that is killed: in the round that decides."""
    write_flags(folder / "flags.json", new_parser=False, other=True)
    bench = Bench(folder, clock=clock_at(0))

    def die(name: str) -> None:
        deciding = bench.loop.state.pending is not None or name in ("reported", "reported and told")
        run = next((rule.run for rule in bench.loop.state.rules.values()), 0)
        if name == step and (deciding or (name in ("looked", "decided") and run == 3)):
            os.kill(os.getpid(), signal.SIGKILL)

    bench.at = die
    bench.provider.after_apply = lambda: die("applied")

    async def live() -> None:
        await bench.run(30)
        write_flags(bench.flags, new_parser=True, other=True)
        await bench.run(60)

    asyncio.run(live())


def second(folder: Path) -> None:
    """The guard that starts after that, 20 s later."""
    bench = Bench(folder, clock=clock_at(90))
    asyncio.run(bench.run(ENDED - 90))
    entries = [e for e in bench.entries() if _ours(e.action)]
    print(
        json.dumps(
            {
                "writes": bench.writes(),
                "on": is_on(bench.flags),
                "open": len(bench.journal.open_intents()),
                "verify": bench.journal.verify(),
                "told": bench.ports.kinds(),
                "events": [e.detail.get("kind") for e in entries if e.action == "guard"],
                "results": [e.result.value for e in entries if e.action == "rollback"],
                "waiting": [event.kind for event in bench.store.waiting()],
                "phase": bench.status.rules[0].phase.value,
                "pending": bench.loop.state.pending is not None,
                "problem": bench.status.problem,
            }
        ),
        flush=True,
    )


def _ours(action: str) -> bool:
    return action in ("guard", "rollback")


def forked(work: Callable[[], None]) -> int:
    """The wait status of a child that does the work."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def main(folder: Path, steps: list[str]) -> None:
    for step in steps:
        place = folder / step.replace(" ", "-")
        place.mkdir()
        status = forked(lambda place=place, step=step: first(place, step))  # type: ignore[misc]
        if not os.WIFSIGNALED(status):
            sys.exit(f"the guard was not killed at {step!r}: it ended with {os.waitstatus_to_exitcode(status)}")
        if forked(lambda place=place: second(place)):  # type: ignore[misc]
            sys.exit(f"the guard after {step!r} failed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
