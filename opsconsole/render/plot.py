"""The same lines drawn by plotext: for the Graph tab and panels at full screen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from threading import Lock

from opsconsole.render.braille import LARGEST, Canvas, Curve, Frame

_STYLED = re.compile(r"\x1b\[([0-9;]*)m")
_FOREGROUND = re.compile(r"38;5;(\d+)")
_FIGURE = Lock()  # plotext has one figure for the whole process


def draw(curves: Sequence[Curve], frame: Frame) -> Canvas:
    """The curves as plotext draws them in braille, without its axes, labels and background.

    Each series gets its number as colour code, which is read back as the owner of the cell.
    """
    import plotext  # loading it takes as long as starting a small program; only this function needs it

    with _FIGURE:
        figure = plotext.figure
        figure.clear()
        plotext.terminal.limit(False, False)  # the frame decides, not what plotext thinks of the terminal
        figure.plot_size(frame.width, frame.height)
        figure.axes(False)
        figure.legend(False)
        for axis, limits in (("x", (frame.start, frame.end)), ("y", (frame.low, frame.high))):
            ruler = figure.ruler(axis)
            ruler.ticks([])
            ruler.lim(*limits)
        for index in range(len(curves) - 1, -1, -1):
            marker = plotext.marker("braille", pixel=index + 1)
            for times, values in runs(curves[index], frame):
                figure.draw(figure.signal(times, values, marker=marker).lines(len(times) > 1))
        text = figure.build().string()
        figure.clear()
    return _read(text, frame)


def runs(curve: Curve, frame: Frame) -> list[tuple[list[float], list[float]]]:
    """The stretches of a curve without a hole, inside the frame's time, values clamped to its range."""
    found: list[tuple[list[float], list[float]]] = []
    before: float | None = None
    for time, value in zip(curve.times, curve.values, strict=False):
        if value is None or not -LARGEST < value < LARGEST or not frame.start <= time <= frame.end:
            before = None
            continue
        if before is None or time - before > curve.gap or time < before:
            found.append(([], []))
        found[-1][0].append(time)
        found[-1][1].append(min(max(value, frame.low), frame.high))
        before = time
    return found


def _read(text: str, frame: Frame) -> Canvas:
    rows, owners = [], []
    for raw in text.split("\n")[: frame.height]:
        chars, owner, mark = "", bytearray(), 0
        pieces = _STYLED.split(raw)
        for index, piece in enumerate(pieces):
            if index % 2:
                found = _FOREGROUND.search(piece)
                mark = int(found[1]) if found else 0 if piece in {"", "0"} else mark
                continue
            chars += piece
            owner += bytes(0 if char == " " else mark for char in piece)
        rows.append(chars.ljust(frame.width)[: frame.width])
        owners.append(bytes(owner).ljust(frame.width, b"\0")[: frame.width])
    while len(rows) < frame.height:
        rows.append(" " * frame.width)
        owners.append(bytes(frame.width))
    return Canvas(tuple(rows), tuple(owners))
