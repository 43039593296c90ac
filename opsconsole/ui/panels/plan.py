"""Where each panel of a dashboard stands: pure arithmetic on cells."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec

WIDE = 100
"""Columns from which the first group is drawn large."""

_LARGE, _SMALL = 40, 24
"""The columns that a large and a small panel want."""
_SMALLEST = 3
"""Rows of the smallest panel: its borders and one line of chart."""
_TALLEST = 14


class Place(msgspec.Struct, frozen=True):
    """A rectangle of the grid, in cells."""

    x: int
    y: int
    width: int
    height: int

    @property
    def centre(self) -> int:
        return self.x + self.width // 2


class Plan(msgspec.Struct, frozen=True):
    """The places of a dashboard's groups.

    `panels` has, for each group, the places of its panels, or () when it is folded; `shown` is how many of
    the first groups have room; `heads` has the row of each further group's one-line head, or -1 when it has
    none; `height` is the rows in all.
    """

    panels: tuple[tuple[Place, ...], ...]
    heads: tuple[int, ...]
    shown: int
    height: int


NOTHING = Plan((), (), 0, 0)


def plan(sizes: Sequence[int], width: int, height: int, *, opened: bool = False) -> Plan:
    """Places for groups of `sizes` panels in `width` columns and `height` visible rows.

    As many of the first groups as fit are shown; the others fold into one line, the head of the first of
    them. When they are `opened`, each has its head and its panels, below what is visible if need be. Room
    that is left makes panels taller, the first group's first. Under WIDE columns the shown groups flow into
    each other, so that both columns are filled.
    """
    if width < WIDE:
        return _flowing(sizes, width, height, opened=opened)
    rows = [_rows_of(count, width, first=i == 0) for i, count in enumerate(sizes)]
    small = _heights(len(sizes), height)
    shown = _fitting(rows, small, height)
    heights = _grown(rows, small, shown, height)
    panels: list[tuple[Place, ...]] = []
    heads: list[int] = []
    y = 0
    for group, lengths in enumerate(rows):
        has_head = group == shown or (group > shown and opened)
        heads.append(y if has_head else -1)
        y += has_head
        places: list[Place] = []
        for length in lengths if group < shown or opened else ():
            places += _row(length, width, y, heights[group])
            y += heights[group]
        panels.append(tuple(places))
    return Plan(tuple(panels), tuple(heads), shown, y)


def _flowing(sizes: Sequence[int], width: int, height: int, *, opened: bool) -> Plan:
    """The places in two columns."""
    counts = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    fitting = [i + 1 for i, n in enumerate(counts) if -(-n // 2) * _SMALLEST + (i + 1 < len(sizes)) <= height]
    shown = fitting[-1] if fitting else min(1, len(sizes))
    room = height - (shown < len(sizes))
    flow = _pairs(counts[shown - 1] if shown else 0, width, 0, room)
    panels = [tuple(flow[n - size : n]) for n, size in zip(counts[:shown], sizes, strict=False)]
    heads = [-1] * shown
    y = _end(flow)
    for group, size in enumerate(sizes[shown:]):
        has_head = group == 0 or opened
        heads.append(y if has_head else -1)
        y += has_head
        places = _pairs(size, width, y, 0) if opened else []
        y = max(y, _end(places))
        panels.append(tuple(places))
    return Plan(tuple(panels), tuple(heads), shown, y)


def _pairs(count: int, width: int, y: int, room: int) -> list[Place]:
    """Places for so many panels in rows of two from `y` on, the rows as tall as the room lets them be."""
    rows = -(-count // 2)
    places: list[Place] = []
    for row in range(rows):
        tall = max(_SMALLEST, min(_TALLEST, room // rows + (row < room % rows)))
        places += _row(min(2, count - 2 * row), width, y, tall)
        y += tall
    return places


def _end(places: Sequence[Place]) -> int:
    return max((p.y + p.height for p in places), default=0)


def _rows_of(count: int, width: int, *, first: bool) -> list[int]:
    """How many panels each row of a group has, as even as can be."""
    per = max(2, width // (_LARGE if first else _SMALL))
    rows = -(-count // per)
    return [count // rows + (i < count % rows) for i in range(rows)] if rows else []


def _heights(groups: int, height: int) -> list[int]:
    if height < 20:
        return [_SMALLEST] * groups
    return [8, *[6] * (groups - 1)]


def _fitting(rows: Sequence[Sequence[int]], heights: Sequence[int], height: int) -> int:
    """How many of the first groups can be shown, with one line for those that cannot."""
    for shown in range(len(rows), 1, -1):
        used = sum(len(r) * h for r, h in zip(rows[:shown], heights, strict=False))
        if used + (shown < len(rows)) <= height:
            return shown
    return min(1, len(rows))


def _grown(rows: Sequence[Sequence[int]], heights: list[int], shown: int, height: int) -> list[int]:
    grown = list(heights)
    free = height - (shown < len(rows)) - sum(len(rows[i]) * grown[i] for i in range(shown))
    most = [_TALLEST, *[9] * (len(grown) - 1)]
    for limits in ([10, *[6] * (len(grown) - 1)], most):
        changed = True
        while changed:
            changed = False
            for group in range(shown):
                if grown[group] < limits[group] and 0 < len(rows[group]) <= free:
                    grown[group] += 1
                    free -= len(rows[group])
                    changed = True
    return grown


def _row(count: int, width: int, y: int, height: int) -> list[Place]:
    edges = [width * i // count for i in range(count + 1)]
    return [Place(left, y, right - left, height) for left, right in pairwise(edges)]
