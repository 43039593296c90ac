"""Lines on a grid of dots: a small renderer of braille cells, and the same with plain characters.

It costs a small part of what a general plotting library does, which is what a screen full of small panels
that change with every scrape needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

ASCII_MARKERS = "*+ox#@"
"""One character a series; they repeat."""

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_CELLS = " " + "".join(chr(0x2800 + bits) for bits in range(1, 256))
_UNTOUCHED = 1 << 30

LARGEST = 1e100
"""Values beyond are holes: the distance between two of them might not fit in a float."""


class Curve(NamedTuple):
    """Points of one series: times in seconds, values, and the step in seconds above which two points are
    not joined. None, NaN, infinite and absurdly large values are holes."""

    times: Sequence[float]
    values: Sequence[float | None]
    gap: float


class Frame(NamedTuple):
    """What the grid shows: cells, the time from `start` to `end` and values from `low` to `high`."""

    width: int
    height: int
    start: float
    end: float
    low: float
    high: float

    def row_of(self, value: float) -> int:
        """The row of cells, from the top, that a value falls into; it may be outside."""
        dots = self.height * 4
        return int((self.high - value) * (dots - 1) / (self.high - self.low) + 0.5) // 4

    def column_of(self, time: float) -> int:
        """The column of cells that a time falls into; it may be outside."""
        dots = self.width * 2
        return int((time - self.start) * (dots - 1) / (self.end - self.start) + 0.5) // 2


class Canvas(NamedTuple):
    """Drawn cells: a string a row, and for every cell the number of its series from 1, 0 when blank."""

    rows: tuple[str, ...]
    owners: tuple[bytes, ...]


def draw(curves: Sequence[Curve], frame: Frame) -> Canvas:
    """The curves in braille. Where two meet the cell takes the colour of the first."""
    width, size = frame.width, frame.width * frame.height
    bits, owner = bytearray(size), bytearray(size)
    for index in range(len(curves) - 1, -1, -1):
        tops, bottoms = trace(curves[index], frame, width * 2, frame.height * 4)
        mark = index + 1
        for x, top in enumerate(tops):
            if top == _UNTOUCHED:
                continue
            column, dots = x >> 1, _DOTS[x & 1]
            for y in range(top, bottoms[x] + 1):
                cell = (y >> 2) * width + column
                bits[cell] |= dots[y & 3]
                owner[cell] = mark
    text = bits.decode("latin-1").translate(_CELLS)
    return _canvas(text, owner, frame)


def draw_ascii(curves: Sequence[Curve], frame: Frame) -> Canvas:
    """The curves with one character each from `ASCII_MARKERS`."""
    width, size = frame.width, frame.width * frame.height
    text, owner = [" "] * size, bytearray(size)
    for index in range(len(curves) - 1, -1, -1):
        tops, bottoms = trace(curves[index], frame, width, frame.height)
        char = ASCII_MARKERS[index % len(ASCII_MARKERS)]
        for x, top in enumerate(tops):
            if top == _UNTOUCHED:
                continue
            for y in range(top, bottoms[x] + 1):
                text[y * width + x] = char
                owner[y * width + x] = index + 1
    return _canvas("".join(text), owner, frame)


def _canvas(text: str, owner: bytearray, frame: Frame) -> Canvas:
    cuts = range(0, frame.width * frame.height, frame.width)
    whole = bytes(owner)
    return Canvas(
        tuple(text[at : at + frame.width] for at in cuts), tuple(whole[at : at + frame.width] for at in cuts)
    )


def trace(curve: Curve, frame: Frame, across: int, down: int) -> tuple[list[int], list[int]]:
    """For each of `across` dot columns the top and bottom dot of the curve, of `down` dots; the top of a
    column without a dot is larger than any. Points outside the time are left out, values are clamped."""
    tops, bottoms = [_UNTOUCHED] * across, [-1] * across
    start, end, high = frame.start, frame.end, frame.high
    by_time, by_value = (across - 1) / (end - start), (down - 1) / (high - frame.low)
    lowest, gap = down - 1, curve.gap
    joined = False
    before, last_x, last_y = 0.0, 0, 0
    for time, value in zip(curve.times, curve.values, strict=False):
        if value is None or not -LARGEST < value < LARGEST or not start <= time <= end:
            joined = False
            continue
        x = int((time - start) * by_time + 0.5)
        scaled = (high - value) * by_value + 0.5
        y = 0 if scaled < 0 else lowest if scaled > lowest else int(scaled)
        if joined and time - before <= gap and x != last_x:
            _join(tops, bottoms, last_x, last_y, x, y)
        elif joined and time - before <= gap and x == last_x:
            tops[x] = min(tops[x], y)
            bottoms[x] = max(bottoms[x], y)
        else:
            if y < tops[x]:
                tops[x] = y
            if y > bottoms[x]:
                bottoms[x] = y
        joined = True
        before, last_x, last_y = time, x, y
    return tops, bottoms


def _join(tops: list[int], bottoms: list[int], x0: int, y0: int, x1: int, y1: int) -> None:
    """Widen the columns from x0 to x1 so that the two dots are connected; x0 < x1, or times ran backwards."""
    steps = x1 - x0
    if steps < 0:
        return
    rise = (y1 - y0) / (2 * steps)
    reached = y0
    for step in range(steps + 1):
        until = y1 if step == steps else int(y0 + rise * (2 * step + 1) + 0.5)
        near, far = (reached, until) if reached <= until else (until, reached)
        x = x0 + step
        if near < tops[x]:
            tops[x] = near
        if far > bottoms[x]:
            bottoms[x] = far
        reached = until
