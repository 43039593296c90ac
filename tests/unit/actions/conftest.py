"""A runner over a cluster in memory, a real journal and a real flag file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from opsconsole.actions.runner import Runner
from opsconsole.clients.flags.flagd import FlagdProvider
from opsconsole.clock import ManualClock
from opsconsole.journal.store import Journal
from tests.unit.actions.fake_cluster import FakeCluster

FLAGS = """{
  "flags": {
    "new_pricing": {
      "state": "ENABLED",
      "variants": {"on": true, "off": false},
      "defaultVariant": "on",
      "targeting": {"if": [true, "on", "off"]}
    },
    "dark_mode": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"}
  }
}
"""


class Console:
    """A runner and everything it acts on. `again` is the same console after a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.cluster = FakeCluster(self.clock)
        self.flags_file = folder / "flags.json"
        self.flags_file.write_text(FLAGS)
        self.flags = FlagdProvider(self.flags_file)
        self.journal = Journal(folder / "journal.db", self.clock)
        self.refreshed = 0
        self.runner = self.make()

    def make(self, user: str = "me", context: str = "prod", read_only: bool = False) -> Runner:
        async def sleep(seconds: float) -> None:
            self.clock.advance(seconds)

        return Runner(
            clusters={"main": self.cluster},
            flags=self.flags,
            journal=self.journal,
            clock=self.clock,
            user=user,
            host="bastion",
            context=context,
            read_only=read_only,
            refresh=self._refresh,
            sleep=sleep,
        )

    def again(self) -> Runner:
        self.journal.close()
        self.journal = Journal(self.folder / "journal.db", self.clock)
        self.flags = FlagdProvider(self.flags_file)
        self.runner = self.make()
        return self.runner

    def _refresh(self) -> None:
        self.refreshed += 1


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    made = Console(tmp_path)
    yield made
    made.journal.close()
