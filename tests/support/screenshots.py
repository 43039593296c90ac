"""The pictures of the README, taken from the demo: `python -m tests.support.screenshots [FOLDER]`.

The same bytes every time: the demo stands still, and the ids in a picture follow from what it shows.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.demo_app import FIRING_AT, Scene
from tests.support.system_scene import SystemScene, main_dashboard

FOLDER = Path(__file__).parents[2] / "screenshots"

_FONT_FACES = re.compile(r"@font-face\s*\{[^}]*\}\s*")
_GENERATOR = re.compile(r"<!--.*?-->\s*", re.DOTALL)


@dataclass(frozen=True)
class Shot:
    """One picture: the screen to begin with, the keys to press, and words that stand on it when it is whole."""

    start: str
    keys: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    size: tuple[int, int] = (120, 40)


SHOTS = {
    "overview": Shot("overview", wanted=("HighErrorRate",)),
    "alerts": Shot("alerts", wanted=("RedisMem", "Meaning")),
    "graph": Shot("alerts", ("enter", "tab"), ("alerts when",)),
    "silence": Shot("alerts", ("j", "j", "s"), ("hides now: 1 alert",)),
    "flags": Shot("flags", ("g",), ("changed",)),
    "incident": Shot("incident", wanted=("note",)),
    "status": Shot("status", wanted=("Every source is known",)),
    "narrow": Shot("overview", wanted=("HighErrorRate",), size=(80, 24)),
}


SYSTEMS = ("ruleiq", "docc2context", "gremlinsai", "accubooks", "todo")
"""The shipped playbooks: a picture of the main dashboard and of one runbook of each."""


async def take(scene: Scene, shot: Shot) -> str:
    """One picture as SVG."""
    console = scene.console(start=shot.start)
    async with console.app.run_test(size=shot.size) as pilot:
        await console.press(pilot, *shot.keys)
        await console.settled(pilot, *shot.wanted)
        return standalone(console.app.export_screenshot(title="opsconsole", simplify=True))


def standalone(svg: str) -> str:
    """The picture without fonts from elsewhere: a reader's own monospace font is used."""
    svg = _GENERATOR.sub("", _FONT_FACES.sub("", svg))
    return "\n".join(line.rstrip() for line in svg.split("\n")) + "\n"


def main(folder: Path = FOLDER) -> None:
    """Write every picture."""
    os.environ.pop("NO_COLOR", None)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, Scene(Path(directory), FIRING_AT) as scene:
        for name, shot in SHOTS.items():
            (folder / f"{name}.svg").write_text(asyncio.run(take(scene, shot)), "utf-8")
            print(folder / f"{name}.svg")
    for name in SYSTEMS:
        with tempfile.TemporaryDirectory() as directory, SystemScene(Path(directory), name) as scene:
            for what, shot in shots_of(name).items():
                (folder / f"{what}.svg").write_text(asyncio.run(take(scene, shot)), "utf-8")
                print(folder / f"{what}.svg")


def shots_of(system: str) -> dict[str, Shot]:
    """The pictures of a playbook's system."""
    return {
        f"{system}-dashboard": Shot("overview", wanted=(main_dashboard(system),)),
        f"{system}-runbook": Shot("alerts", wanted=("[Runbook]",)),
    }


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
