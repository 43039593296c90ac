"""Fixtures that every kind of test may use. The servers are real and shared by a whole test session."""

from __future__ import annotations

import re
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.support.flag_servers import PostgreSQL, Redis, Unleash
from tests.support.guard_scene import GuardScene, MakeScene
from tests.support.scripted import ScriptedServer
from tests.support.servers import Alertmanager, AlertmanagerClusterOf, Prometheus, Server

# How long one example takes says more of the machine than of the code.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is kept in the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPSCONSOLE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


NIGHTLY_SECONDS = 3600
"""How long one of the slow tests may take."""


def pytest_configure() -> None:
    # Whatever runs the tests in the background may have them ignore ctrl+c, and so every program that they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """`--last-failed` finds a test by the name that it has alone, without the group that xdist adds."""
    cache = session.config.cache
    if cache is not None and not hasattr(session.config, "workerinput"):
        failed = cache.get("cache/lastfailed", {})
        cache.set("cache/lastfailed", {re.sub(r"@[\w-]+$", "", name): True for name in failed})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("nightly") is not None:
            item.add_marker(pytest.mark.timeout(NIGHTLY_SECONDS))


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    """A scripted server that is listening."""
    async with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="session")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    """A real Alertmanager without a cluster. Shared: use alert names of your own."""
    with Alertmanager(tmp_path_factory.mktemp("alertmanager")) as server:
        yield server


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A real Prometheus that scrapes itself. Shared: do not reload it."""
    with Prometheus(tmp_path_factory.mktemp("prometheus")) as server:
        yield server


@pytest.fixture(scope="session")
def alertmanager_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertmanagerClusterOf]:
    """Two real Alertmanagers that gossip. Shared: leave both running."""
    cluster = AlertmanagerClusterOf(tmp_path_factory.mktemp("cluster"), 2)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    """A real PostgreSQL. Mark the tests that use it, Unleash or Redis with `pytest.mark.xdist_group("flags")`, so
    that they are started once."""
    with PostgreSQL(tmp_path_factory.mktemp("postgresql")) as server:
        yield server


@pytest.fixture(scope="session")
def unleash(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgreSQL) -> Iterator[Unleash]:
    """A real Unleash. Shared: use flag names of your own, and leave it running."""
    with Unleash(tmp_path_factory.mktemp("unleash"), postgresql) as server:
        yield server


@pytest.fixture
def make_scene(tmp_path: Path, postgresql: PostgreSQL) -> Iterator[MakeScene]:
    """Scenes for a guard, in which nobody else changes flags: `make_scene("flag", compress=10.0, guard=QUICK)`."""
    with ExitStack() as stack:

        def make(*names: str, **options: Any) -> GuardScene:
            unleash = stack.enter_context(Unleash(tmp_path / "unleash", postgresql))
            return stack.enter_context(GuardScene(tmp_path, unleash, *names, **options))

        yield make


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A real Redis. Shared: use keys of your own, and leave it running."""
    with Redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[Server], Server]]:
    """Starts a server of the test's own and stops it afterwards: `started(Prometheus(tmp_path / "p"))`."""
    servers: list[Server] = []

    def start(server: Server) -> Server:
        servers.append(server)
        server.start()
        return server

    yield start
    for server in reversed(servers):
        server.stop()
