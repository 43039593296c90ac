"""The demo's flag file: its first content, the release that turns `new_pricing` on, and what it serves."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

FLAG = "new_pricing"
FILE_NAME = "flags.flagd.json"


def _flag(default: str, owner: str, **extra: object) -> dict[str, object]:
    return {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": default,
        "targeting": {},
        "metadata": {"owner": owner, **extra},
    }


def initial_flags() -> dict[str, Any]:
    """The definitions before the release."""
    quarter = {"fractional": [{"var": "targetingKey"}, ["on", 25], ["off", 75]]}
    return flag_file(
        {
            FLAG: _flag("off", "pricing-team", release="1.4.1"),
            "dark_mode": {**_flag("off", "web-team"), "targeting": quarter},
            "bulk_export": _flag("on", "reports-team"),
            "maintenance_banner": _flag("off", "platform-on-call"),
        }
    )


def flag_file(flags: Mapping[str, object]) -> dict[str, Any]:
    """The content of a flag file with these definitions by key."""
    return {"$schema": "https://flagd.dev/schema/v0/flags.json", "flags": dict(flags)}


def released(before: Mapping[str, Any]) -> dict[str, Any]:
    """The definition that serves the flag to everyone: the first variant that means on."""
    on = next((name for name, value in (before.get("variants") or {}).items() if value), "on")
    metadata = {**(before.get("metadata") or {}), "changedBy": "release-bot"}
    return {**before, "state": "ENABLED", "defaultVariant": on, "targeting": {}, "metadata": metadata}


def write_flags(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the file at once, so that no reader ever sees half of it; its mode is kept."""
    path = path.resolve()
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    fresh = path.with_name(f".{path.name}.release-bot")
    fresh.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    fresh.chmod(mode)
    fresh.replace(path)


def release(path: Path, key: str = FLAG, before: Mapping[str, object] | None = None) -> bool:
    """What the release bot does: serve a flag (`new_pricing`) to everyone. It is left alone, and False comes
    back, when it is no longer as it was `before` (at the start) or the file cannot be read."""
    content = _read(path)
    expected = json.loads(json.dumps(before if before is not None else initial_flags()["flags"][key]))
    if content is None or content.get("flags", {}).get(key) != expected:
        return False
    after = released(expected)
    if key == FLAG:
        after["metadata"]["release"] = "1.4.2"
    content["flags"][key] = after
    write_flags(path, content)
    return True


def served_share(content: Mapping[str, Any], key: str = FLAG) -> float:
    """The share of users, 0 to 1, that get a truthy variant of the flag. Targeting wins over the default;
    a disabled flag falls back to the application's own default, which is off."""
    flag = content.get("flags", {}).get(key)
    if not isinstance(flag, dict) or flag.get("state") != "ENABLED":
        return 0.0
    variants = flag.get("variants") or {}
    targeting = flag.get("targeting")
    if targeting:
        return _targeted(targeting, variants)
    return 1.0 if variants.get(flag.get("defaultVariant")) else 0.0


def _targeted(rule: object, variants: Mapping[str, object]) -> float:
    if isinstance(rule, str):
        return 1.0 if variants.get(rule) else 0.0
    if not isinstance(rule, dict):
        return 0.0
    if isinstance(split := rule.get("fractional"), list):
        parts = [p for p in split if isinstance(p, list) and p]
        weights = [float(p[1]) if len(p) > 1 else 1.0 for p in parts]
        on = sum(w for p, w in zip(parts, weights, strict=True) if variants.get(str(p[0])))
        return on / (sum(weights) or 1.0)
    if isinstance(branches := rule.get("if"), list):
        outcomes = [*branches[1::2], *(branches[-1:] if len(branches) % 2 else [])]
        return sum(_targeted(o, variants) for o in outcomes) / (len(outcomes) or 1)
    return 0.0


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    return content if isinstance(content, dict) else None


class FlagWatch:
    """Reads what the file serves, and only when it changed. An unreadable file keeps the last answer."""

    def __init__(self, path: Path, key: str = FLAG) -> None:
        self._path = path
        self._key = key
        self._seen: tuple[int, int, int] | None = None
        self._share = 0.0

    def share(self) -> float:
        """The share of users that get the flag now."""
        try:
            stat = os.stat(self._path)
        except OSError:
            return self._share
        seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if seen != self._seen:
            content = _read(self._path)
            if content is not None:
                self._share, self._seen = served_share(content, self._key), seen
        return self._share
