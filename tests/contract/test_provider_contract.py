"""The one set of tests that every flag provider passes, on the real thing where it can be real."""

from __future__ import annotations

import random
import time

import pytest

from opsconsole.clients.flags.base import FlagProvider
from opsconsole.errors import (
    Conflict,
    FlagNotFound,
    FlagUnauthorised,
    FlagUnavailable,
    FlagUnsupported,
    OpsError,
    Refused,
)
from opsconsole.model.flags import FlagChange, RollbackKind, RollbackPlan
from opsconsole.text import is_safe, safe_block
from tests.contract.harness import HOSTILE, Scene

SKEW = 2.0
"""Seconds that a server's clock may be off, and the resolution of its log."""


async def apply(scene: Scene, plan: RollbackPlan, reason: str = "a test") -> None:
    """Apply a plan, and look that what stands is what it promised."""
    revision = await scene.provider.apply(plan, reason)
    flagset = await scene.provider.read()
    assert flagset.revision == revision, "apply gives the revision that is read next"
    flag = flagset.get(plan.key)
    assert flag is not None
    assert flag.content_hash == scene.provider.content_hash(plan.replacement), "as the plan predicted"


async def back(scene: Scene, key: str, definition: str, *, restore: bool = False) -> RollbackPlan:
    """The plan to bring a definition back over what stands now."""
    now = (await scene.flag(key)).content_hash
    return await scene.provider.plan_to(key, definition, RollbackKind.UNDO, expected_hash=now, restore=restore)


def shown(plan: RollbackPlan) -> None:
    assert is_safe(plan.words), plan.words
    assert plan.diff == safe_block(plan.diff)
    assert plan.words
    assert plan.diff


# Reading


async def test_all_flags_are_read_as_they_stand(scene: Scene) -> None:
    keys, provider = scene.keys, scene.provider
    flagset = await provider.read()
    assert flagset.provider == provider.name
    expected = {keys.full: 100.0, keys.partial: 100.0, keys.off: 0.0, keys.turned_off: 0.0, keys.hostile: 100.0}
    assert set(expected) <= {flag.key for flag in flagset.flags}
    for key, percent in expected.items():
        flag = await scene.flag(key)
        assert await scene.harness.serves(key) == pytest.approx(percent, abs=4), key
        assert flag.serves, key
        if flag.rollout is not None:
            assert flag.rollout == percent, key
        assert flag.content_hash == provider.content_hash(await provider.definition(key)), key
    off = {key for key in expected if (await scene.flag(key)).off}
    assert off >= {keys.off}
    assert off <= {keys.off, keys.turned_off}


async def test_a_part_of_the_users_is_told_as_a_percentage(scene: Scene) -> None:
    if not scene.provider.capabilities.partial:
        pytest.skip("it does not tell percentages")
    await scene.harness.change(scene.keys.full, 50)
    flag = await scene.flag(scene.keys.full)
    assert (flag.rollout, flag.off) == (50.0, False)
    assert "50" in flag.serves
    assert 30 < await scene.harness.serves(scene.keys.full) < 70


async def test_the_revision_and_the_hash_change_with_a_flag_and_only_then(scene: Scene) -> None:
    first = await scene.provider.read()
    before = await scene.hashes()
    assert (await scene.provider.read()).revision == first.revision
    await scene.harness.change(scene.keys.full, 50)
    assert (await scene.provider.read()).revision != first.revision
    after = await scene.hashes()
    assert {key for key in before if before[key] != after[key]} == {scene.keys.full}


async def test_hostile_text_is_made_safe(scene: Scene) -> None:
    flagset = await scene.provider.read()
    texts = [str(flagset.source), flagset.provider]
    for flag in flagset.flags:
        texts += [flag.name, flag.serves, flag.default_variant, flag.safe_variant, flag.type]
        texts += [*flag.variants, *flag.tags]
    assert [text for text in texts if not is_safe(text)] == []
    plan = await scene.provider.plan_off(scene.keys.hostile)
    shown(plan)
    await apply(scene, plan, f"{HOSTILE} went wrong")
    assert await scene.harness.serves(scene.keys.hostile) == 0
    shown(await back(scene, scene.keys.hostile, plan.original))
    for change in await scene.provider.changes(scene.began - 60):
        assert is_safe(change.summary)
        assert is_safe(change.who)


