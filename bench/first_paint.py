"""The console's first frame against that of a Textual application with one widget, process start to frame."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.processes import PROGRAM, ratio_of
from bench.terminal import Terminal

TARGET = 1.25


def paint(command: list[str], text: bytes) -> float:
    """Seconds from the start of the process until `text` is on the terminal."""
    with Terminal(command) as terminal:
        return terminal.wait_for(text, 30)


def main(runs: int = 9) -> None:
    # Nothing listens on port 9: the first frame must not wait for any source.
    ours = [
        *(PROGRAM, "--playbook", "accubooks"),
        *("--prometheus", "http://127.0.0.1:9", "--alertmanager", "http://127.0.0.1:9"),
    ]
    bare = [sys.executable, str(Path(__file__).with_name("bare.py"))]
    pairs = [(paint(ours, b"Overview"), paint(bare, b"the-first-frame")) for _ in range(runs + 1)]
    print(ratio_of(pairs[1:]).line("first paint against a bare one-widget application", TARGET))


if __name__ == "__main__":
    main()
