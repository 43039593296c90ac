"""Markdown as a runbook is shown: literal, with whole code lines, and without colours when there are none."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from textual.content import Content
from textual.highlight import HighlightTheme, highlight
from textual.widgets import Markdown
from textual.widgets.markdown import MarkdownFence


class PlainHighlight(HighlightTheme):
    """Code in the terminal's own colour: only weight tells its parts apart."""

    STYLES = {("Comment",): "dim", ("Keyword",): "bold"}  # noqa: RUF012  # Textual declares it as it is here


class CodeBlock(MarkdownFence):
    """A code block that keeps to the theme's colours also where that has none."""

    @classmethod
    def highlight(cls, code: str, language: str, ansi: bool = False, dark: bool = False) -> Content:
        """The code as content; `ansi` is the theme without colours."""
        if ansi:
            return highlight(code, language=language or None, theme=PlainHighlight)
        return super().highlight(code, language, ansi, dark)


class RunbookMarkdown(Markdown):
    """Markdown whose code blocks are `CodeBlock`s."""

    BLOCKS = {  # noqa: RUF012  # Textual declares it as it is here
        **Markdown.BLOCKS,
        "fence": CodeBlock,
        "code_block": CodeBlock,
    }


def literal_parser() -> MarkdownIt:
    """Markdown in which HTML, entities and images are text: nothing in a runbook disappears, and no entity
    brings in a character that was kept out. Of a fence's info string the highlighter gets the language."""
    parser = MarkdownIt("gfm-like", {"html": False}).disable(["entity", "image"])
    parser.core.ruler.push("language_only", _language_only)
    return parser


def _language_only(state: StateCore) -> None:
    for token in state.tokens:
        if token.type == "fence":
            token.info = (token.info.split() or [""])[0]
