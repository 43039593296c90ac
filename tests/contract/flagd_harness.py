"""flagd's definition file, JSON and YAML, evaluated as flagd does (targeting before the default, the code's own
default, taken as on, for what is disabled)."""

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
                "metadata": {"description": HOSTILE, "tags": [HOSTILE], "type": HOSTILE},
            },
            "no_safe": {**flag, "variants": {"a": 1, "b": 2}, "defaultVariant": "a"},
            "kill_switch": {**flag, "metadata": {"type": "kill-switch", "tags": "ops,billing"}},
            "targeted": {**flag, "defaultVariant": "off", "targeting": rule},
        }
        self._write({"flags": flags})

    def provider(self) -> FlagProvider:
        return make_provider(FlagsConfig(provider="flagd", path=self.path))

    async def serves(self, key: str) -> float:
        flag = self._load()["flags"][key]
        served = [_evaluate(flag, user) for user in range(USERS)]
        return 100 * sum(value not in (False, "b") for value in served) / USERS

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
    return {"targeting": {"fractional": [["on", percent], ["off", 100 - percent]]}}


def _evaluate(flag: dict[str, Any], user: int) -> object:
    if flag["state"] == "DISABLED":
        return True
    targeting = flag.get("targeting") or {}
    variant = flag["defaultVariant"]
    if "fractional" in targeting:
        (first, weight), (second, _) = targeting["fractional"]
        variant = first if user < weight else second
    elif targeting:
        variant = targeting["if"][1] if user % 10 == 0 else targeting["if"][2]
    return flag["variants"][variant]


HARNESSES = {
    "flagd-json": lambda request, folder: FlagdHarness(folder / "flags.json"),
    "flagd-yaml": lambda request, folder: FlagdHarness(folder / "flags.yaml"),
}
