"""Real flag servers on free loopback ports: PostgreSQL with an Unleash on it, and Redis.

    with PostgreSQL(tmp / "postgresql") as database, Unleash(tmp / "unleash", database) as unleash:
        unleash.create_flag("new_scoring", strategies={"production": [rollout(100)]}, on=["production"])

They end with the test process, however that ends. `tests/install-servers.sh` brings the programs.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from opsconsole.config.schema import Authorization, Endpoint, FlagsConfig, HttpConfig
from tests.support.servers import Server, free_port, require

_LOCK = Path(__file__).with_name("unleash") / "package-lock.json"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opsconsole-tests"
_INSTALL = "run: sh tests/install-servers.sh"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

Strategy = dict[str, Any]


def _ends_with_us(ended_by: str) -> tuple[str, ...]:
    """The beginning of a command that gets the signal when this process is gone, a killed one too."""
    return (require("setpriv"), "--pdeathsig", ended_by)


class PostgreSQL(Server):
    """A database server that anyone on this machine may use as the user `unleash`. What it has, in `folder`, is
    gone when this process ends; `stop` and `start` keep it.

    It refuses to be root, so it then runs as the user `postgres`, in a folder that this one may enter.
    """

    stop_signal = signal.SIGINT  # its fast shutdown: it does not wait for whoever is connected

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.folder: Path | None = None

    def command(self) -> Sequence[str]:
        if self.folder is None:
            self.folder = self._made()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "60",
            "shared_buffers": "32MB",
            "autovacuum": "off",
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return (
            *_ends_with_us("QUIT"),
            *self._as_user(),
            str(_postgresql("postgres")),
            "-D",
            str(self.folder / "data"),
            *settings,
        )

    def create_database(self, name: str) -> str:
        """Make an empty database and return its name."""
        address = ("--host=127.0.0.1", f"--port={self.port}", "--username=unleash")
        done = subprocess.run(
            [_postgresql("createdb"), *address, name], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return name

    def _answers(self) -> bool:
        asked = ("--host=127.0.0.1", f"--port={self.port}", "--quiet")
        return subprocess.run([_postgresql("pg_isready"), *asked], timeout=30).returncode == 0

    def _made(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="opsconsole-postgresql-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
        options = ("--username=unleash", "--auth=trust", "--no-locale", "--encoding=UTF8", "--no-sync")
        made = [require("setpriv"), *self._as_user(), _postgresql("initdb"), "-D", folder / "data", *options]
        done = subprocess.run(made, capture_output=True, text=True, timeout=120, cwd=folder)
        assert done.returncode == 0, done.stderr
        return folder

    @staticmethod
    def _as_user() -> Sequence[str]:
        return ("--reuid=postgres", "--regid=postgres", "--init-groups") if os.geteuid() == 0 else ()


def _postgresql(program: str) -> Path:
    """A program of the newest PostgreSQL; Debian keeps them off the path."""
    found = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{program}"),
        key=lambda path: int("".join(filter(str.isdigit, path.parts[4])) or 0),
    )
    if found:
        return found[-1]
    path = shutil.which(program)
    if path is None:
        pytest.fail(f"PostgreSQL's {program} is not installed; {_INSTALL}", pytrace=False)
    return Path(path)


def rollout(percentage: int, **more: Any) -> Strategy:
    """A gradual rollout to so many percent of the users, by user id."""
    parameters = {"rollout": str(percentage), "stickiness": "default", "groupId": "users"}
    return {"name": "flexibleRollout", "parameters": parameters, "constraints": [], **more}


class Unleash(Server):
    """An Unleash with the project `default` and its environments `development` and `production`.

    `token` may do all; `client_token` is for an SDK that asks for `production`. The helpers make changes as
    somebody else: `someone` is the name that the log has for whoever used them.
    """

    start_limit = 90.0

    token = "*:*.the-token-of-the-console"
    client_token = "default:production.the-token-of-an-application"

    def __init__(
        self, directory: Path, database: PostgreSQL, *, environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(directory)
        self.someone = "ada"
        self._database = database
        self._name = ""
        self._more = dict(environment or {})
        self._tokens: dict[str, str] = {}

    def command(self) -> Sequence[str]:
        if not self._name:
            self._name = self._database.create_database(f"unleash_{self.port}_{free_port()}")
        program = _CACHE / f"unleash-{hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]}"
        if not program.is_dir():
            pytest.fail(f"Unleash is not installed; {_INSTALL}", pytrace=False)
        return (
            *_ends_with_us("KILL"),
            require("node"),
            str(program / "node_modules/unleash-server/dist/server.js"),
        )

    def environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "TZ": "UTC",
            "NODE_ENV": "production",
            "DATABASE_HOST": "127.0.0.1",
            "DATABASE_PORT": str(self._database.port),
            "DATABASE_NAME": self._name,
            "DATABASE_USERNAME": "unleash",
            "DATABASE_PASSWORD": "unleash",
            "DATABASE_SSL": "false",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(self.port),
            "CHECK_VERSION": "false",
            "SEND_TELEMETRY": "false",
            "LOG_LEVEL": "warn",
            "CLIENT_FEATURE_CACHING_ENABLED": "false",  # else applications are told a second later
            "INIT_ADMIN_API_TOKENS": self.token,
            "INIT_CLIENT_API_TOKENS": self.client_token,
            **self._more,
        }

    def _answers(self) -> bool:
        try:
            with _OPENER.open(f"{self.url}/health", timeout=5) as reply:
                return b"GOOD" in reply.read()
        except OSError:
            return False

    # Its admin API, as another user of it would use it.

    def ask(self, method: str, path: str, data: object = None, *, token: str = "") -> Any:
        """One request to the admin API (`path` below /api/admin/) and what it answered, None for nothing. Fails
        the test with what Unleash said when it refuses."""
        body = None if data is None else json.dumps(data).encode()
        headers = {"Content-Type": "application/json", "Authorization": token or self._token()}
        request = urllib.request.Request(f"{self.url}/api/admin/{path}", body, headers, method=method)
        try:
            with _OPENER.open(request, timeout=30) as reply:
                answer = reply.read()
        except urllib.error.HTTPError as error:
            pytest.fail(f"{method} {path}: {error.code} {error.read().decode(errors='replace')[:500]}")
        return json.loads(answer) if answer else None

    def create_flag(
        self,
        name: str,
        *,
        type: str = "release",
        tags: Sequence[str] = (),
        strategies: Mapping[str, Sequence[Strategy]] | None = None,
        on: Sequence[str] = (),
    ) -> str:
        """A new flag with strategies by environment, on in the environments of `on`; its name is returned. `tags`
        are values of the tag type `simple`."""
        self.ask("POST", "projects/default/features", {"name": name, "type": type})
        for tag in tags:
            self.ask("POST", f"features/{_quoted(name)}/tags", {"type": "simple", "value": tag})
        for environment, wanted in (strategies or {}).items():
            for strategy in wanted:
                self.ask("POST", f"{_environment(name, environment)}/strategies", strategy)
        for environment in on:
            self.turn_on(name, environment)
        return name

    def set_rollout(self, name: str, percentage: int, environment: str = "production") -> None:
        """Serve one gradual rollout: changes the only strategy, or adds it when there is none. Does not turn the
        flag on."""
        place = f"{_environment(name, environment)}/strategies"
        there = self.strategies(name, environment)
        if not there:
            self.ask("POST", place, rollout(percentage))
            return
        assert len(there) == 1, there
        self.ask("PUT", f"{place}/{there[0]['id']}", {**there[0], **rollout(percentage)})

    def turn_on(self, name: str, environment: str = "production") -> None:
        """Turn it on. Unleash adds a strategy for everybody when there is none that is enabled."""
        self.ask("POST", f"{_environment(name, environment)}/on")

    def turn_off(self, name: str, environment: str = "production") -> None:
        self.ask("POST", f"{_environment(name, environment)}/off")

    def is_on(self, name: str, environment: str = "production") -> bool:
        """Whether the flag is enabled in the environment, whatever its strategies are."""
        return bool(self.ask("GET", _environment(name, environment))["enabled"])

    def strategies(self, name: str, environment: str = "production") -> list[Strategy]:
        """The strategies as Unleash tells them."""
        found: list[Strategy] = self.ask("GET", f"{_environment(name, environment)}/strategies")
        return found

    def events(self, name: str) -> list[dict[str, Any]]:
        """What the log has of a flag, newest first."""
        found: list[dict[str, Any]] = self.ask("GET", f"events/{_quoted(name)}")["events"]
        return found

    @contextlib.contextmanager
    def sdk(self, app: str = "tests") -> Iterator[Callable[[str], bool]]:
        """What an application gets that uses Unleash's own SDK and asks for changes every second: call it with the
        name of a flag. A flag that it has not heard of is off."""
        from UnleashClient import UnleashClient

        client = UnleashClient(
            url=f"{self.url}/api",
            app_name=app,
            custom_headers={"Authorization": self.client_token},
            refresh_interval=1,
            disable_metrics=True,
            cache_directory=str(self.directory / f"sdk-{free_port()}"),
        )
        client.initialize_client()
        try:
            yield lambda name: bool(client.is_enabled(name, {"userId": "anyone"}))
        finally:
            client.destroy()

    def share(self, name: str, users: int = 300) -> float:
        """The percentage of so many users for whom the flag is on in production, by the SDK's own engine on what
        an application would be told now. Every ninth user has the session id `pro`."""
        from yggdrasil_engine.engine import UnleashEngine

        url, headers = f"{self.url}/api/client/features", {"Authorization": self.client_token}
        engine = UnleashEngine()
        with _OPENER.open(urllib.request.Request(url, headers=headers), timeout=30) as reply:
            engine.take_state(reply.read().decode())
        asked = [{"userId": str(user), "sessionId": "free" if user % 9 else "pro"} for user in range(users)]
        return 100 * sum(engine.is_enabled(name, user).is_enabled for user in asked) / users

    def _token(self) -> str:
        if self.someone not in self._tokens:
            wanted = {"tokenName": self.someone, "type": "admin"}
            self._tokens[self.someone] = self.ask("POST", "api-tokens", wanted, token=self.token)["secret"]
        return self._tokens[self.someone]


def unleash_config(url: str, token: Path, timeout: float = 20.0) -> FlagsConfig:
    """The `flags:` of a context for the project `default` in `production`, with a file that has the token."""
    http = HttpConfig(authorization=Authorization(type="", credentials_file=token), timeout=timeout)
    endpoint = Endpoint(url=url, http=http)
    return FlagsConfig(provider="unleash", endpoint=endpoint, project="default", environment="production")


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _environment(name: str, environment: str) -> str:
    return f"projects/default/features/{_quoted(name)}/environments/{_quoted(environment)}"


class Redis(Server):
    """One Redis with nothing on disk; `options` are more of its command line, such as `--requirepass`."""

    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__(directory)
        self._options = options

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        place = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory))
        memory_only = ("--save", "", "--appendonly", "no", "--daemonize", "no")
        return (*_ends_with_us("KILL"), require("redis-server"), *place, *memory_only, *self._options)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"PING\r\n")
                # One that wants a password says so, and is ready as well.
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False
