"""GO Feature Flag's file, JSON and YAML, evaluated as `InternalFlag.Value` and `Rule.Evaluate` of its Go module
do: scheduled steps first, then the bucketing key, what is disabled (the code's own default, taken as on), the
targeting rules in order, the default rule with its percentages or variation."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml

from opsconsole.clients.flags import make_provider
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.config.schema import FlagsConfig
from tests.contract.harness import HOSTILE, Harness, Keys

USERS = 100
PAST, FUTURE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


class GoffHarness(Harness):
    keys = Keys(hostile=HOSTILE, no_safe="no_safe", kill_switch="kill_switch", targeted="targeted")

    def __init__(self, path: Path) -> None:
        self.path = path

    async def start(self) -> None:
        flag = {"variations": {"on": True, "off": False}, "defaultRule": {"name": "all", "variation": "on"}}
        flags = {
            "full": flag,
            "partial": {**flag, "defaultRule": _rule(50)},
            "off": {**flag, "defaultRule": {"variation": "off"}},
            "turned_off": flag,
            HOSTILE: {
                "variations": {HOSTILE: True, "off": False},
                "defaultRule": {"name": HOSTILE, "percentage": {HOSTILE: 100, "off": 0}},
                "metadata": {"description": HOSTILE, "tags": [HOSTILE], "type": HOSTILE},
                "version": HOSTILE,
            },
            "no_safe": {"variations": {"a": 1, "b": 2}, "defaultRule": {"variation": "a"}},
            "kill_switch": {**flag, "metadata": {"type": "kill-switch"}},
            # Everything at once that goes before the default rule.
            "targeted": {
                **flag,
                "defaultRule": {"variation": "off"},
                "targeting": [{"name": "pro", "query": 'plan eq "pro"', "variation": "on"}],
                "scheduledRollout": [{"date": PAST, "defaultRule": {"percentage": {"on": 40, "off": 60}}}],
                "experimentation": {"start": PAST, "end": FUTURE},
                "bucketingKey": "company",
            },
        }
        self._write(flags)

    def provider(self) -> FlagProvider:
        return make_provider(FlagsConfig(provider="goff", path=self.path))

    async def serves(self, key: str) -> float:
        flag = self._load()[key]
        return 100 * sum(_evaluate(flag, user) not in (False, 2) for user in range(USERS)) / USERS

    async def change(self, key: str, percent: float) -> None:
        data = self._load()
        data[key]["defaultRule"] = _rule(percent)
        self._write(data)

    def unreachable(self) -> FlagProvider:
        return make_provider(FlagsConfig(provider="goff", path=self.path.with_name("gone.json")))

    def _load(self) -> dict[str, Any]:
        text = self.path.read_text()
        found = json.loads(text) if self.path.suffix == ".json" else yaml.safe_load(text)
        assert isinstance(found, dict)
        return found

    def _write(self, data: object) -> None:
        dump = json.dumps if self.path.suffix == ".json" else yaml.safe_dump
        new = self.path.with_name("new")
        new.write_text(dump(json.loads(json.dumps(data))))  # a copy: without YAML aliases
        os.replace(new, self.path)


def _rule(percent: float) -> dict[str, Any]:
    if percent in (0, 100):
        return {"variation": "on" if percent else "off"}
    return {"percentage": {"on": percent, "off": 100 - percent}}


CODE = True
"""What the application's code has as its default."""


def _evaluate(flag: dict[str, Any], user: int) -> object:
    """What a user gets; every tenth is of the plan `pro`, every other one has a company."""
    rule = dict(flag["defaultRule"])
    for step in flag.get("scheduledRollout") or []:
        if step["date"] == PAST:
            rule |= step.get("defaultRule", {})
    if flag.get("bucketingKey") and user % 2:
        return CODE
    experimentation = flag.get("experimentation")
    if flag.get("disable") or (experimentation and experimentation.get("end") == PAST):
        return CODE
    for target in flag.get("targeting") or []:
        if not target.get("disable") and user % 10 == 0:
            return flag["variations"][target["variation"]]
    if rule.get("percentage"):
        bucket, at = user * sum(rule["percentage"].values()) / USERS, 0.0
        for name in sorted(rule["percentage"], reverse=True):
            at += rule["percentage"][name]
            if bucket < at:
                return flag["variations"][name]
    return flag["variations"][rule["variation"]]


HARNESSES = {
    "goff-json": lambda request, folder: GoffHarness(folder / "flags.json"),
    "goff-yaml": lambda request, folder: GoffHarness(folder / "flags.yaml"),
}
