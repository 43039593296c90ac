"""Sequences of actions by two users, drawn by lot, while members of a real cluster and consoles are killed: in the
end nothing stands twice, nothing is lost, and the journals explain every difference."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.killable import KillableCluster
from tests.support.stories import Story

pytestmark = pytest.mark.live

TURNS = 12


async def live_through(seeds: Sequence[int], clusters: int, directory: Path) -> list[Story]:
    """The stories of these seeds, on so many clusters side by side."""
    waiting = list(reversed(seeds))
    stories: list[Story] = []

    async def one_after_another(number: int) -> None:
        async with KillableCluster(directory / f"cluster-{number}") as cluster:
            while waiting:
                story = Story(waiting.pop(), directory / f"story-{len(stories)}", cluster)
                stories.append(story)
                await story.run(TURNS)

    await asyncio.gather(*(one_after_another(number) for number in range(clusters)))
    return stories


def summary(stories: Sequence[Story], seconds: float) -> str:
    """What was run and found; fails with the seeds and stories in which something is wrong."""
    wrong = [story for story in stories if story.problems]
    words = (
        f"{len(stories)} sequences in {seconds:.0f} s: {sum(s.actions for s in stories)} actions, "
        f"{sum(s.members_killed for s in stories)} members killed, "
        f"{sum(s.consoles_killed for s in stories)} consoles killed, "
        f"{sum(s.standing for s in stories)} silences stand, {sum(len(s.problems) for s in stories)} problems"
    )
    found = [f"seed {s.seed}:\n" + "\n".join((*s.problems, "what happened:", *s.told)) for s in wrong[:5]]
    assert not wrong, "\n".join((words, f"seeds {sorted(s.seed for s in wrong)}", *found))
    return words


async def test_a_few_sequences_with_random_kills(tmp_path: Path) -> None:
    begun = time.monotonic()
    stories = await live_through(range(1, 5), 1, tmp_path)
    print(summary(stories, time.monotonic() - begun))


@pytest.mark.nightly
async def test_two_hundred_sequences_with_random_kills(tmp_path: Path) -> None:
    begun = time.monotonic()
    stories = await live_through(range(1000, 1200), 4, tmp_path)
    print(summary(stories, time.monotonic() - begun))