async def test_types_are_told(scene: Scene) -> None:
    if not scene.keys.kill_switch:
        pytest.skip("it has no types")
    assert (await scene.flag(scene.keys.kill_switch)).type in ("kill-switch", "permission")


# Off


async def test_a_plan_writes_nothing(scene: Scene) -> None:
    keys, provider = scene.keys, scene.provider
    before, writes = await provider.read(), scene.harness.writes()
    plan = await provider.plan_off(keys.full)
    assert (plan.kind, plan.key, plan.restore) == (RollbackKind.OFF, keys.full, False)
    shown(plan)
    shown(await back(scene, keys.partial, scene.former[keys.partial]))
    assert await provider.read() == before
    assert scene.harness.writes() == writes
    assert await scene.harness.serves(keys.full) == 100


@pytest.mark.parametrize("role", ["full", "partial", "hostile", "kill_switch", "targeted"])
async def test_off_reaches_everyone_and_changes_no_other_flag(scene: Scene, role: str) -> None:
    key = getattr(scene.keys, role)
    if not key:
        pytest.skip("it has no such flag")
    before, expected = await scene.hashes(), await scene.harness.serves(key)
    assert expected > 0
    plan = await scene.provider.plan_off(key)
    assert plan.revision == before[key]
    assert scene.provider.content_hash(plan.original) == before[key]
    await apply(scene, plan)
    flag = await scene.flag(key)
    assert await scene.harness.serves(key) == 0
    assert flag.off
    assert flag.rollout in (None, 0.0)
    after = await scene.hashes()
    assert {other for other in before if before[other] != after[other]} == {key}
    with pytest.raises(Refused):
        await scene.provider.plan_off(key)
    await apply(scene, await back(scene, key, plan.original, restore=True))
    assert await scene.hashes() == before, "a restore brings exactly the former definition back"
    assert await scene.harness.serves(key) == expected


async def test_off_is_refused_where_it_would_change_nothing_or_cannot_be_safe(scene: Scene) -> None:
    with pytest.raises(Refused):
        await scene.provider.plan_off(scene.keys.off)
    if scene.keys.no_safe:
        assert (await scene.flag(scene.keys.no_safe)).safe_variant == ""
        with pytest.raises(Refused) as caught:
            await scene.provider.plan_off(scene.keys.no_safe)
        assert caught.value.hint


# Undo


async def test_undo_of_a_raised_percentage(scene: Scene) -> None:
    key = scene.keys.partial
    plan = await back(scene, key, scene.former[key])
    assert plan.kind is RollbackKind.UNDO
    await apply(scene, plan)
    assert 30 < await scene.harness.serves(key) < 70
    assert (await scene.flag(key)).content_hash == scene.provider.content_hash(scene.former[key])


async def test_undo_of_a_turn_off(scene: Scene) -> None:
    key = scene.keys.turned_off
    await apply(scene, await back(scene, key, scene.former[key]))
    assert await scene.harness.serves(key) == 100
    assert (await scene.flag(key)).content_hash == scene.provider.content_hash(scene.former[key])


async def test_what_already_stands_is_refused(scene: Scene) -> None:
    key = scene.keys.partial
    with pytest.raises(Refused):
        await scene.provider.plan_to(key, await scene.provider.definition(key), RollbackKind.UNDO)


