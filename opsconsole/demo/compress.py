"""Makes a copy of a playbook whose delays and rate windows are shorter, so that an incident fits a demo.

This is the one override of a playbook's rules, the same for the demo and for the tests on real servers: in
`rules.yaml` and `playbook.yaml` every `for:`, `keep_firing_for:`, `interval:` and every range window is divided
by one factor, in `alertmanager.yaml` the waits for grouping. Nothing else is changed: expressions, bounds,
labels, annotations and routes are the playbook's own; what `playbook.yaml` says of the jobs' intervals is what
they are.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from opsconsole.demo.expr import duration

_DURATION = r"(?:[0-9]+(?:ms|[smhdwy]))+"
_FOR = re.compile(rf"(?P<before>\b(?:for|keep_firing_for|interval):\s*)(?P<time>{_DURATION})")
_INTERVAL = re.compile(rf"(?P<before>\binterval:\s*){_DURATION}")
_WINDOW = re.compile(rf"\[(?P<time>{_DURATION})(?P<every>:(?:{_DURATION})?)?\]")
_GROUPING = re.compile(rf"(?P<before>\b(?:group_wait|group_interval):\s*)(?P<time>{_DURATION})")

INTERVAL = "1s"
"""How often everything is scraped and evaluated when delays are shorter; what a playbook says of its jobs too."""

MIN_WINDOW = 5.0
"""Range windows are never made shorter than this, seconds: several scrapes of one second."""


def shorter(seconds: float, factor: float, least: float = 1.0) -> str:
    """The duration divided by `factor`, in whole seconds, at least `least`; zero stays zero."""
    return "0s" if seconds == 0 else f"{max(least, round(seconds / factor)):.0f}s"


def compress_rules(text: str, factor: float) -> str:
    """A rules or playbook file with every `for:` and every range window divided by `factor`, the resolution of a
    subquery too."""
    text = _FOR.sub(lambda m: m["before"] + shorter(duration(m["time"]), factor), text)
    return _WINDOW.sub(lambda m: _window(m["time"], m["every"], factor), text)


def embedded_copy(playbook: Path, target: Path, factor: float) -> Path:
    """Copy a playbook's folder to `target` with the waits of its rules divided by `factor`, exactly, and nothing
    else: what the embedded demo does to them. Returns `target`."""
    shutil.copytree(playbook, target)
    path = target / "rules.yaml"
    text = path.read_text("utf-8")
    text = _FOR.sub(lambda m: f"{m['before']}{duration(m['time']) / factor * 1000:.0f}ms", text)
    path.write_text(text, "utf-8")
    return target


def _window(window: str, every: str | None, factor: float) -> str:
    short = shorter(duration(window), factor, MIN_WINDOW)
    if every is not None and len(every) > 1:
        every = f":{shorter(duration(every[1:]), factor)}"
    return f"[{short}{every or ''}]"


def compress_routing(text: str, factor: float) -> str:
    """An alertmanager.yaml with its waits for grouping divided by `factor`; repeats stay."""
    return _GROUPING.sub(lambda m: m["before"] + shorter(duration(m["time"]), factor), text)


def compressed_copy(playbook: Path, target: Path, factor: float) -> Path:
    """Copy a playbook's folder to `target` with its delays divided by `factor`; returns `target`."""
    shutil.copytree(playbook, target)
    if factor != 1.0:
        for name, change in (
            ("rules.yaml", compress_rules),
            ("playbook.yaml", compress_rules),
            ("alertmanager.yaml", compress_routing),
        ):
            path = target / name
            path.write_text(change(path.read_text("utf-8"), factor), "utf-8")
        path = target / "playbook.yaml"
        path.write_text(_INTERVAL.sub(rf"\g<before>{INTERVAL}", path.read_text("utf-8")), "utf-8")
    return target
