"""The floor of first paint: a Textual application with one widget."""

from textual.app import App, ComposeResult
from textual.widgets import Static


class Bare(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("the-first-frame")


if __name__ == "__main__":
    Bare().run()
