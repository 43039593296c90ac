"""The keeper follows an engine: what it journals is in the very next snapshot."""

from __future__ import annotations

from opsconsole.actions.keeper import Keeper
from opsconsole.clients.sources import Sources
from opsconsole.config.schema import Context, FlagsConfig
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import ContextInfo
from opsconsole.text import trusted
from tests.support.backends import until
from tests.unit.actions.conftest import FLAGS, Console


async def test_a_change_of_a_flag_is_shown_as_soon_as_it_was_observed(console: Console) -> None:
    context = Context(name="prod", flags=FlagsConfig(provider="flagd", path=console.flags_file))
    engine = Engine(
        ContextInfo(name=trusted("prod"), read_only=True),
        Sources(context, console.clock),
        (),
        console.clock,
        journal=console.journal.entries,
    )
    engine.polls.changes = console.runner.changes
    stop = Keeper(engine, console.runner).start()
    # The engine does not run, so no tick of its own helps.
    await engine.collect(names={"flags"})
    await until(lambda: bool(console.journal.entries(action="flag-baseline")))
    assert engine.snapshot.changes == ()
    console.flags_file.write_text(FLAGS.replace('"defaultVariant": "off"', '"defaultVariant": "on"'))
    await engine.collect(names={"flags"})
    await until(lambda: bool(engine.snapshot.changes))
    assert [c.key for c in engine.snapshot.changes] == ["dark_mode"]
    assert any(e.action == "flag-change" for e in engine.snapshot.journal)
    stop()
    await engine.aclose()
