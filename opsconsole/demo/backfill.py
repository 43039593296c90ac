"""The history of a simulated system before its start, written into Prometheus' own storage by promtool."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from opsconsole.demo.exposition import series_text
from opsconsole.demo.expr import duration
from opsconsole.demo.systems.base import Labels, System
from opsconsole.demo.systems.world import Key, SystemWorld
from opsconsole.errors import OpsError
from opsconsole.text import safe

HISTORY = 6 * 3600.0
"""Seconds of history."""

COARSE = 120.0
"""Most seconds between two samples: the latest one stands for five minutes."""

RECENT = 3600.0
"""Seconds before the start that have samples often enough for the shortest range window."""

LEAST = 2.0
"""Fewest seconds between two samples."""

BUDGET = 600_000
"""Samples of the recent part; it is cut shorter when it would need more."""

_WINDOW = re.compile(r"\[((?:[0-9]+(?:ms|[smhdwy]))+)(?::[^\]]*)?\]")


def shortest_window(texts: Sequence[str]) -> float:
    """The shortest range window of any expression in these texts, seconds; five minutes when there is none."""
    return min((duration(w) for text in texts for w in _WINDOW.findall(text)), default=300.0)


def sample_times(start: float, window: float, series: int) -> list[float]:
    """The times of the history up to `start`: the recent part has two samples in any `window` seconds."""
    step = min(COARSE, max(LEAST, window / 2.5))
    points = round(min(RECENT, max(BUDGET / series, 60.0) * step) / step) if step < COARSE else 0
    recent = start - points * step
    coarse = round((HISTORY - points * step) / COARSE)
    early = [recent - (coarse - i) * COARSE for i in range(coarse)]
    return early + [start - (points - i) * step for i in range(points + 1)]


def history(world: SystemWorld, times: Sequence[float], extra: Mapping[str, Labels]) -> Iterator[str]:
    """Every sample of every job at `times` as OpenMetrics lines; the world, which stands at the first of the
    times, is at the last one then. `extra` are labels by job that its scrape adds."""
    targets = {
        job.name: (("instance", job.instance), ("job", job.name), *extra.get(job.name, ()))
        for job in world.system.jobs
    }
    known: dict[Key, str] = {}
    for t in times:
        if t > world.end:
            world.jump(t)
        for target in targets.values():
            yield f"{series_text('up', target)} 1 {t:.3f}\n"
        for key, value in world.values().items():
            text = known.get(key)
            if text is None:
                text = known[key] = series_text(key[1], (*targets[key[0]], *key[2]))
            yield f"{text} {value!r} {t:.3f}\n"
    yield "# EOF\n"


def write_history(
    system: System,
    folder: Path,
    *,
    seed: int,
    start: float,
    window: float,
    extra: Mapping[str, Labels],
    limit: float,
) -> Path:
    """Write the history up to `start` into `folder`/tsdb within `limit` seconds of promtool. Returns the file
    that holds the counters' last values. Raises OpsError with what promtool says."""
    series = len(SystemWorld(system, seed=seed, start=start).values())
    times = sample_times(start, window, series)
    world = SystemWorld(system, seed=seed, start=times[0])
    source = folder / "history.om"
    with source.open("w", encoding="utf-8") as out:
        out.writelines(history(world, times, extra))
    command = [
        "promtool",
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        "--quiet",
        str(source),
        str(folder / "tsdb"),
    ]
    done = subprocess.run(command, capture_output=True, check=False, timeout=limit)
    if done.returncode:
        raise OpsError(
            f"promtool could not write the history: {safe(done.stderr.decode('utf-8', 'replace'), 400)}"
        )
    source.unlink()
    totals = folder / "totals.json"
    write_totals(totals, world.totals())
    return totals


def write_totals(path: Path, totals: Mapping[Key, float]) -> None:
    """Keep counters so that another process can go on from them."""
    path.write_text(json.dumps([[*key, value] for key, value in totals.items()]), "utf-8")


def read_totals(path: Path) -> dict[Key, float]:
    """What `write_totals` kept."""
    rows: list[Any] = json.loads(path.read_text("utf-8"))
    return {(job, name, tuple((k, v) for k, v in labels)): value for job, name, labels, value in rows}
