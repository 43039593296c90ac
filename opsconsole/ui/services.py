"""What the screens are given: where data comes from and who changes things."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from opsconsole.actions.runner import Runner
from opsconsole.clock import Clock
from opsconsole.model.verdicts import Verdict
from opsconsole.render.glyphs import Glyphs
from opsconsole.render.theme import Theme
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import Snapshot


@dataclass(frozen=True)
class Services:
    """The parts that every screen may use. `checks` turns a snapshot into the verdicts of the Status screen;
    `zone` is the operator's time zone, UTC is always shown beside it."""

    engine: Engine
    runner: Runner
    clock: Clock
    glyphs: Glyphs
    theme: Theme
    zone: tzinfo
    checks: Callable[[Snapshot], Sequence[Verdict]]
