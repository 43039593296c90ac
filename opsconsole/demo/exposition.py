"""Writes the world's series as text: one scrape, or its whole history as OpenMetrics for promtool."""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.demo.accubooks import INSTANCE, JOB, is_counter
from opsconsole.demo.world import Track, World

TARGET_LABELS = frozenset({"__name__", "instance", "job"})
"""Labels that the scrape adds by itself."""


def _is_own(track: Track) -> bool:
    return track.labels["job"] == JOB and track.labels["__name__"] != "up"


def _families(world: World) -> Iterator[tuple[str, str, list[Track]]]:
    """Family name, type and series; the three parts of a histogram are one family."""
    families: dict[str, tuple[str, list[Track]]] = {}
    buckets = {n.removesuffix("_bucket") for n in world.names() if n.endswith("_bucket")}
    for name in world.names():
        family, kind = name, "counter" if is_counter(name) else "gauge"
        for suffix in ("_bucket", "_sum", "_count"):
            if name.removesuffix(suffix) in buckets:
                family, kind = name.removesuffix(suffix), "histogram"
        tracks = [t for t in world.tracks(name) if _is_own(t)]
        if tracks:
            families.setdefault(family, (kind, []))[1].extend(tracks)
    for family, (kind, tracks) in families.items():
        yield family, kind, tracks


def _series(labels: dict[str, str], hidden: frozenset[str]) -> str:
    pairs = ",".join(f'{k}="{_escape(v)}"' for k, v in sorted(labels.items()) if k not in hidden)
    return f"{labels['__name__']}{{{pairs}}}" if pairs else labels["__name__"]


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def scrape(world: World) -> str:
    """The latest values in the text format 0.0.4."""
    lines: list[str] = []
    for family, kind, tracks in _families(world):
        lines.append(f"# TYPE {family} {kind}")
        lines += [f"{_series(t.labels, TARGET_LABELS)} {t.values[-1]!r}" for t in tracks]
    return "\n".join(lines) + "\n"


def history(world: World) -> Iterator[str]:
    """Every sample up to the world's end, with times, as OpenMetrics lines. Types are left out: promtool
    needs none, and stores the same series either way."""
    up = {"__name__": "up", "instance": INSTANCE, "job": JOB}
    for t in world.times:
        yield f"{_series(up, frozenset({'__name__'}))} 1 {t:.3f}"
    hidden = frozenset({"__name__"})
    for _, _, tracks in _families(world):
        for track in tracks:
            series = _series(track.labels, hidden)
            for t, value in zip(world.times, track.values, strict=True):
                yield f"{series} {value!r} {t:.3f}"
    yield "# EOF"
