"""GO Feature Flag's file: what is really off, what is told of a flag, and what is no such file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opsconsole.clients.flags.goff import GoffProvider
from opsconsole.config.load import load_config
from opsconsole.errors import ConfigError, FlagError, Refused
from opsconsole.model.flags import Flag, RollbackKind

YAML = """\
# The flags of ruleIQ.
new-pricing:
  variations:
    on: true
    off: false      # as before
  # first the pros
  targeting:
    - name: pros
      query: plan eq "pro"
      percentage:
        on: 50
        off: 50
  defaultRule:      # the rest
    name: everyone
    percentage:
      on: 25
      off: 75
  disable: true
  experimentation:
    start: 2026-01-01T00:00:00.1-05:00
    end: 2026-12-31T00:00:00.1-05:00
  scheduledRollout:
    - date: 2026-06-01T00:00:00Z
      defaultRule: {variation: on}

other: {variations: {a: 1, b: 2}, defaultRule: {variation: a}}
"""

ROLLED_BACK = """\
# The flags of ruleIQ.
new-pricing:
  variations:
    on: true
    off: false      # as before
  # first the pros
  targeting: []
  defaultRule: {"name": "everyone", "variation": "off"}      # the rest
  disable: false
  experimentation: null
  scheduledRollout: []

other: {variations: {a: 1, b: 2}, defaultRule: {variation: a}}
"""


async def told(folder: Path, **flag: object) -> Flag:
    path = folder / "flags.json"
    whole = {"variations": {"on": True, "off": False}, "defaultRule": {"variation": "on"}} | flag
    path.write_text(json.dumps({"f": whole}))
    found = (await GoffProvider(path).read()).get("f")
    assert found is not None
    return found


async def test_off_clears_all_that_goes_before_the_default_rule_and_touches_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "flags.yaml"
    path.write_text(YAML)
    provider = GoffProvider(path)
    plan = await provider.plan_off("new-pricing")
    assert plan.words == (
        "new-pricing: serve off to everyone; default rule on 25 %, off 75 % -> off; targeting cleared; "
        "scheduled steps cleared; the bounds of its experimentation cleared; "
        "enabled, so that the file and not the code decides"
    )
    await provider.apply(plan)
    assert path.read_text() == ROLLED_BACK
    flag = (await provider.read()).get("new-pricing")
    assert flag is not None
    assert (flag.off, flag.enabled, flag.serves, flag.rollout) == (True, True, "off", 0.0)
    await provider.apply(await provider.plan_to("new-pricing", plan.original, RollbackKind.UNDO))
    assert path.read_text() == YAML


@pytest.mark.parametrize(
    ("more", "serves", "rollout", "off"),
    [
        ({}, "on", 100.0, False),
        ({"defaultRule": {"variation": "off"}}, "off", 0.0, True),
        ({"defaultRule": {"name": "all", "variation": "off", "percentage": {}}}, "off", 0.0, True),
        ({"defaultRule": {"percentage": {"on": 10, "off": 30}}}, "on 25 %, off 75 %", 25.0, False),
        # Without a key to hash, a percentage gives the code's default: this is not off for everyone.
        ({"defaultRule": {"percentage": {"on": 0, "off": 100}}}, "off", 0.0, False),
        ({"defaultRule": {"percentage": {"gone": 100}}}, "the code's default", None, False),
        ({"defaultRule": {"percentage": [1]}}, "the code's default", None, False),
        ({"defaultRule": None}, "the code's default", None, False),
        ({"disable": True, "defaultRule": {"variation": "off"}}, "the code's default (disabled)", None, False),
        ({"targeting": [{"query": "", "variation": "on"}]}, "on, with targeting", None, False),
        ({"scheduledRollout": [{"date": "2030-01-01"}]}, "on, with scheduled steps", None, False),
        ({"experimentation": {"start": "2030-01-01"}}, "on, while its experimentation lasts", None, False),
        ({"defaultRule": {"variation": "off"}, "bucketingKey": "team"}, "off", None, False),
        ({"defaultRule": {"variation": "off"}, "bucketingKey": ""}, "off", 0.0, True),
        (
            {"defaultRule": {"progressiveRollout": {"initial": {"variation": "off"}, "end": {"variation": "on"}}}},
            "progressively from off to on",
            None,
            False,
        ),
    ],
)
async def test_what_is_told_of_a_flag(
    tmp_path: Path, more: dict[str, Any], serves: str, rollout: float | None, off: bool
) -> None:
    flag = await told(tmp_path, **more)
    assert (flag.serves, flag.rollout, flag.off) == (serves, rollout, off)
    provider = GoffProvider(tmp_path / "flags.json")
    if off:
        with pytest.raises(Refused, match="already serves off"):
            await provider.plan_off("f")
        return
    await provider.apply(await provider.plan_off("f"))
    after = (await provider.read()).get("f")
    assert after is not None
    assert (after.off, after.serves, after.rollout, after.enabled) == (True, "off", 0.0, True)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ([], "not a GO Feature Flag definition: it needs to be a mapping of flags"),
        ({"f": 1}, "flag f must be a mapping"),
        ({"f": {}}, "variations must be a mapping"),
        ({"f": {"variations": {}, "targeting": {}}}, "targeting must be a list of rules"),
        ({"f": {"variations": {}, "disable": "yes"}}, "disable must be true or false"),
        ({"f": {"variations": {}, "defaultRule": {"variation": "x"}}}, "not one of its variations"),
        ({"f": {"variations": {"x": 1}, "defaultRule": {"variation": ["x"]}}}, "not one of its variations"),
    ],
)
async def test_what_is_no_such_file(tmp_path: Path, flags: object, says: str) -> None:
    path = tmp_path / "flags.json"
    path.write_text(json.dumps(flags))
    with pytest.raises(FlagError, match=says) as caught:
        await GoffProvider(path).read()
    assert str(path) in caught.value.where


def test_its_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    context = "contexts: {a: {flags: {provider: goff, path: flags.%s, safe_variants: {f: b}}}}"
    config.write_text(context % "yaml")
    flags = load_config(config, {}, home=tmp_path).contexts["a"].flags
    assert flags is not None
    assert (flags.provider, flags.path, flags.safe_variants) == ("goff", tmp_path / "flags.yaml", {"f": "b"})
    config.write_text(context % "toml")
    with pytest.raises(ConfigError, match="TOML is not supported"):
        load_config(config, {}, home=tmp_path)
