"""Writes series as OpenMetrics text for promtool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from opsconsole.demo.accubooks import JOB
from opsconsole.demo.world import World


def series_text(name: str, labels: Iterable[tuple[str, str]]) -> str:
    """`name{a="x",b="y"}`, labels in name order."""
    pairs = ",".join(f'{k}="{_escape(v)}"' for k, v in sorted(labels))
    return f"{name}{{{pairs}}}" if pairs else name


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def history(world: World) -> Iterator[str]:
    """Every sample of the embedded demo's application up to the world's end, with times. Types are left out:
    promtool needs none, and stores the same series either way."""
    for name in world.names():
        for track in world.tracks(name):
            if track.labels["job"] == JOB:
                series = series_text(name, ((k, v) for k, v in track.labels.items() if k != "__name__"))
                for t, value in zip(world.times, track.values, strict=True):
                    yield f"{series} {value!r} {t:.3f}"
    yield "# EOF"
