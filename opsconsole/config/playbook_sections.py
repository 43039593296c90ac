"""Reading the sections of a playbook that are not panels: reviews, severities, probes, on-call turns,
escalation and the guard."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from typing import TypedDict

from opsconsole.config import playbook_keys as keys
from opsconsole.config.http import url_problem
from opsconsole.config.nodes import Kind
from opsconsole.config.panels import Ids
from opsconsole.config.reader import Section, Value, nearest
from opsconsole.model.guard import Guard, GuardRule
from opsconsole.model.oncall import SEATS, EscalationStep, OnCall, Role, Turn
from opsconsole.model.playbook import Probe
from opsconsole.model.units import UNITS
from opsconsole.text import is_safe, safe

MAX_RESPONSE = 7 * 86400.0
_HOUR, _DAY, _YEAR = 3600.0, 86400.0, 365 * 86400.0


class _Traffic(TypedDict):
    traffic: str
    min_traffic: float


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def read_date(section: Section, name: str, *, required: bool = False) -> date | None:
    """The day under a key; None when it is left out or after noting that it is not one."""
    text = section.text(name, required=required)
    try:
        if text and _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    if text:
        section.problem(f"`{safe(text, 40)}` is not a date", "write it as 2026-11-01", at=name)
    return None


def read_by_severity(root: Section, name: str) -> dict[str, float]:
    """Seconds by the word of a severity."""
    section = root.section(name, "{critical: 5m, high: 15m, warning: 1h}")
    if section is None:
        return {}
    section.only(keys.BY_SEVERITY)
    return {word: section.duration(word, 0.0, 1.0, MAX_RESPONSE) for word in keys.BY_SEVERITY if section.has(word)}


def read_severities(root: Section) -> tuple[str, ...]:
    """What severity the rules may have; none when the playbook does not say."""
    value = root.get("severities")
    if value is None:
        return ()
    found: list[str] = []
    for item in _items(value, "[critical, high, warning, info]"):
        word = item.choice(keys.SEVERITIES, "a severity")
        if word in found:
            item.problem(f"the severity {word} is here twice", "keep one")
        elif word:
            found.append(word)
    return tuple(found)


def read_probes(root: Section) -> tuple[Probe, ...]:
    """The HTTP checks."""
    names = Ids("probe", "name")
    return tuple(_probe(s, names) for s in root.sections("probes", "- {name: liveness, url: http://…}"))


def _probe(section: Section, names: Ids) -> Probe:
    renamed = {"expect": "use status", "body": "use contains", "method": "leave it out: it is always GET"}
    section.only(keys.PROBE, renamed)
    timeout = section.duration("timeout", 5.0, 0.1, 60.0)
    return Probe(
        name=names.read(section),
        url=_url(section),
        status=section.whole("status", 200, 100, 599),
        timeout=timeout,
        latency=section.duration("latency", 0.0, 0.001, timeout) if section.has("latency") else 0.0,
        contains=section.text("contains"),
    )


def _url(section: Section) -> str:
    """A URL that may have a query, unlike a server's; "" after noting a problem."""
    value = section.get("url", required=True, hint="write it as http://host:port/path")
    text = None if value is None else value.text(outside=True)
    if value is None or text is None:
        return ""
    message, hint = url_problem(text.partition("?")[0])
    if not message and (not is_safe(text) or re.search(r"\s", text)):
        message = "has characters that a URL cannot have"
    if not message and "#" in text:
        message, hint = "has a fragment", "leave out everything from the #"
    if message:
        value.problem(message, hint)
        return ""
    return text


def read_oncall(root: Section) -> OnCall | None:
    """The turns; every role that they name is one of `roles`."""
    section = root.section("oncall", "{length: 7d, starts: 2026-01-05, turns: […], roles: {…}}")
    if section is None:
        return None
    section.only(keys.ONCALL)
    roles = _roles(section)
    starts = read_date(section, "starts", required=True)
    return OnCall(
        starts=datetime(starts.year, starts.month, starts.day, tzinfo=UTC).timestamp() if starts else 0.0,
        length=section.duration("length", 7 * _DAY, _HOUR, _YEAR),
        turns=_turns(section, roles),
        roles=roles,
    )


