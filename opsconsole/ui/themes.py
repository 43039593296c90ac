"""Textual's themes, made of the colours of `opsconsole.render.theme` and of no other."""

from __future__ import annotations

from textual.app import App
from textual.theme import Theme as TextualTheme

from opsconsole.render.theme import THEMES, Theme

_GROUND = {"dark": "#14171c", "light": "#fbfcfd"}
_RAISED = {"dark": "#1c2027", "light": "#eef1f4"}
_TEXT = {"dark": "#d8dee4", "light": "#20262c"}
_DEFAULT = "ansi_default"
_VARIABLES = (
    "ansi-background",
    "ansi-foreground",
    "block-cursor-background",
    "block-cursor-foreground",
    "block-hover-background",
    "border",
    "border-blurred",
    "dim",
    "footer-key-foreground",
    "input-cursor-background",
    "input-cursor-foreground",
    "input-selection-background",
    "input-selection-foreground",
    "link-background-hover",
    "link-color",
    "link-color-hover",
    *(f"markdown-h{level}-color" for level in range(1, 7)),
    "screen-selection-background",
    "screen-selection-foreground",
    "scrollbar",
    "scrollbar-active",
    "scrollbar-background",
    "scrollbar-background-active",
    "scrollbar-background-hover",
    "scrollbar-corner-color",
    "scrollbar-hover",
)
"""What Textual would otherwise derive from colours of its own."""


def register_themes(app: App[int], theme: Theme) -> None:
    """Register a Textual theme for every theme of the renderer and switch to that of `theme`."""
    for known in (*THEMES.values(), theme):
        app.register_theme(_plain(known) if _colourless(known) else _coloured(known))
    app.theme = _name(theme)


def _name(theme: Theme) -> str:
    return f"opsconsole-{theme.name}"


def _colourless(theme: Theme) -> bool:
    return all(theme[name].color is None for name in ("critical", "warning", "ok"))


def _colour(theme: Theme, style: str) -> str:
    colour = theme[style].color
    return colour.get_truecolor().hex if colour is not None else _DEFAULT


def _coloured(theme: Theme) -> TextualTheme:
    kind = "dark" if theme.dark else "light"
    accent = _colour(theme, "key")
    return TextualTheme(
        name=_name(theme),
        dark=theme.dark,
        primary=accent,
        secondary=_colour(theme, "dim"),
        accent=accent,
        error=_colour(theme, "critical"),
        warning=_colour(theme, "warning"),
        success=_colour(theme, "ok"),
        foreground=_TEXT[kind],
        background=_GROUND[kind],
        surface=_GROUND[kind],
        panel=_RAISED[kind],
        variables={
            "border": _colour(theme, "border"),
            "border-blurred": _colour(theme, "border"),
            "dim": _colour(theme, "dim"),
            "scrollbar": _colour(theme, "border"),
            "scrollbar-hover": _colour(theme, "dim"),
            "scrollbar-active": _colour(theme, "dim"),
            "scrollbar-background": _GROUND[kind],
            "scrollbar-background-hover": _GROUND[kind],
            "scrollbar-background-active": _GROUND[kind],
            "scrollbar-corner-color": _GROUND[kind],
        },
    )


def _plain(theme: Theme) -> TextualTheme:
    """A theme for NO_COLOR: the terminal's own two colours everywhere, so only bold, dim and reverse speak."""
    return TextualTheme(
        name=_name(theme),
        dark=theme.dark,
        ansi=True,
        primary=_DEFAULT,
        secondary=_DEFAULT,
        accent=_DEFAULT,
        error=_DEFAULT,
        warning=_DEFAULT,
        success=_DEFAULT,
        foreground=_DEFAULT,
        background=_DEFAULT,
        surface=_DEFAULT,
        panel=_DEFAULT,
        boost=_DEFAULT,
        variables={
            **dict.fromkeys(_VARIABLES, _DEFAULT),
            "input-cursor-text-style": "reverse",
            "block-cursor-text-style": "reverse",
            "link-style-hover": "reverse",
            "markdown-h3-text-style": "bold",
        },
    )
