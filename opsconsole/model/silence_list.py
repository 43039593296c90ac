"""The list of silences: which of them end soon, and which pass a filter. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matcher, format_matchers, match_all, parse_matchers
from opsconsole.model.silences import Silence
from opsconsole.text import safe

SOON = 15 * 60.0
"""Seconds before its end from which on a silence is marked: what it hides comes back."""

STATES = ("active", "pending", "expired", "ack")

_TOKEN = re.compile(r'(?:[^\s"]|"(?:\\.|[^"\\])*"?)+')
_KEY = re.compile(r"(creator|by|state):(.*)", re.DOTALL | re.IGNORECASE)

Wanted = Callable[[Silence], bool]


def ends_soon(silence: Silence, now: float) -> bool:
    """Whether it is in force and ends within `SOON`. An ack is not counted: it is short, and extended."""
    return silence.status.state == "active" and not silence.is_ack and silence.ends - now <= SOON


def compile_silences(text: str) -> Wanted:
    """A predicate from `creator:alice state:pending alertname="x"` and plain words, all of which must hold.

    `state:ack` are the acks. A matcher must be one of the silence's, or be satisfied by its equality matchers.
    Words must each occur in its creator, comment or matchers. Raises UsageError for what does not parse.
    """
    tests: list[Wanted] = []
    matchers: list[Matcher] = []
    for token in _TOKEN.findall(text):
        key = _KEY.fullmatch(token)
        if key is not None:
            tests.append(_keyed(key[1].lower(), key[2].strip('"').lower()))
        elif "=" in token or "!~" in token:
            matchers += parse_matchers(token.strip("{},"))
        elif token.strip("{},"):
            tests.append(_word(token.lower()))
    if matchers:
        tests.append(_matching(tuple(matchers)))
    return lambda silence: all(test(silence) for test in tests)


def problem_of(text: str) -> str:
    """Why a filter does not parse; "" when it does."""
    try:
        compile_silences(text)
    except UsageError as error:
        return safe(error.message, 100)
    return ""


def asks_for_expired(text: str) -> bool:
    """Whether a filter asks for expired silences, so that they are shown."""
    return "state:expired" in text.lower().split()


def is_mine(silence: Silence, user: str) -> bool:
    """Whether a user made it or has it."""
    return user in (silence.created_by, silence.owner)


def _keyed(key: str, value: str) -> Wanted:
    if key != "state":
        return lambda s: value == s.owner.lower() or s.created_by.lower().startswith(value)
    if value and not any(state.startswith(value) for state in STATES):
        raise UsageError(f"there is no state {safe(value, 20)}: {', '.join(STATES)}")
    if value == "ack":
        return lambda s: s.is_ack and s.status.state == "active"
    return lambda s: s.status.state.startswith(value)


def _word(word: str) -> Wanted:
    return lambda s: word in f"{s.created_by} {s.comment} {format_matchers(s.matchers)}".lower()


def _matching(matchers: tuple[Matcher, ...]) -> Wanted:
    def test(silence: Silence) -> bool:
        labels = {m.name: m.value for m in silence.matchers if m.is_equal and not m.is_regex}
        return all(m in silence.matchers or (m.name in labels and match_all((m,), labels)) for m in matchers)

    return test
