"""Style names and what they look like on a dark, a light and a colourless terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style

NAMES = (
    "plain", "dim", "strong", "title", "border", "border.unknown", "border.focus", "value", "value.old",
    "critical", "high", "warning", "info", "unknown", "ok", "nobody", "overdue", "held", "selected", "marked",
    "flag", "header", "key", "axis", "guide", "shade", "demo", "production", "readonly", "active",
    "series.0", "series.1", "series.2", "series.3", "series.4", "series.5",
)  # fmt: skip
"""Every style that render functions use; each theme defines them all."""

SERIES_STYLES = 6

_FORWARD = Style(reverse=False)


class Theme:
    """Style names to rich styles. Themes compare and hash by identity, so that they can key a cache."""

    def __init__(self, name: str, styles: Mapping[str, str], *, dark: bool = True) -> None:
        self.name = name
        self.dark = dark
        self._styles = {key: Style.parse(text) for key, text in styles.items()}
        self._drawn = {key: style + _FORWARD if style.reverse else style for key, style in self._styles.items()}

    def __getitem__(self, name: str) -> Style:
        """The style of this name. Raises KeyError for a name that is not in `NAMES`."""
        return self._styles[name]

    def drawn(self, name: str) -> Style:
        """The style of this name for bars and lines: never reversed, which would make a full bar look empty.
        Raises KeyError."""
        return self._drawn[name]

    def __repr__(self) -> str:
        return f"Theme({self.name!r})"

    def series(self, index: int) -> Style:
        """The style of the nth series of a chart, from 0; they repeat after `SERIES_STYLES`."""
        return self._styles[f"series.{index % SERIES_STYLES}"]


_DARK = {
    "plain": "",
    "dim": "#808890",
    "strong": "bold",
    "title": "#b8c0c8",
    "border": "#4a5058",
    "border.unknown": "#d787ff",
    "border.focus": "#8ab4f8",
    "value": "bold",
    "value.old": "strike #808890",
    "critical": "bold #ff5f5f",
    "high": "bold #ff9f43",
    "warning": "#f2d04e",
    "info": "#8fa8c0",
    "unknown": "bold #d787ff",
    "ok": "#6aa86a",
    "nobody": "bold",
    "overdue": "bold reverse #ff5f5f",
    "held": "#8fa8c0",
    "selected": "reverse",
    "marked": "bold #8ab4f8",
    "flag": "bold #56d4dd",
    "header": "#808890",
    "key": "bold #8ab4f8",
    "axis": "#6a7078",
    "guide": "#4a6a70",
    "shade": "on #2a2f38",
    "demo": "bold reverse #56d4dd",
    "production": "bold reverse #ff9f43",
    "readonly": "bold #56d4dd",
    "active": "bold reverse",
    "series.0": "#6cb6ff",
    "series.1": "#b8a1ff",
    "series.2": "#4fd1c5",
    "series.3": "#a0a8b0",
    "series.4": "#e0a8d0",
    "series.5": "#d8dee4",
}

_LIGHT = {
    **_DARK,
    "dim": "#6a7078",
    "title": "#30363c",
    "border": "#b0b6bc",
    "border.unknown": "#9020b0",
    "border.focus": "#1a5fb4",
    "value.old": "strike #6a7078",
    "critical": "bold #c01c28",
    "high": "bold #b85000",
    "warning": "#8a6500",
    "info": "#3a5a7a",
    "unknown": "bold #9020b0",
    "ok": "#2a7a2a",
    "overdue": "bold reverse #c01c28",
    "held": "#3a5a7a",
    "marked": "bold #1a5fb4",
    "flag": "bold #007080",
    "header": "#6a7078",
    "key": "bold #1a5fb4",
    "axis": "#8a9098",
    "guide": "#90b0b8",
    "shade": "on #e4e8ee",
    "demo": "bold reverse #007080",
    "production": "bold reverse #b85000",
    "readonly": "bold #007080",
    "series.0": "#1a5fb4",
    "series.1": "#613dc1",
    "series.2": "#00796b",
    "series.3": "#5a6068",
    "series.4": "#a03080",
    "series.5": "#20262c",
}

_PLAIN = {
    **dict.fromkeys(NAMES, ""),
    "dim": "dim",
    "strong": "bold",
    "border": "dim",
    "border.unknown": "bold",
    "border.focus": "bold",
    "value": "bold",
    "value.old": "strike dim",
    "critical": "bold reverse",
    "high": "bold",
    "unknown": "bold underline",
    "nobody": "bold",
    "overdue": "bold reverse",
    "selected": "reverse",
    "marked": "bold",
    "flag": "bold",
    "header": "dim",
    "key": "bold",
    "axis": "dim",
    "guide": "dim",
    "shade": "dim",
    "demo": "bold reverse",
    "production": "bold reverse",
    "readonly": "bold",
    "active": "bold reverse",
    "series.0": "bold",
    "series.2": "dim",
}

DARK = Theme("dark", _DARK)
LIGHT = Theme("light", _LIGHT, dark=False)
NO_COLOUR = Theme("no-colour", _PLAIN)
"""Bold, dim, strike, underline and reverse only."""

THEMES: Mapping[str, Theme] = {theme.name: theme for theme in (DARK, LIGHT, NO_COLOUR)}
