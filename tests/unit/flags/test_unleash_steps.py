"""From one Unleash definition to another: what is written in which order, and what is served in between."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.clients.flags.unleash_definition import Definition, Step, Strategy, steps_between
from opsconsole.errors import FlagError, Refused

USERS = 20


def percent(number: int, *, disabled: bool = False, identity: str = "") -> Strategy:
    parameters = {"rollout": str(number)}
    return Strategy(name="flexibleRollout", parameters=parameters, disabled=disabled, id=identity)


def served(definition: Definition) -> frozenset[int]:
    """The users for whom it is on, of USERS."""
    if not definition.enabled:
        return frozenset()
    if not definition.active:
        return frozenset(range(USERS))
    shares = [int((strategy.parameters or {})["rollout"]) for strategy in definition.active]
    return frozenset(user for user in range(USERS) if any(user * 100 < share * USERS for share in shares))


def carried_out(now: Definition, step: Step) -> Definition:
    """What Unleash makes of one write, with its own additions."""
    strategies = {strategy.id: strategy for strategy in now.strategies}
    enabled = now.enabled
    body = None if step.body is None else Strategy(**step.body)
    if step.path in ("/on", "/off"):
        enabled = step.path == "/on"
        if enabled and not now.active:
            strategies["default"] = percent(100, identity="default")
    elif step.method == "POST":
        assert body is not None
        identity = f"new-{len(strategies)}"
        strategies[identity] = Strategy(**{**body.value(), "id": identity})
    else:
        identity = step.path.rpartition("/")[2]
        if body is None:
            del strategies[identity]
        else:
            strategies[identity] = Strategy(**{**body.value(), "id": identity})
        if all(strategy.disabled for strategy in strategies.values()):
            enabled = False
    return Definition(enabled, tuple(strategies.values()))


percents = st.builds(percent, st.sampled_from([0, 10, 25, 50, 100]), disabled=st.booleans())
definitions = st.builds(Definition, st.booleans(), st.lists(percents, max_size=3).map(tuple))


def with_ids(definition: Definition) -> Definition:
    named = [
        Strategy(**{**strategy.value(), "id": f"s{number}"})
        for number, strategy in enumerate(definition.strategies)
    ]
    return Definition(definition.enabled, tuple(named))


@given(now=definitions.map(with_ids), then=definitions)
def test_what_is_written_ends_in_the_definition_and_never_serves_more_in_between(
    now: Definition, then: Definition
) -> None:
    if now.enabled and not now.active:
        return  # Unleash does not keep that
    if then.enabled and not then.active:
        with pytest.raises(Refused) as caught:
            steps_between(now, then)
        assert caught.value.hint
        return
    steps = steps_between(now, then)
    least, at = served(now) & served(then), now
    for step in steps[:-1]:
        at = carried_out(at, step)
        assert served(at) <= least, f"after {step.words}"
    if steps:
        at = carried_out(at, steps[-1])
    assert at.hash == then.hash


def test_a_change_of_one_strategy_is_one_write_and_does_not_turn_the_flag_off() -> None:
    now, then = Definition(True, (percent(100, identity="a b"),)), Definition(True, (percent(25),))
    (step,) = steps_between(now, then)
    assert (step.method, step.path) == ("PUT", "/strategies/a%20b")
    assert step.words == "change flexibleRollout 100 % to flexibleRollout 25 %"


def test_several_changes_are_made_while_it_is_off() -> None:
    now = Definition(True, (percent(100, identity="a"), percent(50, identity="b"), percent(1, identity="c")))
    steps = steps_between(now, Definition(True, (percent(25),)))
    assert [f"{step.method} {step.path}" for step in steps] == [
        "POST /off",
        "PUT /strategies/a",
        "DELETE /strategies/c",
        "DELETE /strategies/b",
        "POST /on",
    ]


@pytest.mark.parametrize(
    ("definition", "rollout", "off", "serves"),
    [
        (Definition(False, (percent(100),)), 0.0, True, "off"),
        (Definition(True, (percent(100),)), 100.0, False, "on 100 %"),
        (Definition(True, (percent(25), percent(100, disabled=True))), 25.0, False, "on 25 %"),
        (Definition(True, (percent(0),)), 0.0, True, "on 0 %"),
        (Definition(True, ()), 100.0, False, "on 100 %"),
        (Definition(True, (percent(5, disabled=True),)), None, False, "on, with no strategy that is enabled"),
        (Definition(True, (Strategy(name="default"),)), 100.0, False, "on 100 %"),
        (
            Definition(True, (Strategy(name="default", segments=[1]), percent(5))),
            None,
            False,
            "on by default with 1 segment, or flexibleRollout 5 %",
        ),
        (
            Definition(True, (Strategy(name="userWithId", constraints=[{}, {}]),)),
            None,
            False,
            "on by userWithId with 2 constraints",
        ),
        (
            Definition(True, (Strategy(name="flexibleRollout", parameters={"rollout": "a\x1b"}),)),
            None,
            False,
            "on by flexibleRollout a\\x1b %",
        ),
    ],
)
def test_what_it_serves(definition: Definition, rollout: float | None, off: bool, serves: str) -> None:
    assert (definition.rollout, definition.off, definition.serves()) == (rollout, off, serves)


@given(definition=definitions.map(with_ids))
def test_a_definition_survives_its_text(definition: Definition) -> None:
    again = Definition.parse(definition.text())
    assert again.hash == definition.hash
    assert again.text() == definition.text()
    assert "s0" not in definition.text(), "the ids are no part of it"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"enabled":1}', "[" * 100_000, json.dumps({"state": "ENABLED"})]
)
def test_what_is_no_definition_is_said(text: str) -> None:
    with pytest.raises(FlagError) as caught:
        Definition.parse(text)
    assert "not one of Unleash" in caught.value.message
    assert len(caught.value.message) < 400
