"""A row of tabs, of which the chosen one is always in sight."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from opsconsole.render.glyphs import UNICODE, Glyphs
from opsconsole.render.row import Row, clean, width_of
from opsconsole.render.theme import DARK, Theme


def tab_row(
    names: Sequence[str], chosen: int, width: int, *, theme: Theme = DARK, glyphs: Glyphs = UNICODE
) -> Text:
    """The names in a row of `width` cells, the chosen one marked. When they do not all fit, as many as fit
    around the chosen one, with the `more` glyph on a side where others are left out."""
    sizes = [width_of(clean(name, glyphs)) + 3 for name in names]
    first, last = shown_tabs(sizes, chosen, width)
    row = Row(width, glyphs)
    if first:
        row.add(glyphs.more, theme["dim"])
    for index in range(first, last):
        row.add(f" {names[index]} ", theme["active" if index == chosen else "dim"])
        row.space()
    if last < len(names):
        row.add(glyphs.more, theme["dim"])
    return row.done()


def shown_tabs(sizes: Sequence[int], chosen: int, width: int) -> tuple[int, int]:
    """The first tab that is shown and the one after the last, by their sizes in cells. One cell at each side
    is kept for the mark of what is left out."""
    if sum(sizes) <= width:
        return 0, len(sizes)
    room = width - 2
    first, last = chosen, chosen + 1
    taken = sizes[chosen] if sizes else 0
    # To the left first: who goes through the tabs has seen those.
    while first > 0 and taken + sizes[first - 1] <= room // 2:
        first -= 1
        taken += sizes[first]
    while last < len(sizes) and taken + sizes[last] <= room:
        taken += sizes[last]
        last += 1
    while first > 0 and taken + sizes[first - 1] <= room:
        first -= 1
        taken += sizes[first]
    return first, last
