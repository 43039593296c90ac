"""flagd's definition file, JSON and YAML, evaluated by flagd's own reference evaluator for Python."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from opsconsole.clients.flags import make_provider
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.config.schema import FlagsConfig
from tests.contract.harness import HOSTILE, Harness, Keys

USERS = 200


class FlagdHarness(Harness):
    keys = Keys(hostile=HOSTILE, no_safe="no_safe", kill_switch="kill_switch", targeted="targeted")

    def __init__(self, path: Path) -> None:
        self.path = path

    async def start(self) -> None:
        flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}
        evil = {HOSTILE: True, "off": False}
        rule = {"if": [{"==": [{"var": "plan"}, "pro"]}, "on", "off"]}
        flags = {
            "full": flag,
            "partial": {**flag, **_part(50)},
            "off": {**flag, "defaultVariant": "off"},
            "turned_off": flag,
            HOSTILE: {
                **flag,
                "variants": evil,
                "defaultVariant": HOSTILE,
                "metadata": {"description": HOSTILE, "tags": HOSTILE, "type": HOSTILE},
            },
            "no_safe": {**flag, "variants": {"a": 1, "b": 2}, "defaultVariant": "a"},
            "kill_switch": {**flag, "metadata": {"type": "kill-switch", "tags": "ops,billing"}},
            "targeted": {**flag, "defaultVariant": "off", "targeting": rule},
        }
        self._write({"flags": flags})

    def provider(self) -> FlagProvider:
        return make_provider(FlagsConfig(provider="flagd", path=self.path))

    async def serves(self, key: str) -> float:
        data = self._load()
        core = FlagdCore()
        core.set_flags(data)
        is_number = key == self.keys.no_safe
        ask = core.resolve_integer_value if is_number else core.resolve_boolean_value
        safe, code = (2, 0) if is_number else (False, True)
        users = (EvaluationContext(f"user-{n}", {"plan": "pro" if n % 10 == 0 else ""}) for n in range(USERS))
        return 100 * sum(ask(key, code, user).value != safe for user in users) / USERS

    async def change(self, key: str, percent: float) -> None:
        data = self._load()
        data["flags"][key] |= _part(percent)
        self._write(data)

    def unreachable(self) -> FlagProvider:
        return make_provider(FlagsConfig(provider="flagd", path=self.path.with_name("gone.json")))

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


def _part(percent: float) -> dict[str, Any]:
    if percent in (0, 100):
        return {"defaultVariant": "on" if percent else "off", "targeting": {}}
    return {"targeting": {"fractional": [["on", int(percent)], ["off", int(100 - percent)]]}}


HARNESSES = {
    "flagd-json": lambda request, folder: FlagdHarness(folder / "flags.json"),
    "flagd-yaml": lambda request, folder: FlagdHarness(folder / "flags.yaml"),
}
