"""Running commands in this process, and as processes of their own, against scripted servers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from opsconsole.clock import ManualClock
from tests.support.backends import PLAYBOOK_YAML, Backends
from tests.support.journals import Writer, one_of_each

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Awaitable[Ended]]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home of the test's own, and nothing in the environment that names a server."""
    for name in (
        "PROMETHEUS_URL",
        "ALERTMANAGER_URL",
        "OPSCONSOLE_CONFIG",
        "XDG_CONFIG_HOME",
        "NO_COLOR",
        "COLUMNS",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPSCONSOLE_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in this process, beside the servers of the test's own event loop."""
    from opsconsole.cli.main import main

    async def run_it(*argv: str) -> Ended:
        capsys.readouterr()
        code = await asyncio.to_thread(main, list(argv))
        printed = capsys.readouterr()
        return Ended(int(code), printed.out, printed.err)

    return run_it


@pytest.fixture
def process() -> Run:
    """Run a command line as a process of its own."""

    async def run_it(*argv: str, python: str = "", env: dict[str, str] | None = None) -> Ended:
        command = [sys.executable, "-c", python, *argv] if python else [sys.executable, "-m", "opsconsole", *argv]
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
        )
        out, err = await asyncio.wait_for(child.communicate(), 30)
        assert child.returncode is not None
        return Ended(child.returncode, out.decode(), err.decode())

    return run_it


@pytest.fixture
async def backends(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Backends]:
    """A healthy Prometheus and Alertmanager at the time of now."""
    monkeypatch.setattr("opsconsole.clients.alertmanager.ALERTS_DEADLINE", 0.3)
    async with Backends(clock=ManualClock(time.time())) as both:
        yield both


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """The playbook folder that goes with the backends."""
    folder = tmp_path / "books"
    folder.mkdir()
    (folder / "playbook.yaml").write_text(PLAYBOOK_YAML)
    return folder


@pytest.fixture
def to_backends(backends: Backends, books: Path) -> tuple[str, ...]:
    """The options that name them."""
    return (
        f"--prometheus={backends.prometheus.url}",
        f"--alertmanager={backends.alertmanager.url}",
        f"--playbook={books}",
    )


@pytest.fixture
def journal_db(tmp_path: Path) -> Path:
    """Where the commands look for the journal."""
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def writer(journal_db: Path) -> Iterator[Writer]:
    """A console that has it open."""
    opened = Writer(journal_db)
    yield opened
    opened.journal.close()


@pytest.fixture
def told(writer: Writer) -> Writer:
    """The same, with an action of every state."""
    one_of_each(writer)
    return writer


def complained(ended: Ended, *words: str) -> None:
    """It ended with an error for people that has a hint."""
    assert ended.code == 1
    assert ended.out == ""
    assert "hint: " in ended.err
    for word in ("Traceback", "internal error"):
        assert word not in ended.err
    for word in words:
        assert word in ended.err
