"""A flag system that is described as commands."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from opsconsole.clients.flags.generic_words import Words, filled
from opsconsole.config.schema import FlagCall
from opsconsole.errors import (
    ApprovalRequired,
    Conflict,
    FlagError,
    FlagNotFound,
    FlagRateLimited,
    FlagUnauthorised,
    FlagUnavailable,
    OpsError,
)
from opsconsole.text import SafeText, safe

OUTPUT_LIMIT = 4 << 20
"""Bytes of an answer that are accepted."""

_TOLD = 64 * 1024
"""Bytes of a command's messages that are read, and of a definition that goes into the environment."""

_STATUS: dict[int, type[OpsError]] = {
    3: Conflict,
    4: FlagNotFound,
    5: FlagUnauthorised,
    6: ApprovalRequired,
    7: FlagRateLimited,
    8: FlagUnavailable,
}
"""Exit statuses that say why nothing was done."""

_HINTS = {
    3: "look again, then decide again",
    5: "look at the credentials that the command uses",
    6: "ask whoever may approve it",
    7: "wait, then try again",
    8: "try again later; nothing was done",
}

_TIMED_OUT = 124

_LOOK = 0.25
"""Seconds between two looks at how much a command has printed."""


class ExecChannel:
    """Commands without a shell. What they are told is in the environment (`FLAG_KEY`, `FLAG_REASON`, `FLAG_WHO`,
    `FLAG_VERSION`, `FLAG_SINCE`, `FLAG_DEFINITION`, `FLAG_EXPECTED`); the definition that shall stand is on the
    standard input as well, and only there when it is larger than 64 KB."""

    def __init__(self, calls: Mapping[str, FlagCall], *, timeout: float, folder: Path | None = None) -> None:
        self._calls = calls
        self._timeout = timeout
        self._folder = folder
        self.source: SafeText = safe(" ".join(calls["list"].argv[:2]), 200)

    async def ask(self, name: str, words: Words) -> str:
        """What the command prints."""
        output = await self._run(name, words, write=False)
        try:
            return output.decode("utf-8")
        except UnicodeDecodeError:
            raise FlagError(f"what `{name}` printed is not UTF-8", where=self.source) from None

    async def tell(self, name: str, words: Words) -> None:
        """Run a command that changes something, once."""
        await self._run(name, words, write=True)

    async def aclose(self) -> None:
        """Nothing is held open."""

    async def _run(self, name: str, words: Words, *, write: bool) -> bytes:
        # Files and not pipes: what the command leaves running may hold those open for as long as it likes.
        with TemporaryFile() as given, TemporaryFile() as printed, TemporaryFile() as said:
            given.write(words.definition.encode("ascii"))
            given.seek(0)
            process = await self._started(name, words, (given.fileno(), printed.fileno(), said.fileno()))
            try:
                async with asyncio.timeout(self._timeout):
                    status = await _ended(process, printed.fileno())
            except TimeoutError:
                raise self._unknown(
                    name, f"did not end within {self._timeout:g} s and was stopped", write
                ) from None
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            printed.seek(0)
            output = printed.read(OUTPUT_LIMIT + 1)
            if len(output) > OUTPUT_LIMIT:
                raise self._unknown(name, f"printed more than {OUTPUT_LIMIT >> 20} MB and was stopped", write)
            if status:
                said.seek(max(0, os.fstat(said.fileno()).st_size - _TOLD))
                raise self._failed(name, status, said.read(_TOLD), write)
            return output

    async def _started(self, name: str, words: Words, files: tuple[int, int, int]) -> asyncio.subprocess.Process:
        argv = [self._argument(text, words) for text in self._calls[name].argv]
        given, printed, said = files
        try:
            return await asyncio.create_subprocess_exec(
                *argv,
                stdin=given,
                stdout=printed,
                stderr=said,
                env=environment(os.environ, words),
                cwd=self._folder,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it cannot be told of this flag"
            raise FlagUnavailable(
                f"the command of `{name}` cannot be run: {safe(reason or 'no reason given', 100)}",
                where=safe(argv[0], 200),
                hint="is the program there and executable?",
            ) from None

    def _argument(self, text: str, words: Words) -> str:
        """A key is an argument of its own or none: a part of one could become a flag of the program."""
        if text not in ("{key}", "{version}", "{reason}"):
            return text
        value = filled(text, words)
        if value.startswith("-") or not value:
            raise FlagError(
                f"{text} is {safe(value, 80) or 'empty'}: the program might take that for an option",
                where=self.source,
                hint="let the program read FLAG_KEY from its environment, and leave the argument out",
            )
        return value

    def _failed(self, name: str, status: int, said: bytes, write: bool) -> OpsError:
        lines = said.decode("utf-8", "replace").strip().splitlines()
        told = f": {safe(lines[-1].strip(), 200)}" if lines else ""
        if status < 0:
            return self._unknown(name, f"was ended by signal {-status}{told}", write)
        if status == _TIMED_OUT:
            return self._unknown(name, f"says that it timed out{told}", write)
        kind = _STATUS.get(status, FlagError)
        if kind is Conflict and not write:
            kind = FlagError
        made = kind(f"`{name}` ended with status {status}{told}", where=self.source, hint=_HINTS.get(status, ""))
        if isinstance(made, FlagError):
            made.sent = write and status not in _STATUS
        return made

    def _unknown(self, name: str, what: str, write: bool) -> FlagUnavailable:
        hint = "look at the flag before anything else: it may be changed" if write else "run it by hand to see why"
        made = FlagUnavailable(f"the command of `{name}` {what}", where=self.source, hint=hint)
        made.sent = write
        return made


def environment(inherited: Mapping[str, str], words: Words) -> dict[str, str]:
    """Our own environment, without what others may have left under our names, and what the command is told."""
    told = {
        "FLAG_KEY": words.key,
        "FLAG_REASON": words.reason,
        "FLAG_WHO": words.who,
        "FLAG_VERSION": words.version,
        "FLAG_SINCE": words.since,
        "FLAG_DEFINITION": words.definition,
        "FLAG_EXPECTED": words.expected,
    }
    own = {name: value for name, value in inherited.items() if name not in told}
    return own | {name: value for name, value in told.items() if value and len(value) <= _TOLD}


async def _ended(process: asyncio.subprocess.Process, printed: int) -> int:
    """The exit status. A process that prints too much is killed."""
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK):
                return await process.wait()
        if os.fstat(printed).st_size > OUTPUT_LIMIT:
            os.killpg(process.pid, signal.SIGKILL)
            return await process.wait()
