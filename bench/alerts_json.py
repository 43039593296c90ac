"""10,000 alerts as JSON: `opsconsole alerts --json` against `amtool alert query -o json`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench import load
from bench.processes import PROGRAM, against
from tests.support.servers import Alertmanager

TARGET = 0.85


def main(runs: int = 7) -> None:
    with tempfile.TemporaryDirectory() as folder, Alertmanager(Path(folder)) as server:
        load.post(server.url, load.alerts(10_000))
        ours = [PROGRAM, "--alertmanager", server.url, "alerts", "--json"]
        theirs = ["amtool", "--alertmanager.url", server.url, "alert", "query", "-o", "json"]
        found = against(ours, [theirs], runs=runs)
    print(found.line("10,000 alerts as JSON against amtool, whole processes", TARGET))


if __name__ == "__main__":
    main()