async def test_any_walk_ends_where_it_should(scene: Scene) -> None:
    """Changes by others, rollbacks and restores in any order: what is served is always what was asked last."""
    key, seed = scene.keys.full, random.randrange(1 << 32)
    walk = random.Random(seed)
    kept: list[tuple[str, float]] = []
    percent = 100.0
    for step in range(scene.harness.steps):
        told = f"seed {seed}, step {step}"
        definition = await scene.provider.definition(key)
        what = walk.choice(["change", "off", "back"])
        if what == "change":
            percent = walk.choice([value for value in (0.0, 50.0, 100.0) if value != percent])
            await scene.harness.change(key, percent)
        elif what == "off" and not (await scene.flag(key)).off:
            await apply(scene, await scene.provider.plan_off(key))
            kept.append((definition, percent))
            percent = 0.0
        elif what == "back" and kept:
            former, then = kept.pop()
            try:
                await apply(scene, await back(scene, key, former))
            except Refused:
                assert scene.provider.content_hash(former) == scene.provider.content_hash(definition), told
            percent = then
        served = await scene.harness.serves(key)
        expected = served == percent if percent in (0, 100) else 30 < served < 70
        assert expected, f"{told}: {what}, {served} per cent are served, {percent} were asked for"


# Conflicts and repetition


async def test_a_plan_is_not_applied_over_a_change_of_somebody_else(scene: Scene) -> None:
    key = scene.keys.full
    plan = await scene.provider.plan_off(key)
    await scene.harness.change(key, 50)
    theirs, writes = await scene.hashes(), scene.harness.writes()
    with pytest.raises(Conflict):
        await scene.provider.apply(plan, "too late")
    assert await scene.hashes() == theirs
    assert scene.harness.writes() == writes
    with pytest.raises(Conflict):
        await scene.provider.plan_to(key, plan.original, RollbackKind.UNDO, expected_hash=plan.revision)


async def test_a_change_of_another_flag_is_no_conflict(scene: Scene) -> None:
    plan = await scene.provider.plan_off(scene.keys.full)
    await scene.harness.change(scene.keys.partial, 50)
    await apply(scene, plan)
    assert 30 < await scene.harness.serves(scene.keys.partial) < 70


async def test_a_plan_is_applied_only_once(scene: Scene) -> None:
    plan = await scene.provider.plan_off(scene.keys.full)
    await apply(scene, plan)
    after, writes = await scene.provider.read(), scene.harness.writes()
    with pytest.raises(Conflict):
        await scene.provider.apply(plan, "again")
    assert await scene.provider.read() == after
    assert scene.harness.writes() == writes


# Failures


async def test_a_flag_that_is_not_there(scene: Scene) -> None:
    provider, definition = scene.provider, await scene.provider.definition(scene.keys.full)
    calls = (
        lambda: provider.definition("no-such-flag"),
        lambda: provider.plan_off("no-such-flag"),
        lambda: provider.plan_to("no-such-flag", definition, RollbackKind.UNDO),
    )
    for call in calls:
        with pytest.raises(FlagNotFound) as caught:
            await call()
        assert "no-such-flag" in caught.value.message
        assert not caught.value.sent


async def _fails(provider: FlagProvider, kind: type[OpsError], plan: RollbackPlan) -> None:
    try:
        for call in (provider.read, lambda: provider.definition(plan.key), lambda: provider.plan_off(plan.key)):
            with pytest.raises(kind) as caught:
                await call()
            assert caught.value.hint, "it says what to do"
            assert not caught.value.sent, "a read writes nothing"
        with pytest.raises(kind) as caught:
            await provider.apply(plan, "a test")
        assert not caught.value.sent, "it is certain that nothing was written"
    finally:
        await provider.aclose()


async def test_a_provider_that_cannot_be_reached(scene: Scene) -> None:
    provider = scene.harness.unreachable()
    if provider is None:
        pytest.skip("it cannot be out of reach")
    await _fails(provider, FlagUnavailable, await scene.provider.plan_off(scene.keys.full))
    assert await scene.harness.serves(scene.keys.full) == 100


async def test_credentials_that_are_not_accepted(scene: Scene) -> None:
    provider = scene.harness.unauthorised()
    if provider is None:
        pytest.skip("it has no credentials")
    await _fails(provider, FlagUnauthorised, await scene.provider.plan_off(scene.keys.full))
    assert await scene.harness.serves(scene.keys.full) == 100


