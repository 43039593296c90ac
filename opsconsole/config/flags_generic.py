"""`provider: http` and `provider: exec` of a context's `flags:`: systems that are described here."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from opsconsole.config.flags_generic_calls import FIELDS, read_call, read_path, value_of
from opsconsole.config.http import (
    HTTP_KEYS,
    HTTP_SPECIAL,
    TOKEN_KEYS,
    TOKEN_SPECIAL,
    Places,
    read_http,
    read_token,
    read_url,
)
from opsconsole.config.nodes import Kind
from opsconsole.config.reader import Section
from opsconsole.config.schema import Endpoint, FlagCall, FlagsConfig, GenericSettings
from opsconsole.model.flags import Capabilities, Swap

CALLS = ("list", "get", "off", "restore", "changes")

_OWN = frozenset({"provider", "fields", "ignore", "capabilities"})
_SAFE_VARIANTS = {"safe_variants": "leave it out: `off` is what the system itself does to turn a flag off"}
_DECLARED = ("undo", "revert", "partial", "dry_run", "reason", "approvals")


def read_http_provider(section: Section, places: Places) -> FlagsConfig:
    """A system that is spoken to by HTTP. Problems are noted."""
    special = HTTP_SPECIAL | TOKEN_SPECIAL | _SAFE_VARIANTS | {"commands": "that is for `provider: exec`"}
    section.only(_OWN | {"url", "requests"} | HTTP_KEYS | TOKEN_KEYS, special)
    url = read_url(section.get("url", required=True, hint="write it as https://host"))
    http = read_http(section, places)
    if any(section.has(key) for key in TOKEN_KEYS):
        token = read_token(section, places)
        http = http if token is None else msgspec.structs.replace(http, authorization=token)
    settings = _settings(section, "requests", http=True)
    return FlagsConfig(provider="http", endpoint=Endpoint(url=url, http=http), generic=settings)


def read_exec_provider(section: Section, places: Places) -> FlagsConfig:
    """A system that is spoken to by commands. Problems are noted."""
    special = _SAFE_VARIANTS | {"requests": "that is for `provider: http`"}
    section.only(_OWN | {"commands", "timeout"}, special)
    settings = _settings(section, "commands", http=False)
    calls = {name: _placed(call, places) for name, call in settings.calls.items()}
    timeout = section.duration("timeout", 10.0, 0.1, 300.0)
    settings = msgspec.structs.replace(settings, calls=calls, timeout=timeout, folder=places.folder)
    return FlagsConfig(provider="exec", generic=settings)


def _placed(call: FlagCall, places: Places) -> FlagCall:
    """A program with a slash in its name starts at the file's folder, as all paths do; others are looked for."""
    if not call.argv or "/" not in call.argv[0]:
        return call
    program = call.argv[0]
    path = places.home / program[2:] if program.startswith("~/") else places.folder / program
    return msgspec.structs.replace(call, argv=(str(path), *call.argv[1:]))


def _settings(section: Section, name: str, *, http: bool) -> GenericSettings:
    fields, on, off = _fields(section.section("fields", "write it as {enabled: on, rollout: percent}"))
    calls: dict[str, FlagCall] = {}
    described = section.get(name, required=True, hint=f"describe at least {name}: list, and off")
    body = None if described is None else described.section("write it as {list: …, off: …}")
    if body is not None:
        body.only(CALLS)
        for call in CALLS:
            value = body.get(call, required=call == "list")
            if value is not None:
                calls[call] = read_call(value, call, http=http)
    if "off" in calls and not calls["off"].sets:
        calls["off"] = msgspec.structs.replace(calls["off"], sets={fields["enabled"]: off[0]})
    ignore = section.get("ignore")
    paths = ignore.items("write it as [updated_at]") if ignore is not None else []
    capabilities = _capabilities(section.section("capabilities", "write it as {propagation: 30s}"), calls, fields)
    return GenericSettings(
        calls=calls,
        fields=fields,
        on=on,
        off=off,
        ignore=tuple(read_path(path) for path in paths),
        capabilities=capabilities,
    )


def _fields(section: Section | None) -> tuple[Mapping[str, str], tuple[object, ...], tuple[object, ...]]:
    """The paths, and the values of `enabled` that mean on and off."""
    fields = {"key": "key", "enabled": "enabled"}
    on: tuple[object, ...] = (True,)
    off: tuple[object, ...] = (False,)
    if section is None:
        return fields, on, off
    section.only(FIELDS)
    for name in FIELDS:
        value = section.get(name)
        if value is None:
            continue
        if name == "enabled" and value.node.kind is Kind.MAP:
            body = value.section()
            if body is not None:
                body.only({"path", "on", "off"})
                path = body.get("path", required=True)
                fields[name] = "enabled" if path is None else read_path(path)
                on, off = _values(body, "on", on), _values(body, "off", off)
                both = {json.dumps(value) for value in on} & {json.dumps(value) for value in off}
                if both:
                    body.problem("is among `on` and `off`", "each value means one of them", at="off")
        else:
            fields[name] = read_path(value)
    return fields, on, off


def _values(section: Section, name: str, usual: tuple[object, ...]) -> tuple[object, ...]:
    value = section.get(name)
    if value is None:
        return usual
    found = tuple(value_of(item) for item in value.items("write it as [ACTIVE]"))
    if not found and value.node.kind is Kind.LIST:
        value.problem("names no value", "write it as [ACTIVE]")
    return found or usual


def _capabilities(
    section: Section | None, calls: Mapping[str, FlagCall], fields: Mapping[str, str]
) -> Capabilities:
    log = calls["changes"].fields if "changes" in calls else {}
    usual = Capabilities(
        swap=Swap.REREAD,
        change_log="changes" in calls,
        off="off" in calls,
        undo="restore" in calls,
        revert="restore" in calls and {"version", "after"} <= log.keys(),
        partial="rollout" in fields,
        reason=any("{reason}" in json.dumps([call.path, call.body]) for call in calls.values()),
        approvals=any(call.approval for call in calls.values()),
    )
    if section is None:
        return usual
    section.only({*_DECLARED, "swap", "propagation", "rate_limit"})
    declared = {name: section.boolean(name, getattr(usual, name)) for name in _DECLARED}
    for name, needed in (("undo", usual.undo), ("revert", usual.revert), ("partial", usual.partial)):
        if declared[name] and not needed:
            lacking = {
                "undo": "describe `restore`",
                "revert": "describe `restore`, and `changes` with the fields version and after",
                "partial": "give the path of `rollout` under `fields`",
            }
            section.problem("cannot be with this description", lacking[name], at=name)
    swap = section.choice("swap", [kind.value for kind in Swap], usual.swap.value, "a way to compare and swap")
    rate = section.number("rate_limit")
    if rate is not None and rate <= 0:
        section.problem("must be above 0: requests a minute", at="rate_limit")
        rate = None
    return msgspec.structs.replace(
        usual,
        **declared,
        swap=Swap(swap),
        propagation=section.duration("propagation", usual.propagation, 0.1),
        rate_limit=rate,
    )
