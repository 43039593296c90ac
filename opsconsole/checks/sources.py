"""Does this program itself work?"""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.checks.base import Check
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import trusted


def check_console(snapshot: Snapshot) -> Iterator[Verdict]:
    """A verdict only when this program itself met an error."""
    if snapshot.broken:
        yield Verdict(
            id="sources.console",
            title=trusted("This console works"),
            level=Level.UNKNOWN,
            reason=trusted(f"internal errors while asking: {', '.join(snapshot.broken)}"),
            evidence=tuple(trusted(f"{name}: {what}") for name, what in snapshot.broken.items()),
            hint=trusted("please report these lines"),
        )


CHECKS = (
    Check(
        id="sources.console",
        group="sources",
        title=trusted("This console works"),
        explains="UNKNOWN when this program itself failed while asking; nothing otherwise.",
        needs=frozenset(),
        run=check_console,
    ),
)
