"""Reading a secret at the moment it is needed. What is read is never part of a message."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

from opsconsole.errors import ConfigError, Problem
from opsconsole.text import safe

MAX_SECRET = 64 * 1024
"""Bytes above which a file or an output is taken for something else than a secret."""


def read_secret(
    *, file: Path | None = None, command: Sequence[str] = (), timeout: float = 10.0, private: bool = True
) -> str:
    """The secret in a file or printed by a command, without the white space around it.

    A file must be readable by its owner only (`private=False` leaves that out). A command is argv, run
    without a shell and without input, for at most `timeout` seconds. Blocks: call it in a thread. Raises
    ConfigError, which names the file or the program and never what was read.
    """
    if file is not None:
        return _usable(_from_file(file, private), str(file))
    if command:
        return _usable(_from_command(command, timeout), _program(command))
    raise _error("secret", "neither a file nor a command is given")


def _from_file(file: Path, private: bool) -> bytes:
    name = str(file)
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if private and stat.S_ISREG(mode) and mode & 0o077:
                raise _error(
                    name,
                    f"others can read this secret (mode {stat.S_IMODE(mode):04o})",
                    f"chmod 600 {safe(name)}",
                )
            return stream.read(MAX_SECRET + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable path"
        raise _error(name, f"cannot read the secret: {reason}") from None


def _from_command(command: Sequence[str], timeout: float) -> bytes:
    name = _program(command)
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable command"
        raise _error(name, f"cannot run the command: {reason}") from None
    with process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            # The whole group: a grandchild that keeps the pipe open would be waited for otherwise.
            os.killpg(process.pid, signal.SIGKILL)
            raise _error(name, f"the command gave no secret within {timeout:g} s") from None
    if process.returncode != 0:
        raise _error(
            name,
            f"the command ended with status {process.returncode}",
            "run it in a shell to see why; its messages are not shown here, they may hold the secret",
        )
    return output


def _usable(raw: bytes, name: str) -> str:
    if len(raw) > MAX_SECRET:
        raise _error(name, f"more than {MAX_SECRET // 1024} KB: not a secret")
    try:
        text = raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise _error(name, "the secret is not UTF-8 text") from None
    if not text:
        raise _error(name, "the secret is empty")
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        raise _error(name, "the secret has a line break or control character in it", "one line, one secret")
    return text


def _program(command: Sequence[str]) -> str:
    return command[0]


def _error(name: str, message: str, hint: str = "") -> ConfigError:
    return ConfigError((Problem(safe(name), 0, "", safe(message), safe(hint)),), hint=safe(hint))
