"""A process that has a lease of its own, and answers `hold`, `holder` and `release` on standard input by a line.

python -m tests.support.lease_process PATH TTL MARGIN
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self


class LeaseProcess:
    """The process, for a test: `hold()` is what the lease in it says. `ask` and `answer` are the two halves, for a
    process that is stopped in between."""

    def __init__(self, path: Path, ttl: float = 1.0, margin: float = 0.1) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.lease_process", str(path), str(ttl), str(margin)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.answer() == "ready"

    @property
    def pid(self) -> int:
        return self.process.pid

    def hold(self) -> bool:
        self.ask("hold")
        return self.answer() == "True"

    def release(self) -> None:
        self.ask("release")
        self.answer()

    def ask(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()


def main(path: str, ttl: str, margin: str) -> None:
    from opsconsole.guard.lease import LeaseFile

    lease = LeaseFile(Path(path), host="here", ttl=float(ttl), margin=float(margin))
    print("ready", flush=True)
    for line in sys.stdin:
        word = line.strip()
        print(getattr(lease, word)() if word != "problem" else lease.problem, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
