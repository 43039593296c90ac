"""What only Unleash has: strategies, a trap at turning on, a log to read backwards, ETags, limits, approvals."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.clients.flags import make_provider
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.config.schema import FlagsConfig
from opsconsole.errors import (
    ApprovalRequired,
    Conflict,
    FlagError,
    FlagNotFound,
    FlagRateLimited,
    FlagUnavailable,
    Refused,
)
from opsconsole.model.flags import RollbackKind
from tests.support.counting_proxy import CountingProxy, Said
from tests.support.flag_servers import Unleash, rollout, unleash_config
from tests.support.servers import wait_for

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("flags")]


@pytest.fixture
def proxy(unleash: Unleash) -> Iterator[CountingProxy]:
    with CountingProxy(unleash.port) as proxy:
        yield proxy


@pytest.fixture
def config(unleash: Unleash, proxy: CountingProxy, tmp_path: Path) -> FlagsConfig:
    token = tmp_path / "token"
    token.write_text(unleash.token)
    token.chmod(0o600)
    return unleash_config(proxy.url, token)


@pytest.fixture
async def provider(config: FlagsConfig) -> AsyncIterator[FlagProvider]:
    made = make_provider(config)
    yield made
    await made.aclose()


@pytest.fixture
def name(unleash: Unleash, request: pytest.FixtureRequest) -> Iterator[str]:
    """A flag that is on for everybody in production."""
    name = request.node.name.removeprefix("test_").translate({ord("["): "-", ord("]"): None})
    unleash.create_flag(name, tags=["billing"], strategies={"production": [rollout(100)]}, on=["production"])
    yield name
    unleash.ask("POST", "projects/default/archive", {"features": [name]})


async def test_an_application_sees_the_rollback_and_the_restore(
    unleash: Unleash, provider: FlagProvider, name: str
) -> None:
    with unleash.sdk() as serves:
        assert serves(name)
        off = await provider.plan_off(name)
        assert off.words == f"{name} in production: turn off (on 100 % -> off)"
        await provider.apply(off)
        wait_for(lambda: not serves(name), 30, "rollback in the application")
        back = await provider.plan_to(
            name,
            off.original,
            RollbackKind.UNDO,
            expected_hash=provider.content_hash(off.replacement),
            restore=True,
        )
        await provider.apply(back)
        wait_for(lambda: serves(name), 30, "restore in the application")
    flag = (await provider.read()).get(name)
    assert flag is not None
    assert (flag.tags, flag.type, flag.rollout, flag.safe_variant) == (("billing",), "release", 100.0, "off")


async def test_it_is_never_turned_on_without_a_strategy(
    unleash: Unleash, provider: FlagProvider, proxy: CountingProxy, name: str
) -> None:
    strategy = unleash.strategies(name)[0]
    place = f"projects/default/features/{name}/environments/production/strategies/{strategy['id']}"
    off = await provider.plan_off(name)
    await provider.apply(off)
    back = await provider.plan_to(name, off.original, RollbackKind.UNDO, restore=True)
    unleash.ask("PUT", place, {**strategy, "disabled": True})
    writes = proxy.writes
    with pytest.raises(Conflict):
        await provider.apply(back)
    empty = json.dumps({"enabled": True, "strategies": [{**strategy, "disabled": True}]})
    with pytest.raises(Refused) as caught:
        await provider.plan_to(name, empty, RollbackKind.UNDO)
    assert "add one for everyone" in caught.value.message
    unleash.ask("DELETE", place)
    with pytest.raises(Refused):
        await provider.plan_to(name, json.dumps({"enabled": True, "strategies": []}), RollbackKind.UNDO)
    assert proxy.writes == writes
    assert unleash.share(name) == 0
    # What stood before can still come back: with its strategy, and only then on.
    again = await provider.plan_to(name, off.original, RollbackKind.UNDO, restore=True)
    await provider.apply(again)
    assert [one["parameters"]["rollout"] for one in unleash.strategies(name)] == ["100"]


@pytest.mark.parametrize("seed", range(3))
async def test_no_write_in_between_serves_more_than_both_do(
    unleash: Unleash, provider: FlagProvider, proxy: CountingProxy, name: str, seed: int
) -> None:
    chance = random.Random(seed)
    shares: list[float] = []

    def look(method: str, path: str) -> Said | None:
        if method != "GET":
            shares.append(unleash.share(name, 100))
        return None

    def made() -> str:
        some = [rollout(chance.choice([1, 20, 60]), title="", disabled=False) for _ in range(chance.randint(1, 3))]
        return json.dumps({"enabled": chance.random() < 0.7, "strategies": some})

    proxy.instead = look
    before = unleash.share(name, 100)
    for _ in range(4):
        shares.clear()
        wanted = made()
        try:
            plan = await provider.plan_to(name, wanted, RollbackKind.UNDO)
        except Refused:
            continue
        await provider.apply(plan)
        after = unleash.share(name, 100)
        assert provider.content_hash(await provider.definition(name)) == provider.content_hash(wanted)
        assert max(shares[1:], default=0) <= min(before, after), plan.words
        before = after


async def test_a_write_that_fails_half_way_is_told_with_what_stands(
    unleash: Unleash, provider: FlagProvider, proxy: CountingProxy, name: str
) -> None:
    place = f"projects/default/features/{name}/environments/production/strategies"
    unleash.ask("POST", place, rollout(5))
    plan = await provider.plan_to(
        name,
        json.dumps({"enabled": True, "strategies": [rollout(20), rollout(30)]}),
        RollbackKind.UNDO,
    )
    assert plan.words.endswith("turn on")
    proxy.instead = lambda method, path: Said(500, b"no") if method == "PUT" else None
    with pytest.raises(FlagUnavailable) as caught:
        await provider.apply(plan)
    assert caught.value.sent
    assert "done: turn off; then change flexibleRollout 100 %" in caught.value.message
    assert caught.value.message.endswith("it now is off")
    assert not unleash.is_on(name)


async def test_what_has_not_changed_is_not_sent_again(
    unleash: Unleash, provider: FlagProvider, proxy: CountingProxy, name: str
) -> None:
    first = await provider.read()
    proxy.asked.clear()
    assert await provider.read() == first
    assert [status for _, status in proxy.asked] == [304, 304]
    unleash.set_rollout(name, 20)
    proxy.asked.clear()
    flag = (await provider.read()).get(name)
    assert flag is not None
    assert flag.rollout == 20.0
    features = [request for request, status in proxy.asked if "/features/" in request and status == 200]
    assert features == [f"GET /api/admin/projects/default/features/{name}"]


async def test_limits_and_approvals_are_told_as_such(
    unleash: Unleash, provider: FlagProvider, proxy: CountingProxy, name: str
) -> None:
    limited = Said(429, b"Too many requests", {"Retry-After": "7"})
    proxy.instead = lambda method, path: limited if "/search/" in path else None
    with pytest.raises(FlagRateLimited) as caught:
        await provider.changes(0.0)
    assert caught.value.retry_after == 7.0
    unleash.set_rollout(name, 30)
    flag = (await provider.read()).get(name)
    assert flag is not None, "the flags are read all the same, each anew"
    assert flag.rollout == 30.0
    plan = await provider.plan_off(name)
    needed = 'You don\'t have the required permissions. You need the "SKIP_CHANGE_REQUEST" permission.'
    proxy.instead = lambda method, path: Said(403, needed.encode()) if method == "POST" else None
    with pytest.raises(ApprovalRequired) as refused:
        await provider.apply(plan)
    assert not refused.value.sent
    assert refused.value.hint


async def test_places_that_are_not_there_are_not_empty(
    config: FlagsConfig, provider: FlagProvider, name: str
) -> None:
    for change, hint in (({"project": "shop"}, "default"), ({"environment": "prod"}, "development, production")):
        elsewhere = make_provider(msgspec.structs.replace(config, **change))
        try:
            with pytest.raises(FlagNotFound) as caught:
                await elsewhere.read()
        finally:
            await elsewhere.aclose()
        assert hint in caught.value.hint
    assert (await provider.read()).get(name) is not None


async def test_an_archived_flag_is_not_listed_and_its_end_is_in_the_log(
    unleash: Unleash, provider: FlagProvider
) -> None:
    unleash.create_flag("archived", strategies={"production": [rollout(100)]}, on=["production"])
    assert (await provider.read()).get("archived") is not None
    unleash.ask("DELETE", "projects/default/features/archived")
    assert (await provider.read()).get("archived") is None
    with pytest.raises(FlagNotFound) as caught:
        await provider.plan_off("archived")
    assert "archived" in caught.value.message
    newest = next(change for change in await provider.changes(0.0) if change.key == "archived")
    assert (newest.summary, newest.off, newest.who, newest.before) == ("archived", True, "ada", "")


async def test_the_log_read_backwards_never_tells_what_did_not_stand(
    unleash: Unleash, provider: FlagProvider, name: str
) -> None:
    """Strategies with segments added, changed, removed and put in another order: before and after each is what
    stood, or not known."""
    inside = {"contextName": "userId", "operator": "IN", "values": ["1"]}
    segment = unleash.ask("POST", "segments", {"name": name[:40], "constraints": [inside]})["id"]
    place = f"projects/default/features/{name}/environments/production"
    stood: list[str] = [await provider.definition(name)]

    async def does(method: str, path: str, data: Any = None) -> None:
        unleash.ask(method, f"{place}{path}", data)
        stood.append(await provider.definition(name))

    first = unleash.strategies(name)[0]
    await does("POST", "/strategies", rollout(10, segments=[segment]))
    second = unleash.strategies(name)[1]
    await does("PUT", f"/strategies/{first['id']}", {**first, **rollout(60)})
    await does("POST", "/off")
    await does("DELETE", f"/strategies/{second['id']}")
    await does("POST", "/strategies", {"name": "userWithId", "parameters": {"userIds": "3"}})
    order = [{"id": one["id"], "sortOrder": 5 - at} for at, one in enumerate(unleash.strategies(name))]
    await does("POST", "/strategies/set-sort-order", order)
    await does("POST", "/on")
    unleash.someone = "bob\x1b[31m"
    try:
        await does("PUT", f"/strategies/{first['id']}", {**first, **rollout(40)})
    finally:
        unleash.someone = "ada"
    changes = await provider.changes(0.0, name)
    told = list(zip(changes, reversed(stood[1:]), reversed(stood[:-1]), strict=False))
    for change, after, before in told:
        assert change.after in (after, ""), change.summary
        assert change.before in (before, ""), change.summary
        assert change.after_hash in (provider.content_hash(after), "")
    # Down to the removal: a later order does not say which place the removed strategy had.
    assert [bool(change.before) for change, _, _ in told] == [True] * 4 + [False] * 4
    assert changes[0].who == "bob\\x1b[31m"
    assert changes[0].summary == "flexibleRollout 60 % -> flexibleRollout 40 % in production"
    assert (await provider.changes(0.0))[0] == changes[0]


async def test_a_removed_strategy_comes_back_with_its_segments(
    unleash: Unleash, provider: FlagProvider, name: str
) -> None:
    inside = {"contextName": "userId", "operator": "IN", "values": ["1"]}
    segment = unleash.ask("POST", "segments", {"name": name[:40], "constraints": [inside]})["id"]
    place = f"projects/default/features/{name}/environments/production/strategies"
    unleash.ask("POST", place, rollout(10, segments=[segment]))
    stood = await provider.definition(name)
    unleash.ask("DELETE", f"{place}/{unleash.strategies(name)[1]['id']}")
    removal = (await provider.changes(0.0, name))[0]
    assert removal.before == stood, "the log of a removal does not tell segments, that of the addition does"
    await provider.apply(await provider.plan_to(name, removal.before, RollbackKind.UNDO))
    assert [one["segments"] for one in unleash.strategies(name)] == [[], [segment]]


async def test_an_older_unleash_is_asked_for_its_whole_log(
    unleash: Unleash, provider: FlagProvider, proxy: CountingProxy, name: str
) -> None:
    unleash.set_rollout(name, 20)
    everything = await provider.changes(0.0, name)
    proxy.instead = lambda method, path: Said(404, b"{}") if "/search/" in path else None
    assert await provider.changes(0.0, name) == everything
    assert (await provider.changes(0.0))[0] == everything[0]
    assert (await provider.read()).get(name) is not None
    proxy.instead = lambda method, path: Said(404, b"{}") if "events" in path else None
    with pytest.raises(FlagError):
        await provider.changes(0.0)
