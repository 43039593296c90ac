"""The request headers that carry credentials, read anew when their files change."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from pathlib import Path

from opsconsole.config.schema import HttpConfig
from opsconsole.config.secrets import read_secret

_SHORTEST = 4
"""Characters of a secret at least that is looked for in what servers say: a shorter one is everywhere."""

_Stamp = tuple[tuple[int, int, int], ...]


class Credentials:
    """The headers of one HttpConfig.

    Files are read again when their modification time, size or inode changes (a rotated token); what commands
    printed is kept until `forget`, which the transport calls after a 401.
    """

    def __init__(self, config: HttpConfig) -> None:
        self._config = config
        self._files = _files(config)
        self._headers: tuple[tuple[str, str], ...] | None = None
        self._secrets: tuple[bytes, ...] = ()
        self._stamp: _Stamp = ()

    async def headers(self) -> Sequence[tuple[str, str]]:
        """The headers to send. Raises ConfigError when a secret cannot be read."""
        stamp = tuple(_stamp(file) for file in self._files)
        if self._headers is None or stamp != self._stamp:
            blocking = self._files or _commands(self._config)
            self._headers = await asyncio.to_thread(self._read) if blocking else self._read()
            self._stamp = stamp
        return self._headers

    def forget(self) -> None:
        """Read everything again before the next request."""
        self._headers = None

    def hide(self, said: bytes) -> bytes:
        """What a server said without the secrets that it was sent: some repeat the request in their errors."""
        for secret in self._secrets:
            said = said.replace(secret, b"(secret)")
        return said

    def _read(self) -> tuple[tuple[str, str], ...]:
        headers: list[tuple[str, str]] = []
        secrets: list[str] = []
        for name, value in self._config.http_headers.items():
            headers += [(name, text) for text in value.values]
            read = [read_secret(file=file) for file in value.files]
            headers += [(name, text) for text in read]
            secrets += read
        basic, bearer = self._config.basic_auth, self._config.authorization
        if basic is not None:
            password = ""
            if basic.password_file or basic.password_command:
                password = read_secret(file=basic.password_file, command=basic.password_command)
            pair = base64.b64encode(f"{basic.username}:{password}".encode()).decode()
            headers.append(("Authorization", f"Basic {pair}"))
            secrets += [pair, password]
        elif bearer is not None:
            token = read_secret(file=bearer.credentials_file, command=bearer.credentials_command)
            headers.append(("Authorization", f"{bearer.type} {token}".lstrip()))
            secrets.append(token)
        self._secrets = tuple(s.encode() for s in sorted(secrets, key=len, reverse=True) if len(s) >= _SHORTEST)
        return tuple(headers)


def _files(config: HttpConfig) -> tuple[Path, ...]:
    named = [file for value in config.http_headers.values() for file in value.files]
    if config.basic_auth is not None and config.basic_auth.password_file is not None:
        named.append(config.basic_auth.password_file)
    if config.authorization is not None and config.authorization.credentials_file is not None:
        named.append(config.authorization.credentials_file)
    return tuple(named)


def _commands(config: HttpConfig) -> bool:
    basic, bearer = config.basic_auth, config.authorization
    return bool((basic and basic.password_command) or (bearer and bearer.credentials_command))


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        info = file.stat()
    except OSError:
        return (0, 0, 0)  # reading it will say what is wrong
    return (info.st_mtime_ns, info.st_size, info.st_ino)
