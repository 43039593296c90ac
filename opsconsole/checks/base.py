"""What a check is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from opsconsole.model.verdicts import Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText

PANELS = "panels"
"""In `Check.needs`: the latest values of the panels that have thresholds. Every other name is a poll's."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One validation: a pure function of a snapshot.

    `id` is the id of its verdict, or what the ids of its verdicts begin with: `thresholds` yields
    `thresholds.<system>.<panel>`. `explains` is a sentence or two for `check --list`. `needs` are the polls
    (`state.polls.Polls.all`, or PANELS) without which its verdicts would be UNKNOWN; no others are asked.
    `run` yields no verdict when the context has nothing for it to judge.
    """

    id: str
    group: str
    title: SafeText
    explains: str
    needs: frozenset[str]
    run: Callable[[Snapshot], Iterator[Verdict]]
