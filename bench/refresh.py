"""CPU and bytes written for each 5 s refresh of the Overview at 120x40, against glances in the same run."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
import venv
from pathlib import Path

from bench.processes import PROGRAM
from bench.terminal import Terminal
from opsconsole.config.playbooks import find_playbook
from opsconsole.demo.real import RealStack

CPU_PERCENT, MOVING_BYTES = 1.0, 25_000
WINDOWS = 8
REFRESH = 5.0
GLANCES = "glances==4.3.3"


def measure(command: list[str], ready: bytes, settle: float) -> tuple[float, list[int]]:
    """CPU percent over WINDOWS refreshes, and the bytes written in each."""
    with Terminal(command) as terminal:
        terminal.wait_for(ready, 60)
        _drain(terminal, settle)
        cpu, begin = terminal.cpu(), time.monotonic()
        written = [_drain(terminal, REFRESH) for _ in range(WINDOWS)]
        percent = 100 * (terminal.cpu() - cpu) / (time.monotonic() - begin)
    return percent, written


def _drain(terminal: Terminal, seconds: float) -> int:
    """Bytes written within `seconds`, however they are spread."""
    end = time.monotonic() + seconds
    count = 0
    while (left := end - time.monotonic()) > 0:
        count += len(terminal.read(left))
    return count


def glances() -> list[str]:
    """The peer, in an environment of its own."""
    home = Path(tempfile.gettempdir()) / "opsconsole-bench-peer"
    program = home / "bin" / "glances"
    if not program.exists():
        venv.create(home, with_pip=True)
        subprocess.run([home / "bin" / "pip", "install", "--quiet", GLANCES], check=True)
    return [str(program), "--time", str(int(REFRESH)), "--disable-check-update"]


def playbook_in(folder: Path) -> Path:
    """The accubooks playbook with every dashboard refreshed as often as is measured."""
    target = folder / "accubooks"
    shutil.copytree(find_playbook("accubooks"), target)
    file = target / "playbook.yaml"
    file.write_text(re.sub(r"refresh: \w+", f"refresh: {REFRESH:g}s", file.read_text("utf-8")), "utf-8")
    return target


def main() -> None:
    with RealStack() as end, tempfile.TemporaryDirectory() as folder:
        moving = [
            *(PROGRAM, "--playbook", str(playbook_in(Path(folder)))),
            *("--prometheus", end.prometheus_url, "--alertmanager", end.alertmanager_url),
        ]
        cpu, written = measure(moving, b"Overview", 12.0)
        quiet_cpu, quiet = measure([*moving, "--screen", "silences"], b"Silences", 12.0)
    peer_cpu, peer = measure(glances(), b"CPU", 8.0)
    mark = "met" if cpu <= CPU_PERCENT and max(written) <= MOVING_BYTES and min(quiet) == 0 else "MISSED"
    print(
        f"Overview with everything moving: {cpu:.2f}% CPU (at most {CPU_PERCENT:g}), at most "
        f"{max(written):,} bytes a refresh (at most {MOVING_BYTES:,}); glances {peer_cpu:.2f}% CPU, at most "
        f"{max(peer):,} bytes: CPU ratio {cpu / max(peer_cpu, 0.01):.2f}; an unchanged screen: "
        f"{sorted(quiet)[len(quiet) // 2]} bytes a refresh, {quiet_cpu:.2f}% CPU: {mark}"
    )


if __name__ == "__main__":
    main()
