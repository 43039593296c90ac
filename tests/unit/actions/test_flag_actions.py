"""Rolling flags back, restoring them, and knowing what changed: with a real file and a real journal."""

from __future__ import annotations

import json
from typing import Any

from opsconsole.clients.flags.flagd import FlagdProvider
from opsconsole.errors import Conflict, FlagError
from opsconsole.model.flags import RollbackKind, RollbackPlan
from opsconsole.model.journal import Phase, Result
from tests.unit.actions.conftest import FLAGS, Console


def flag(console: Console, key: str = "new_pricing") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(console.flags_file.read_text())["flags"][key]
    return found


def change(console: Console, key: str = "new_pricing", **fields: object) -> None:
    data = json.loads(console.flags_file.read_text())
    data["flags"][key] |= fields
    console.flags_file.write_text(json.dumps(data))


async def observe(console: Console) -> None:
    console.runner.observe_flags(await console.flags.read())


async def test_a_rollback_is_written_verified_journalled_and_undone_after_a_restart(console: Console) -> None:
    plan = await console.runner.plan_rollback("new_pricing")
    outcome = await console.runner.rollback(plan)
    assert (outcome.result, outcome.undo) == (Result.DONE, outcome.op)
    assert (flag(console)["defaultVariant"], flag(console)["targeting"]) == ("off", {})
    intent = console.journal.entries(op=outcome.op)[-1]
    assert (intent.phase, intent.detail["original"]) == (Phase.INTENT, plan.original)
    undone = await console.again().undo()
    assert undone.result is Result.DONE
    assert console.flags_file.read_text() == FLAGS
    assert console.runner.last_undoable() is None


async def test_restore_shows_its_plan_and_brings_the_original_back(console: Console) -> None:
    await console.runner.rollback(await console.runner.plan_rollback("new_pricing"))
    runner = console.again()
    plan = await runner.plan_restore("new_pricing")
    assert plan.restore
    assert '+  "defaultVariant": "on",' in plan.diff
    assert (await runner.rollback(plan)).action == "restore"
    assert console.flags_file.read_text() == FLAGS
    again = await runner.restore("new_pricing")
    assert (again.result, "no rollback" in again.message) == (Result.REFUSED, True)
    assert runner.last_undoable() is None


async def test_a_changed_flag_is_neither_rolled_back_nor_restored_over(console: Console) -> None:
    plan = await console.runner.plan_rollback("new_pricing")
    change(console, metadata={"by": "someone"})
    outcome = await console.runner.rollback(plan)
    assert (outcome.result, "changed since" in outcome.message) == (Result.REFUSED, True)
    await console.runner.rollback(await console.runner.plan_rollback("new_pricing", RollbackKind.OFF))
    change(console, defaultVariant="on")
    restored = await console.runner.restore("new_pricing")
    assert (restored.result, "changed since" in restored.message) == (Result.REFUSED, True)
    assert flag(console)["defaultVariant"] == "on"


class Broken(FlagdProvider):
    """Fails after or before the write, or is overwritten at once."""

    how = ""

    async def apply(self, plan: RollbackPlan, reason: str = "") -> str:
        if self.how == "before":
            raise FlagError("the flag file cannot be written: Read-only file system")
        if self.how == "conflict":
            raise Conflict("changed since")
        revision = await super().apply(plan, reason)
        if self.how == "after":
            raise FlagError("the folder cannot be synced")
        self.path.write_text(FLAGS)
        return revision


async def test_what_stands_decides_and_not_what_apply_said(console: Console) -> None:
    broken = Broken(console.flags_file)
    console.flags = broken
    console.runner = console.make()
    found = {}
    for how in ("before", "conflict", "overwritten", "after"):
        broken.how = how
        outcome = await console.runner.rollback(await console.runner.plan_rollback("new_pricing"))
        found[how] = (outcome.result, outcome.message)
    assert found["before"][0] is Result.FAILED
    assert found["conflict"][0] is Result.REFUSED
    assert found["overwritten"] == (
        Result.FAILED,
        "flag new_pricing was written, but still reads back as it was",
    )
    assert found["after"][0] is Result.DONE


async def test_the_first_look_is_a_baseline_and_a_change_is_told_once(console: Console) -> None:
    await observe(console)
    assert console.runner.changes() == ()
    change(console, "dark_mode", defaultVariant="on")
    await observe(console)
    await observe(console)
    (seen,) = console.runner.changes()
    assert (seen.key, seen.summary, seen.ours, seen.exact, seen.who) == (
        "dark_mode",
        "off -> on",
        False,
        False,
        "",
    )
    console.again()
    await observe(console)
    assert console.runner.changes() == (seen,)


async def test_two_consoles_tell_one_change_once(console: Console) -> None:
    other = console.make("bob")
    await observe(console)
    other.observe_flags(await console.flags.read())
    change(console, "dark_mode", defaultVariant="on")
    flagset = await console.flags.read()
    console.runner.observe_flags(flagset)
    other.observe_flags(flagset)
    assert len(console.journal.entries(action="flag-change")) == 1
    assert len(console.journal.entries(action="flag-baseline")) == 1
    assert len(other.changes()) == 1


async def test_our_own_changes_are_told_as_ours(console: Console) -> None:
    await observe(console)
    await console.runner.rollback(await console.runner.plan_rollback("new_pricing"))
    await console.runner.undo()
    await console.runner.rollback(await console.runner.plan_rollback("new_pricing"))
    await console.runner.restore("new_pricing")
    changes = console.runner.changes()
    assert [(c.ours, c.exact, c.who) for c in changes] == [(True, True, "me")] * 4
    assert [c.summary for c in changes] == [
        "restored: off -> on, with targeting",
        "rolled back: on, with targeting -> off",
    ] * 2
    change(console, defaultVariant="off", targeting={})
    await observe(console)
    assert console.runner.changes()[0].ours is False


async def test_flags_that_come_and_go_are_changes(console: Console) -> None:
    await observe(console)
    data = json.loads(FLAGS)
    data["flags"]["extra"] = data["flags"].pop("dark_mode")
    console.flags_file.write_text(json.dumps(data))
    console.clock.advance(5)
    await observe(console)
    found = {c.key: c.summary for c in console.runner.changes()}
    assert found == {"dark_mode": "removed", "extra": "new: serves off"}


async def test_a_full_journal_is_named_and_the_change_told_later(console: Console) -> None:
    await observe(console)
    change(console, "dark_mode", metadata={"x": 1})
    console.journal._db.execute("PRAGMA query_only = ON")
    await observe(console)
    assert "not journalled" in console.runner.observing_problem
    assert console.runner.changes() == ()
    console.journal._db.execute("PRAGMA query_only = OFF")
    await observe(console)
    assert console.runner.observing_problem == ""
    assert len(console.runner.changes()) == 1
