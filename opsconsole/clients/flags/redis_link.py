"""One connection to one Redis, and what its failures mean."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from opsconsole.clients.tls import tls_context
from opsconsole.config.schema import RedisSettings
from opsconsole.config.secrets import read_secret
from opsconsole.errors import ConfigError, FlagError, FlagUnauthorised, FlagUnavailable
from opsconsole.text import SafeText, safe

INSTALL = "pip install 'opsconsole[redis]'"

_HINTS = {
    "READONLY": (
        "this Redis is a read-only replica; nothing was written",
        "give the url of the primary: `redis-cli ROLE` on the replica names it",
    ),
    "MOVED": (
        "this is a node of a Redis Cluster, and the flags are on another one; nothing was written",
        "give the url of the node that holds the key: `redis-cli -c CLUSTER KEYSLOT` and `CLUSTER NODES` tell",
    ),
    "CROSSSLOT": (
        "the hash and the stream are in different slots of a Redis Cluster; nothing was written",
        "give both the same part in braces: key: '{flags}', stream: '{flags}:changes'",
    ),
    "WRONGTYPE": (
        "the key holds something else than flags; nothing was written",
        "`key:` must be a hash and `stream:` a stream: `redis-cli TYPE` tells",
    ),
    "OOM": ("Redis has no memory left; nothing was written", "raise maxmemory, or free some"),
    "MISCONF": ("Redis takes no writes, because it cannot save them; nothing was written", "its log says why"),
    "NOREPLICAS": ("Redis takes no writes, because too few replicas are connected; nothing was written", ""),
}
_WAITING = ("LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "ASK", "BUSY")
_CLASSES = {
    "ReadOnlyError": "READONLY",
    "MovedError": "MOVED",
    "AskError": "ASK",
    "ClusterCrossSlotError": "CROSSSLOT",
    "OutOfMemoryError": "OOM",
    "NoPermissionError": "NOPERM",
    "BusyLoadingError": "LOADING",
    "MasterDownError": "MASTERDOWN",
    "ClusterDownError": "CLUSTERDOWN",
    "TryAgainError": "TRYAGAIN",
}
"""The client names its own errors and takes the server's word off the front of their text."""


class RedisLink:
    """Sends one command after another. Connects on the first one; close with `aclose`.

    Nothing is ever sent twice. A password is read again when Redis did not take it.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self.where: SafeText = safe(settings.url, 300)
        self._client: Any = None
        self._turn = asyncio.Lock()

    async def ask(self, *command: bytes | str | int, write: bool = False) -> Any:
        """The reply to one command. Raises FlagError; `write` says that the command may change something, so that
        a failure after sending it is told as one that may have been done."""
        timeout = self._settings.timeout
        async with self._turn:
            client = self._client
            if client is None:
                client = self._client = await self._opened()
            from redis import RedisError

            failure: FlagError
            try:
                async with asyncio.timeout(timeout):
                    return await client.execute_command(*command)
            except TimeoutError:
                failure = self._no_answer(sent=write)
            except (RedisError, OSError) as error:
                failure = self._failed(error, write=write)
            await self._close()
        raise failure

    async def aclose(self) -> None:
        """Close the connection. A later command opens a new one."""
        async with self._turn:
            await self._close()

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _opened(self) -> Any:
        try:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError:
            raise FlagError(
                "the flag provider redis needs the Python package redis, which is not installed", hint=INSTALL
            ) from None
        settings, parts = self._settings, urlsplit(self._settings.url)
        try:
            tls = self._tls() if parts.scheme == "rediss" else {}
        except ConfigError as error:
            raise FlagUnavailable(f"no TLS: {error.message}", where=self.where, hint=error.hint) from None
        try:
            password = await asyncio.to_thread(self._password)
        except ConfigError as error:
            raise FlagUnauthorised(f"no credentials: {error.message}", where=self.where, hint=error.hint) from None
        return Redis(
            host=parts.hostname or "localhost",
            port=parts.port or 6379,
            db=int(parts.path.strip("/") or 0),
            username=settings.username or None,
            password=password,
            socket_timeout=settings.timeout,
            socket_connect_timeout=settings.timeout,
            protocol=2,
            retry=Retry(NoBackoff(), 0),  # its default sends a command up to four times
            max_connections=2,
            **tls,
        )

    def _password(self) -> str | None:
        file, command = self._settings.password_file, self._settings.password_command
        return read_secret(file=file, command=command) if file or command else None

    def _tls(self) -> dict[str, Any]:
        config = self._settings.tls_config
        tls_context(config)  # says which file is wrong; the client would say only that it cannot connect
        verify = not config.insecure_skip_verify
        return {
            "ssl": True,
            "ssl_ca_certs": str(config.ca_file) if config.ca_file else None,
            "ssl_certfile": str(config.cert_file) if config.cert_file else None,
            "ssl_keyfile": str(config.key_file or config.cert_file) if config.cert_file else None,
            "ssl_cert_reqs": "required" if verify else "none",
            "ssl_check_hostname": verify,
        }

    def _no_answer(self, *, sent: bool) -> FlagUnavailable:
        made = FlagUnavailable(
            f"Redis did not answer within {self._settings.timeout:g} s",
            where=self.where,
            hint="it may be busy with a slow command or script, or the network drops packets; is the url right in "
            "whether there is TLS (rediss://) or not?",
        )
        made.sent = sent
        return made

    def _failed(self, error: BaseException, *, write: bool) -> FlagError:
        from redis.exceptions import AuthenticationError, AuthorizationError, ResponseError
        from redis.exceptions import TimeoutError as RedisTimeout

        code, said = _code(error), safe(str(error), 300)
        if isinstance(error, AuthenticationError | AuthorizationError) or code == "NOPERM":
            known = "does not allow this" if code == "NOPERM" else "does not accept the credentials"
            hint = "check `username`, `password_file` or `password_command`, and what `ACL GETUSER` grants"
            return FlagUnauthorised(f"Redis {known}: {said}", where=self.where, hint=hint)
        if code in _HINTS:
            message, hint = _HINTS[code]
            return FlagError(message, where=self.where, hint=hint)
        if code in _WAITING:
            hint = "it should pass by itself; nothing was done"
            return FlagUnavailable(f"Redis cannot serve this now: {said}", where=self.where, hint=hint)
        if isinstance(error, RedisTimeout):
            connecting = "connecting" in str(error).lower()
            return self._no_answer(sent=write and not connecting)
        if isinstance(error, ResponseError):
            hint = "look at the number of the database in the url" if "DB index" in said else ""
            return FlagError(f"Redis refused the command: {said}", where=self.where, hint=hint)
        refused = any(isinstance(cause, ConnectionRefusedError) for cause in _causes(error))
        hint = (
            "is Redis running, and are host and port right?"
            if refused
            else "is it Redis, and with TLS or without?"
        )
        made = FlagUnavailable(
            "connection refused" if refused else f"no connection to Redis: {said}", where=self.where, hint=hint
        )
        made.sent = write and not refused
        return made


def _code(error: BaseException) -> str:
    """The server's own word for an error, such as WRONGTYPE; another word where it has none."""
    by_class = next((_CLASSES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _CLASSES), "")
    if "user executing the script can't" in str(error):
        return "NOPERM"
    return by_class or str(error).split(" ", 1)[0]


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