def _roles(oncall: Section) -> dict[str, Role]:
    shape = "platform-lead: {team: platform, time_zone: Europe/Berlin}"
    oncall.get("roles", required=True, hint=shape)
    section = oncall.section("roles", shape)
    found: dict[str, Role] = {}
    for name, value in section.entries() if section is not None else ():
        body = None if value.node.is_null else value.section(shape)
        if name in SEATS:
            value.problem(f"{name} is the name of a seat", "give the role another name")
        if body is not None:
            body.only(keys.ROLE)
        found[name] = Role(
            name=name,
            team=safe(body.text("team", outside=True) if body else "", 80),
            time_zone=_time_zone(body) if body else "",
        )
    return found


def _time_zone(section: Section) -> str:
    name = section.text("time_zone")
    if not name:
        return ""
    import zoneinfo  # only here: few playbooks have it, and every start reads a playbook

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        if not known:
            return name  # a machine without the zones cannot tell
        section.problem(f"`{safe(name, 60)}` is not a time zone", _near_zone(name, known), at="time_zone")
        return ""
    return name


def _near_zone(name: str, known: Collection[str]) -> str:
    hint = nearest(name, known)
    return hint if hint.startswith("did you mean") else "an IANA name such as Europe/Berlin"


def _turns(oncall: Section, roles: Mapping[str, Role]) -> tuple[Turn, ...]:
    value = oncall.get("turns", required=True, hint="- {primary: …, secondary: …}")
    found: list[Turn] = []
    for item in _items(value, "- {primary: …, secondary: …}") if value is not None else ():
        section = item.section("- {primary: …, secondary: …}")
        if section is None:
            continue
        section.only(keys.TURN)
        taken = {seat: section.text(seat, required=seat == SEATS[0]) for seat in SEATS}
        for seat, role in taken.items():
            if role and oncall.has("roles") and role not in roles:
                section.problem(f"there is no role `{safe(role, 60)}`", nearest(role, roles), at=seat)
        found.append(Turn(**taken))
    return tuple(found)


def read_escalation(root: Section, oncall: OnCall | None) -> tuple[EscalationStep, ...]:
    """The steps, none earlier than the one before."""
    found: list[EscalationStep] = []
    for section in root.sections("escalation", "- {after: 15m, to: [secondary], action: …}"):
        section.only(keys.STEP)
        step = EscalationStep(
            after=section.duration("after", 0.0, 0.0, MAX_RESPONSE),
            to=_targets(section, oncall),
            action=safe(section.text("action", required=True, outside=True), 200),
        )
        if found and step.after < found[-1].after:
            section.problem("is earlier than the step before it", "put the steps in order of time", at="after")
        found.append(step)
    return tuple(found)


def _targets(section: Section, oncall: OnCall | None) -> tuple[str, ...]:
    value = section.get("to", required=True, hint="[primary]")
    roles = oncall.roles if oncall is not None else {}
    found: list[str] = []
    for item in _items(value, "[primary]") if value is not None else ():
        name = item.text()
        if name is None:
            continue
        if name in SEATS:
            if oncall is not None and not any(turn.role(name) for turn in oncall.turns):
                item.problem(f"no turn has a {name}", "give one in oncall.turns")
        elif name not in roles:
            text = f"`{safe(name, 60)}` is neither a seat nor a role"
            item.problem(text, nearest(name, [*SEATS, *roles]))
        found.append(name)
    return tuple(found)


