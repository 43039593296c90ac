"""What only a real Redis can show of the redis provider, besides the contract suite."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opsconsole.clients.flags.redis_hash import RedisProvider
from opsconsole.config.schema import RedisSettings, TlsConfig
from opsconsole.errors import Conflict, FlagError, FlagUnauthorised, FlagUnavailable, Refused
from opsconsole.model.flags import RollbackKind
from tests.support.flag_servers import Redis
from tests.support.servers import Server, free_port, require, wait_for

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("flags")]

ON = '{ "enabled" :true,"rollout": 25.0, "x":"\\u00e9" }'
OFF = '{ "enabled" :false,"rollout": 25.0, "x":"\\u00e9" }'


class Cli:
    """redis-cli on one server, and the keys of one test."""

    def __init__(self, server: Redis, name: str) -> None:
        self.server, self.key = server, f"live:{name}"

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [require("redis-cli"), "-p", str(self.server.port), *words], capture_output=True, text=True, timeout=30
        )
        return done.stdout.strip()

    def value(self) -> str:
        return self("HGET", self.key, "f")

    def settings(self, **more: Any) -> RedisSettings:
        port = self.server.port
        return RedisSettings(
            **{"url": f"redis://127.0.0.1:{port}/0", "key": self.key, "stream": f"{self.key}:s"} | more
        )


@pytest.fixture
def cli(redis_server: Redis, request: pytest.FixtureRequest) -> Iterator[Cli]:
    made = Cli(redis_server, request.node.name)
    made("HSET", made.key, "f", ON)
    yield made
    made("DEL", made.key, f"{made.key}:s")


@pytest.fixture
async def make(cli: Cli) -> AsyncIterator[Callable[..., RedisProvider]]:
    providers: list[RedisProvider] = []

    def made(**more: Any) -> RedisProvider:
        providers.append(RedisProvider(cli.settings(**more), who="ann"))
        return providers[-1]

    yield made
    for provider in providers:
        await provider.aclose()


Make = Callable[..., RedisProvider]


async def test_every_byte_but_one_word_stays_and_the_stream_tells_it(cli: Cli, make: Make) -> None:
    provider = make()
    plan = await provider.plan_off("f")
    await provider.apply(plan, "errors")
    assert cli.value() == OFF
    await provider.apply(await provider.plan_to("f", plan.original, RollbackKind.UNDO, restore=True))
    assert cli.value() == ON
    newest, first = await provider.changes(0)
    assert (first.summary, first.who, first.ours, first.before, first.after) == (
        "on 25 % -> off: errors",
        "ann",
        True,
        ON,
        OFF,
    )
    entries = cli("XRANGE", f"{cli.key}:s", "-", "+")
    assert ("op\noff\n" in entries, "op\nrestore\n" in entries) == (True, True)
    assert newest.before == OFF


async def test_a_change_that_cannot_be_recorded_is_not_made(cli: Cli, make: Make) -> None:
    provider = make()
    plan = await provider.plan_off("f")
    stream = make(stream=f"{cli.key}")  # the hash itself: not a stream
    with pytest.raises(FlagError, match="something else than flags") as caught:
        await stream.apply(plan)
    assert not caught.value.sent
    assert cli.value() == ON


async def test_a_broken_value_is_shown_and_can_be_undone(cli: Cli, make: Make) -> None:
    provider = make()
    good = await provider.definition("f")
    cli("HSET", cli.key, "f", "{oops", "other", '{"enabled": true}')
    flags = await provider.read()
    flag = flags.get("f")
    assert flag is not None
    assert flag.serves.startswith("unknown: not JSON")
    with pytest.raises(Refused, match="means nothing"):
        await provider.plan_off("f")
    await provider.apply(await provider.plan_off("other"))
    await provider.apply(await provider.plan_to("f", good, RollbackKind.UNDO))
    assert cli.value() == ON


async def test_the_script_itself_looks_at_the_former_value(cli: Cli, make: Make) -> None:
    """Somebody is between the last look and the script."""
    provider = make()
    plan = await provider.plan_off("f")
    ask = provider._link.ask

    async def slow(*command: Any, write: bool = False) -> Any:
        if command[0] == "EVAL":
            cli("HSET", cli.key, "f", '{"enabled": true, "rollout": 99}')
        return await ask(*command, write=write)

    provider._link.ask = slow  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        await provider.apply(plan)
    assert "99" in cli.value()
    assert cli("EXISTS", f"{cli.key}:s") == "0"


async def test_what_a_user_may_not_do(cli: Cli, make: Make, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("right")
    secret.chmod(0o600)
    user = cli.key
    cli("ACL", "SETUSER", user, "on", ">right", "~*", "+@read", "+eval", "+time", "+xadd", "+select")
    try:
        provider = make(username=user, password_file=secret)
        plan = await provider.plan_off("f")
        with pytest.raises(FlagUnauthorised, match="does not allow") as caught:
            await provider.apply(plan)  # HSET is missing
        assert not caught.value.sent
        cli("ACL", "SETUSER", user, "+hset", "-xadd")
        with pytest.raises(FlagUnauthorised):
            await provider.apply(plan)
        assert cli.value() == ON
        cli("ACL", "SETUSER", user, "resetpass", ">changed", "+xadd")
        cli("CLIENT", "KILL", "USER", user)
        with pytest.raises(FlagUnauthorised, match="does not accept the credentials"):
            await provider.read()
        secret.write_text("changed")
        await provider.apply(plan)
        assert cli.value() == OFF
    finally:
        cli("ACL", "DELUSER", user)


async def test_a_replica_takes_no_writes(
    cli: Cli, make: Make, started: Callable[[Server], Server], tmp_path: Path
) -> None:
    cli("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    replica = started(Redis(tmp_path / "replica", "--replicaof", f"127.0.0.1 {cli.server.port}"))
    assert isinstance(replica, Redis)
    there = Cli(replica, "")
    wait_for(lambda: there("HGET", cli.key, "f") == ON, 30, "flag on the replica")
    provider = make(url=replica.url)
    with pytest.raises(FlagError, match="read-only replica") as caught:
        await provider.apply(await provider.plan_off("f"))
    assert (caught.value.sent, "primary" in caught.value.hint) == (False, True)


async def test_a_node_of_a_cluster_says_so(
    make: Make, started: Callable[[Server], Server], tmp_path: Path
) -> None:
    node = started(Redis(tmp_path / "node", "--cluster-enabled", "yes", "--cluster-port", str(free_port())))
    assert isinstance(node, Redis)
    there = Cli(node, "")
    provider = make(url=node.url, key="flags", stream="changes")
    with pytest.raises(FlagUnavailable, match="cannot serve this now"):
        await provider.read()
    there("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    wait_for(lambda: there("HSET", "flags", "f", ON) in ("0", "1"), 30, "cluster of one node")
    plan = await provider.plan_off("f")
    with pytest.raises(FlagError, match="different slots") as caught:
        await provider.apply(plan)
    assert (caught.value.sent, "braces" in caught.value.hint) == (False, True)
    assert there("HGET", "flags", "f") == ON


async def test_tls(cli: Cli, make: Make, started: Callable[[Server], Server], tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [require("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    files = ("--tls-cert-file", str(cert), "--tls-key-file", str(key), "--tls-ca-cert-file", str(cert))
    started(Redis(tmp_path / "tls", "--tls-port", str(port), "--tls-auth-clients", "no", *files))
    url = f"rediss://127.0.0.1:{port}/0"
    assert (await make(url=url, tls_config=TlsConfig(ca_file=cert)).read()).flags == ()
    assert (await make(url=url, tls_config=TlsConfig(insecure_skip_verify=True)).read()).flags == ()
    with pytest.raises(FlagUnavailable, match="certificate"):
        await make(url=url).read()
    with pytest.raises(FlagUnavailable, match=r"gone\.pem"):
        await make(url=url, tls_config=TlsConfig(ca_file=tmp_path / "gone.pem")).read()
