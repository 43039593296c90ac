"""Running a runbook's command: no stdin, its own process group, a timeout, capped and safe output."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from opsconsole.actions.base import Desk, Done
from opsconsole.errors import Refused
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.runbook import Command, label_environment
from opsconsole.text import SafeText, safe, safe_block, trusted

OUTPUT_BYTES = 256 * 1024
"""Output that is kept; the rest is read and dropped, so that the command is not held up."""

JOURNAL_CHARACTERS = 64 * 1024
"""Output that the journal keeps."""

GRACE_SECONDS = 2.0
"""Between the request to end (TERM) and the end (KILL)."""

_LEFT_OPEN_SECONDS = 0.5
_DROP_PAUSE = 0.01
_MAX_VALUE_BYTES = 100_000
_SHELL = "/bin/sh"

_INHERITED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|XDG_[A-Z_]+|SSH_AUTH_SOCK|KRB5CCNAME|"
    r"KUBECONFIG|DOCKER_HOST|AWS_PROFILE|AWS_REGION|(?:https?|no|HTTPS?|NO)_(?:proxy|PROXY)"
)
_SGR = re.compile(r"\x1b\[[0-9;:]*m")
_UNFINISHED = re.compile(r"(?:\x1b(?:\[[0-9;:]{0,40})?|\r)\Z")

OnOutput = Callable[[SafeText], None]


async def run_command(
    desk: Desk, command: Command, alert: Alert, *, timeout: float, on_output: OnOutput | None
) -> Outcome:
    """Run `command` for `alert`; DONE when it exits with 0 within `timeout` seconds."""

    async def work(op: str) -> Done:
        environment = command_environment(os.environ, alert.labels, command)
        run = _Run(on_output)
        began = desk.clock.monotonic()
        status = await run.run(command.script, environment, timeout)
        took = f"{max(0.0, desk.clock.monotonic() - began):.1f} s"
        if status is None:
            words = f"stopped after {timeout:g} s, with everything it had started"
        elif status < 0:
            words = f"ended by signal {-status} after {took}"
        else:
            words = f"{'ran' if status == 0 else 'failed'} in {took}"
        if run.left_running:
            words += "; something that it started is still running"
        output = run.output()
        return Done(
            message=trusted(words),
            result=Result.DONE if status == 0 else Result.FAILED,
            output=output,
            exit_status=status,
            detail={"exit_status": status, "output": safe_block(output, JOURNAL_CHARACTERS)},
        )

    detail = {
        "script": command.script,
        "changes": command.changes,
        "fingerprint": alert.fingerprint,
        "cluster": alert.cluster,
        "alertname": alert.labels.get("alertname", ""),
        "variables": {name: label_environment(alert.labels).get(name, "") for name in command.variables()},
        "host": desk.host,
        "timeout": timeout,
    }
    return await desk.perform("command", command.title, detail, work)


def command_environment(
    inherited: Mapping[str, str], labels: Mapping[str, str], command: Command
) -> dict[bytes, bytes]:
    """What the command sees: the little it needs of ours (never a secret of ours), and the labels.

    Raises Refused when the script reads a value that is too long for an environment variable.
    """
    environment = {name: value for name, value in inherited.items() if _INHERITED.fullmatch(name)}
    environment |= {"TERM": "dumb", "NO_COLOR": "1", "PAGER": "cat", "GIT_TERMINAL_PROMPT": "0"}
    used = set(command.variables())
    for name, value in label_environment(labels).items():
        if len(value.encode("utf-8", "replace")) <= _MAX_VALUE_BYTES:
            environment[name] = value
        elif name in used:
            raise Refused(f"the value of {name} is too long for a command ({len(value):,} characters)")
    return {os.fsencode(name): _encoded(value) for name, value in environment.items()}


def _encoded(value: str) -> bytes:
    try:
        return os.fsencode(value)
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")


class Cleaner:
    """Turns a stream of bytes into safe text: UTF-8 with replacements, colours taken out, every other control
    made visible. What may continue in the next piece waits for it."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._waiting = ""

    def feed(self, piece: bytes, final: bool = False) -> SafeText:
        text = self._waiting + self._decoder.decode(piece, final)
        cut = None if final else _UNFINISHED.search(text)
        self._waiting = text[cut.start() :] if cut else ""
        whole = text[: cut.start()] if cut else text
        return safe_block(_SGR.sub("", whole))


class _Run:
    """One process group and what it wrote."""

    def __init__(self, on_output: OnOutput | None) -> None:
        self._on_output = on_output
        self._cleaner = Cleaner()
        self._pieces: list[SafeText] = []
        self._kept = 0
        self._dropped = 0
        self.left_running = False

    async def run(self, script: str, environment: Mapping[bytes, bytes], timeout: float) -> int | None:
        """The exit status, negative for a signal; None when the timeout ended it."""
        reading, writing = os.pipe()
        pipe = os.fdopen(reading, "rb", 0)
        try:
            process = await asyncio.create_subprocess_exec(
                _SHELL,
                "-c",
                script,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=environment,
                cwd=_folder(environment),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            pipe.close()
            raise Refused(f"the command cannot be started: {safe(str(error), 200)}") from error
        finally:
            os.close(writing)
        return await self._attend(process, pipe, timeout)

    async def _attend(
        self, process: asyncio.subprocess.Process, pipe: contextlib.AbstractContextManager[object], timeout: float
    ) -> int | None:
        reader = asyncio.StreamReader(limit=64 * 1024)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        reading = asyncio.create_task(self._read(reader))
        try:
            async with asyncio.timeout(timeout):
                await process.wait()
                # Something in the background may hold the output open: that does not hold us.
                await asyncio.wait({reading}, timeout=_LEFT_OPEN_SECONDS)
            self.left_running = not reading.done()
            return process.returncode
        except TimeoutError:
            await self._end(process, reading)
            return None
        finally:
            if process.returncode is None:
                _signal(process.pid, signal.SIGKILL)
                await process.wait()
            reading.cancel()
            await asyncio.wait({reading})
            transport.close()
            self._emit(self._cleaner.feed(b"", final=True))
            if self._dropped:
                cut = f"\n… output cut at {OUTPUT_BYTES // 1024} KB ({self._dropped:,} more bytes)"
                self._emit(trusted(cut))

    async def _end(self, process: asyncio.subprocess.Process, reading: asyncio.Task[None]) -> None:
        """Ask the whole group to end, then make it, whether or not its leader is still there."""
        _signal(process.pid, signal.SIGTERM)
        waiting = asyncio.create_task(process.wait())
        await asyncio.wait({waiting, reading}, timeout=GRACE_SECONDS, return_when=asyncio.ALL_COMPLETED)
        _signal(process.pid, signal.SIGKILL)
        await waiting

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while piece := await reader.read(64 * 1024):
            kept = piece[: OUTPUT_BYTES - self._kept]
            self._kept += len(kept)
            if kept:
                self._emit(self._cleaner.feed(kept))
            if len(kept) < len(piece):
                self._dropped += len(piece) - len(kept)
                await asyncio.sleep(_DROP_PAUSE)  # a command that never stops writing must not take the screen

    def _emit(self, text: SafeText) -> None:
        if not text:
            return
        self._pieces.append(text)
        if self._on_output is not None:
            self._on_output(text)

    def output(self) -> SafeText:
        return SafeText("".join(self._pieces))


def _folder(environment: Mapping[bytes, bytes]) -> Path:
    """The home folder: the same wherever the console was started."""
    home = Path(os.fsdecode(environment.get(b"HOME", b"/")))
    return home if home.is_dir() else Path("/")


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
