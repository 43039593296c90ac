"""The part of the Compose specification that playbooks/compose.yaml uses, as a JSON Schema.

Stricter than the specification: a key that is not here is refused, so that a slip of the pen is seen.
"""

from __future__ import annotations

from typing import Any

_NAME = "^[a-zA-Z0-9._-]+$"
_TEXTS: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
_DURATION = {"type": "string", "pattern": r"^(\d+(ms|s|m|h))+$"}


def _mapping(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _named(each: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "patternProperties": {_NAME: each}, "additionalProperties": False}


_HEALTHCHECK = _mapping(
    {
        "test": {
            "type": "array",
            "items": {"type": "string"},
            "prefixItems": [{"enum": ["NONE", "CMD", "CMD-SHELL"]}],
        },
        "interval": _DURATION,
        "timeout": _DURATION,
        "start_period": _DURATION,
        "retries": {"type": "integer", "minimum": 1},
    },
    ("test",),
)

_SERVICE = _mapping(
    {
        "image": {"type": "string"},
        "profiles": {**_TEXTS, "minItems": 1},
        "restart": {"enum": ["no", "always", "on-failure", "unless-stopped"]},
        "command": {"type": "array", "items": {"type": "string"}},
        "ports": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "volumes": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "networks": {"oneOf": [_TEXTS, _named(_mapping({"aliases": _TEXTS}))]},
        "depends_on": _TEXTS,
        "healthcheck": _HEALTHCHECK,
        "security_opt": _TEXTS,
        "pid": {"type": "string"},
        "privileged": {"type": "boolean"},
        "devices": _TEXTS,
    },
    ("image",),
)

COMPOSE: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
        "services": _named(_SERVICE),
        "networks": _named(_mapping({"name": {"type": "string"}})),
        "volumes": _named(_mapping({})),
    },
    "patternProperties": {"^x-": {}},
    "required": ["services"],
    "additionalProperties": False,
}
