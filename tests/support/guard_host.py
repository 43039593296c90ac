"""A guard's process to which something happens at a named step of its work.

    python -m tests.support.guard_host [--die STEP] [--freeze STEP] [--touch STEP FILE] [guard run's arguments]

`--die` ends it with SIGKILL at the step, in the incident; `--freeze` stops it with SIGSTOP; `--touch` makes a file
there. The steps are those of `tests.support.guard_process`. What would take a minute takes seconds: how long
Unleash's applications take to see a change (they ask every second here), how often its log is asked, the lease.
"""

from __future__ import annotations

import argparse
import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from opsconsole.clients.flags.unleash import UnleashProvider
from opsconsole.guard import choosing, eyes, lease, loop
from opsconsole.model.flags import RollbackPlan

PROPAGATION, SLACK, LEASE = 2.0, 2.0, 4.0
"""Seconds."""

AROUND_A_LOOK = ("looked", "decided")
"""Steps of every round: they count when the next samples confirm the rule."""

AFTER_THE_REPORT = ("reported", "reported and told")


def hasten() -> None:
    """Make what is a matter of minutes one of seconds."""
    known = UnleashProvider.capabilities
    UnleashProvider.capabilities = replace(known, propagation=PROPAGATION, rate_limit=None)
    choosing.SETTLE_SLACK = SLACK
    choosing.UNSETTLED = LEASE
    eyes._LOG_GAP = 1.0
    made = lease.LeaseFile.__init__

    def init(self: lease.LeaseFile, path: Path, **more: Any) -> None:
        made(self, path, **{**more, "ttl": LEASE, "margin": 1.0})

    lease.LeaseFile.__init__ = init  # type: ignore[method-assign]


def at_step(step: str, strike: Callable[[], object]) -> None:
    """Have the guard's loop strike, once, when it comes to the step in an incident."""
    struck: list[object] = []
    made = loop.GuardLoop.__init__

    def passed(self: loop.GuardLoop, name: str) -> None:
        rules = self.state.rules.values()
        begun = self.state.pending is not None or name in AFTER_THE_REPORT
        look = name in AROUND_A_LOOK and any(rule.run >= 2 for rule in rules)
        if name == step and (begun or look) and not struck:
            struck.append(name)
            strike()

    @functools.wraps(made)
    def init(self: loop.GuardLoop, **more: Any) -> None:
        made(self, **{**more, "at": lambda name: passed(self, name)})
        written.append(lambda: passed(self, "applied"))

    written: list[Callable[[], None]] = []
    applied = UnleashProvider.apply

    async def apply(self: UnleashProvider, plan: RollbackPlan, reason: str = "") -> str:
        revision = await applied(self, plan, reason)
        for tell in written:
            tell()
        return revision

    loop.GuardLoop.__init__ = init  # type: ignore[method-assign]
    UnleashProvider.apply = apply  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--die", metavar="STEP")
    parser.add_argument("--freeze", metavar="STEP")
    parser.add_argument("--touch", nargs=2, metavar=("STEP", "FILE"))
    options, rest = parser.parse_known_args()
    hasten()
    if options.die:
        at_step(options.die, lambda: os.kill(os.getpid(), signal.SIGKILL))
    if options.freeze:
        at_step(options.freeze, lambda: os.kill(os.getpid(), signal.SIGSTOP))
    if options.touch:
        step, file = options.touch
        at_step(step, Path(file).touch)
    from opsconsole.cli.main import main as opsconsole  # once it is what it is to be

    sys.exit(opsconsole(["guard", "run", *rest]))


if __name__ == "__main__":
    main()