def read_guard(root: Section) -> Guard | None:
    """The thresholds of a rollback, and the flags that may not be touched."""
    section = root.section("guard", "{never: […], rules: […]}")
    if section is None:
        return None
    section.only(keys.GUARD)
    value = section.get("rules", required=True, hint="- {id: …, expr: …, above: …}")
    ids = Ids("rule")
    bodies = [item.section("- {id: …, expr: …, above: …}") for item in _items(value)] if value is not None else []
    default = Guard()
    return Guard(
        rules=tuple(_guard_rule(body, ids) for body in bodies if body is not None),
        never=_flags(section, "never"),
        only=_only(section),
        kind=keys.ROLLBACKS[section.choice("kind", keys.ROLLBACKS, "off", "a kind of rollback")],
        interval=section.duration("interval", default.interval, 1.0, 300.0),
        samples=section.whole("samples", default.samples, 2, keys.MAX_SAMPLES),
        clear_ratio=_ratio(section, default.clear_ratio),
        clear_for=section.duration("clear_for", default.clear_for, 0.0, _HOUR),
        look_back=section.duration("look_back", default.look_back, 60.0, _DAY),
        max_flags=section.whole("max_flags", default.max_flags, 1, keys.MAX_FLAGS),
        max_actions=section.whole("max_actions", default.max_actions, 1, keys.MAX_ACTIONS),
        cooldown=section.duration("cooldown", default.cooldown, 60.0, 7 * _DAY),
        blind_after=section.duration("blind_after", default.blind_after, 10.0, _HOUR),
    )


def _flags(section: Section, name: str) -> tuple[str, ...]:
    value = section.get(name)
    found: list[str] = []
    for item in value.items("write it as [one, two]") if value is not None else ():
        flag = item.text()
        kind, colon, named = (flag or "").partition(":")
        if flag in found:
            item.problem(f"the flag {safe(flag, 60)} is here twice", "keep one")
        elif flag and colon and kind in ("tag", "type") and not named.strip():
            item.problem(f"names no {kind}", f"for instance {kind}:release")
        elif flag:
            found.append(flag)
    return tuple(found)


def _only(section: Section) -> tuple[str, ...]:
    """An empty list would allow every flag, where its writer means none."""
    value = section.get("only")
    if value is not None and value.node.kind is Kind.LIST and not value.node.items:
        value.problem("is empty", "name the flags that may be touched, or leave it out for all")
    return _flags(section, "only")


def _ratio(section: Section, default: float) -> float:
    ratio = section.number("clear_ratio")
    if ratio is None:
        return default
    if not 0 < ratio <= 1:
        section.problem("must be above 0 and at most 1", at="clear_ratio")
        return default
    return ratio


def _guard_rule(section: Section, ids: Ids) -> GuardRule:
    section.only(keys.GUARD_RULE)
    name = ids.read(section)
    if section.has("above") == section.has("below"):
        section.problem("needs exactly one of above and below", "for instance {id: error_rate, above: 0.05}")
    return GuardRule(
        id=name,
        title=safe(section.text("title", name, outside=True), 80),
        expr=section.text("expr", required=True, outside=True).strip(),
        above=_bound(section, "above"),
        below=_bound(section, "below"),
        hold=section.duration("for", 0.0, 0.0, _DAY),
        unit=section.choice("unit", UNITS, "none", "a unit"),
        alert=section.text("alert"),
        **_traffic(section),
    )


def _traffic(section: Section) -> _Traffic:
    """The two keys of a rule's least traffic, which go together."""
    if section.has("traffic") != section.has("min_traffic"):
        there, lacks = ("traffic", "min_traffic") if section.has("traffic") else ("min_traffic", "traffic")
        section.problem(f"does nothing without {lacks}", f"give both {there} and {lacks}", at=there)
    expr = section.text("traffic", outside=True).strip()
    return {"traffic": expr, "min_traffic": _bound(section, "min_traffic") or 0.0}


def _bound(section: Section, name: str) -> float | None:
    bound = section.number(name)
    if bound is not None and bound < 0:
        section.problem("may not be negative", at=name)
    return bound


def _items(value: Value, hint: str = "") -> list[Value]:
    """The items of a list that may not be empty."""
    items = value.items(hint)
    if value.node.kind is Kind.LIST and not items:
        value.problem("is empty", hint or "give at least one")
    return items
