"""What stands there when the terminal is too small to trust."""

from __future__ import annotations

from rich.text import Text

from opsconsole.ui.lines import Lines

WIDTH, HEIGHT = 60, 15
"""The smallest terminal, in cells, in which the screens can be read."""


def is_too_small(width: int, height: int) -> bool:
    """Whether a terminal of this size is smaller than the screens need."""
    return width < WIDTH or height < HEIGHT


class TooSmall(Lines):
    """Covers the screen with the size that is needed; what lies under it keeps its state."""

    def show_size(self, width: int, height: int) -> None:
        """Say what is needed and what there is, in cells."""
        words = (f"needs {WIDTH}x{HEIGHT}, this is {width}x{height}", "q leaves")
        above = [Text("")] * max(0, (height - len(words)) // 2)
        lines = [Text(" " * max(0, (width - len(word)) // 2) + word, no_wrap=True) for word in words]
        self.show([*above, *lines])
