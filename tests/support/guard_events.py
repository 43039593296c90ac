"""Events of a guard, for tests."""

from __future__ import annotations

from typing import Any

import msgspec

from opsconsole.model.guard import GuardEvent
from opsconsole.text import safe, safe_block

HOSTILE = "<!channel> *b* `c` @here & \x1b]0;x\x07\r\nBcc: mallory@example.org\u202e"
"""What data may hold: mentions, markup, escapes, a line break with a header behind it."""


def an_event(**changed: Any) -> GuardEvent:
    """A rollback of a flag."""
    event = GuardEvent(
        id="ruleiq-errors-1767225600-rolled-back",
        at=1_767_225_600.0,
        kind="rolled-back",
        incident="ruleiq-errors-1767225600",
        system="ruleiq",
        context="prod",
        rule="errors",
        title=safe("Parse errors"),
        summary=safe("Parse errors were 20% for 30s; new_parser was turned off and reads back as off."),
        flag=safe("new_parser"),
        value=safe("20%"),
        bound=safe("above 5%"),
        change=safe("to 100% by ann, 4m before the onset"),
        verified=safe("read back: off in production"),
        diff=safe_block("- enabled: true\n+ enabled: false"),
        undo=safe("opsconsole flags restore --context prod new_parser"),
        labels={"alertname": "ParseErrors", "severity": "critical"},
        timeline=(safe("00:00:00 the value crossed its bound"), safe("00:00:30 confirmed")),
    )
    return msgspec.structs.replace(event, **changed)


def hostile_event() -> GuardEvent:
    """One whose every text from outside is hostile."""
    text = safe(HOSTILE)
    return an_event(
        title=text, summary=text, flag=text, system=HOSTILE, value=text, change=text, undo=text,
        diff=safe_block(f"```{HOSTILE}```\n{HOSTILE}"), labels={"job": HOSTILE}, timeline=(text,) * 200,
        incident=HOSTILE, id=f"hostile {HOSTILE}",
    )  # fmt: skip
