"""Runbook commands: label values are inert, everything started can be stopped, output is safe and bounded."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.actions import command as module
from opsconsole.actions.command import Cleaner, command_environment
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Phase, Result
from opsconsole.model.runbook import Command
from opsconsole.text import is_safe, safe
from tests.unit.actions.conftest import Console

HOSTILE = "$(touch x) `touch x` '; touch x; \" && touch x\n*"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("OPSCONSOLE_TOKEN", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return folder


async def run(console: Console, script: str, labels: dict[str, str] | None = None, **more: object) -> Outcome:
    chosen = Command(script=script, title=safe("test"), line=1)
    alert = Alert(fingerprint="f", labels=labels or {"alertname": "A"})
    return await console.runner.run_command(chosen, alert, **more)  # type: ignore[arg-type] # a test's own


def gone(pid: int) -> bool:
    """Whether a process is no more, or only waits to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def wait_until_gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while not gone(pid):
            await asyncio.sleep(0.01)


async def test_label_values_are_inert(console: Console, home: Path) -> None:
    outcome = await run(
        console, 'printf "%s" "$LABEL_instance"; echo; echo $LABEL_instance', {"instance": HOSTILE}
    )
    assert outcome.result is Result.DONE
    assert outcome.output.startswith(HOSTILE + "\n")
    assert list(home.iterdir()) == []


async def test_the_environment_is_small_and_holds_no_secret(console: Console, home: Path) -> None:
    outcome = await run(console, "env; pwd; cat", {"a.b": "1", "alertname": "A"})
    lines = outcome.output.splitlines()
    assert "secret" not in outcome.output
    assert {"LABEL_a_b=1", "LABEL_alertname=A", "TERM=dumb", f"HOME={home}", str(home)} <= set(lines)


async def test_exit_status_output_and_journal(console: Console) -> None:
    outcome = await run(console, "echo out; echo err >&2; exit 3")
    assert (outcome.result, outcome.exit_status, outcome.output) == (Result.FAILED, 3, "out\nerr\n")
    done, intent = console.journal.entries(op=outcome.op)
    assert (intent.phase, intent.detail["script"]) == (Phase.INTENT, "echo out; echo err >&2; exit 3")
    assert (done.detail["exit_status"], done.detail["output"], done.detail["host"]) == (3, "out\nerr\n", "bastion")
    assert console.runner.last_undoable() is None


async def test_output_is_streamed_while_it_runs(console: Console, home: Path) -> None:
    seen = asyncio.Event()
    script = "echo first; while [ ! -e go ]; do sleep 0.01; done; echo second"
    running = asyncio.create_task(run(console, script, on_output=lambda text: seen.set()))
    await asyncio.wait_for(seen.wait(), 10)
    assert not running.done()
    (home / "go").touch()
    assert (await running).output == "first\nsecond\n"


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
async def test_a_timeout_ends_grandchildren_too(
    console: Console, home: Path, trap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.2)
    script = f"{trap}sh -c '{trap.replace(chr(39), chr(34))}echo $$ > pid; while :; do sleep 1; done' & wait"
    outcome = await run(console, script, timeout=0.5)
    assert (outcome.result, outcome.exit_status) == (Result.FAILED, None)
    assert "stopped after 0.5 s" in outcome.message
    await wait_until_gone(int((home / "pid").read_text()))


async def test_stopping_it_ends_the_group_and_is_journalled(console: Console, home: Path) -> None:
    seen = asyncio.Event()
    script = "sleep 1000 & echo $! > pid; echo x; wait"
    running = asyncio.create_task(run(console, script, on_output=lambda text: seen.set()))
    await asyncio.wait_for(seen.wait(), 10)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await wait_until_gone(int((home / "pid").read_text()))
    assert console.journal.entries(1)[0].result is Result.AMBIGUOUS
    assert console.journal.open_intents() == ()


async def test_something_left_in_the_background_does_not_hold_it(console: Console, home: Path) -> None:
    began = time.monotonic()
    outcome = await run(console, "sleep 1000 & echo $! > pid; echo done", timeout=30)
    assert time.monotonic() - began < 10
    assert (outcome.result, outcome.output) == (Result.DONE, "done\n")
    assert "still running" in outcome.message
    os.kill(int((home / "pid").read_text()), 9)


async def test_output_is_cut(console: Console) -> None:
    outcome = await run(console, "head -c 400000 /dev/zero | tr '\\0' x; echo end")
    assert outcome.result is Result.DONE
    assert outcome.output == "x" * 262144 + "\n… output cut at 256 KB (137,860 more bytes)"
    kept = console.journal.entries(1)[0].detail["output"]
    assert isinstance(kept, str)
    assert len(kept) < 66_000


async def test_a_value_too_long_for_the_environment_is_refused_only_if_it_is_read(console: Console) -> None:
    labels = {"big": "x" * 1_000_000, "small": "y"}
    refused = await run(console, 'echo "$LABEL_big"', labels)
    assert (refused.result, "LABEL_big is too long" in refused.message) == (Result.REFUSED, True)
    assert (await run(console, 'echo "$LABEL_small"', labels)).output == "y\n"


@pytest.mark.parametrize("script", ["echo \0", "echo " + "x" * 3_000_000])
async def test_what_cannot_be_started_is_refused(console: Console, script: str) -> None:
    outcome = await run(console, script)
    assert (outcome.result, "cannot be started" in outcome.message) == (Result.REFUSED, True)


def test_odd_values_can_be_in_an_environment() -> None:
    chosen = Command(script="", title=safe(""), line=1)
    made = command_environment({}, {"a": "\ud800\0é"}, chosen)
    assert made[b"LABEL_a"] == b"?\xc3\xa9"


def test_colours_are_taken_out_and_controls_shown_across_pieces() -> None:
    cleaner = Cleaner()
    pieces = [b"\x1b", b"[1;3", b"1mred\x1b[0m", b"\r", b"\nx\r", b"y\x1b]52;c;\x07 \xc3", b"\xa9\xff"]
    text = "".join([*map(cleaner.feed, pieces), cleaner.feed(b"", final=True)])
    assert text == "red\nx\\ry\\x1b]52;c;\\x07 é\ufffd"


@given(st.lists(st.binary(max_size=12)))
def test_any_output_is_safe(pieces: list[bytes]) -> None:
    cleaner = Cleaner()
    text = "".join([*map(cleaner.feed, pieces), cleaner.feed(b"", final=True)])
    assert all(is_safe(line) for line in text.split("\n"))
