"""GO Feature Flag's file, JSON and YAML, evaluated by its own engine: the Go code, compiled to WebAssembly, that
its providers run in the process of an application."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from gofeatureflag_python_provider.wasm.evaluate_wasm import EvaluateWasm
from gofeatureflag_python_provider.wasm.model import WasmFlagContext, WasmInput

from opsconsole.clients.flags import make_provider
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.config.schema import FlagsConfig
from tests.contract.harness import HOSTILE, Harness, Keys

USERS = 100
PAST, FUTURE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


class GoffHarness(Harness):
    keys = Keys(hostile=HOSTILE, no_safe="no_safe", kill_switch="kill_switch", targeted="targeted")

    steps = 8

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
        return 100 * sum(_evaluate(key, flag, user) not in (False, 2) for user in range(USERS)) / USERS

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


@cache
def _engine() -> EvaluateWasm:
    made = EvaluateWasm(pool_size=1)
    made.initialize()
    return made


def _evaluate(key: str, flag: dict[str, Any], user: int) -> object:
    """What a user gets; every tenth is of the plan `pro`, every other one has a company."""
    context = {"targetingKey": f"user-{user}", "plan": "pro" if user % 10 == 0 else ""}
    company = {} if user % 2 else {"company": f"company-{user}"}
    asked = WasmInput(
        flagKey=key,
        flag=flag,
        evalContext=context | company,
        flagContext=WasmFlagContext(defaultSdkValue=CODE),
    )
    return _engine().evaluate(asked).value


HARNESSES = {
    "goff-json": lambda request, folder: GoffHarness(folder / "flags.json"),
    "goff-yaml": lambda request, folder: GoffHarness(folder / "flags.yaml"),
}