async def test_a_write_whose_answer_is_lost_is_not_sent_again(scene: Scene) -> None:
    provider = scene.harness.answerless()
    if provider is None:
        pytest.skip("its answers cannot be lost")
    try:
        plan = await provider.plan_off(scene.keys.full)
        before = scene.harness.writes()
        with pytest.raises(FlagUnavailable) as caught:
            await provider.apply(plan, "a test")
    finally:
        await provider.aclose()
    assert caught.value.sent, "it may have been done"
    after = scene.harness.writes()
    if before is not None and after is not None:
        assert after == before + 1


# What it says that it can do


async def test_what_is_not_declared_is_refused_as_unsupported(scene: Scene) -> None:
    capabilities, provider = scene.provider.capabilities, scene.provider
    assert capabilities.propagation > 0
    if not capabilities.off:
        with pytest.raises(FlagUnsupported):
            await provider.plan_off(scene.keys.full)
    if not capabilities.undo:
        with pytest.raises(FlagUnsupported):
            await provider.plan_to(scene.keys.partial, scene.former[scene.keys.partial], RollbackKind.UNDO)
    if not capabilities.change_log:
        assert await provider.changes(0.0) == ()


async def _log(scene: Scene, key: str = "") -> tuple[FlagChange, ...]:
    if not scene.provider.capabilities.change_log:
        pytest.skip("it keeps no log: our journal is the only record")
    return await scene.provider.changes(scene.began - SKEW, key)


async def test_the_log_tells_who_changed_what_from_what_to_what(scene: Scene) -> None:
    keys = scene.keys
    for key, off in ((keys.partial, False), (keys.turned_off, True)):
        found = await _log(scene, key)
        assert {change.key for change in found} == {key}
        newest = found[0]
        assert scene.began - SKEW <= newest.at <= time.time() + SKEW
        assert newest.who == scene.harness.other
        assert newest.summary
        assert newest.exact
        assert newest.id
        assert not newest.ours
        assert newest.off in (off, None)
        assert newest.before_off is False, "users had it before"
        assert newest.after_hash == (await scene.flag(key)).content_hash
        assert newest.before_hash == scene.provider.content_hash(scene.former[key])
        assert scene.provider.content_hash(newest.after) == newest.after_hash
        assert scene.provider.content_hash(newest.before) == newest.before_hash
        await apply(scene, await back(scene, key, newest.before))


async def test_the_log_is_newest_first_and_since_then(scene: Scene) -> None:
    await scene.harness.change(scene.keys.full, 50)
    found = await _log(scene)
    assert [change.at for change in found] == sorted((change.at for change in found), reverse=True)
    assert len({change.id for change in found}) == len(found)
    assert found[0].key == scene.keys.full
    assert {scene.keys.partial, scene.keys.turned_off} <= {change.key for change in found}
    assert await scene.provider.changes(time.time() + 60) == ()


async def test_our_own_change_is_in_the_log_with_its_reason(scene: Scene) -> None:
    await _log(scene)
    plan = await scene.provider.plan_off(scene.keys.full)
    await apply(scene, plan, "errors at 20 %")
    newest = (await scene.provider.changes(scene.began - SKEW, scene.keys.full))[0]
    assert newest.after_hash == scene.provider.content_hash(plan.replacement)
    assert newest.before_hash == plan.revision
    if scene.provider.capabilities.reason:
        assert "errors at 20 %" in newest.summary


async def test_versions_can_be_reverted_to(scene: Scene) -> None:
    if not scene.provider.capabilities.revert:
        pytest.skip("its log numbers no versions")
    key = scene.keys.partial
    newest = (await _log(scene, key))[0]
    assert newest.version
    assert newest.version == (await scene.flag(key)).version
    await scene.harness.change(key, 0)
    plan = await scene.provider.plan_to(key, newest.after, RollbackKind.REVERT, version=newest.version)
    assert (plan.kind, plan.version) == (RollbackKind.REVERT, newest.version)
    assert newest.version in plan.words
    await apply(scene, plan)
    assert await scene.harness.serves(key) == 100
