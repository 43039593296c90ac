"""The words for what a guard did: one place for the journal, messages, mails and pages."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime

from opsconsole.model.guard import GuardEvent
from opsconsole.text import SafeText, is_safe, safe, safe_block, trusted

MAX_BLOCK = 20_000
"""Characters of a diff that are sent."""

_WORDS = {
    "decided": "deciding to roll back{flag}",
    "rolled-back": "ROLLED BACK{flag}",
    "would-roll-back": "would roll back{flag} (dry run, nothing was written)",
    "not-rolled-back": "COULD NOT ROLL BACK{flag}",
    "ask-human": "A PERSON HAS TO DECIDE",
    "no-candidate": "NO FLAG EXPLAINS IT",
    "blind": "GUARD IS BLIND",
    "seeing-again": "guard sees again",
    "recovered": "recovered",
    "not-recovered": "NOT RECOVERED",
    "disarmed": "LEFT TO A PERSON{flag}",
    "test": "test message",
}
_WRITTEN = frozenset({"rolled-back", "recovered", "not-recovered"})

_LOOK = "Look at the flag beside its evidence: opsconsole, key 4."
_NEXT: dict[str, tuple[str, ...]] = {
    "decided": ("Nothing: what came of it is told next.",),
    "rolled-back": (
        "Watch the recovery: the guard tells whether the value came back.",
        "Tell whoever made the change; find the cause before it is turned on again: nothing does that by itself.",
    ),
    "would-roll-back": (
        "Decide whether to roll back by hand: the guard is not armed and writes nothing.",
        _LOOK,
    ),
    "not-rolled-back": ("Roll back by hand where your flags are managed, or approve the change there.", _LOOK),
    "ask-human": ("Decide which flag to roll back: the guard does not choose here.", _LOOK),
    "no-candidate": ("Look for another cause: no flag that may be touched changed shortly before the onset.",),
    "blind": (
        "Find out why there is no usable value: until then the guard protects nothing.",
        "opsconsole check tells which source does not answer.",
    ),
    "seeing-again": ("Nothing.",),
    "recovered": ("Find the cause before the flag is turned on again.",),
    "not-recovered": (
        "Look for another cause: the rollback did not help, or there is not enough data to tell.",
        _LOOK,
    ),
    "disarmed": ("Whoever changed the flag has taken over: the guard leaves it alone, and undoes nothing of it.",),
    "test": ("Nothing: somebody tried whether messages arrive here.",),
}


def headline(event: GuardEvent) -> SafeText:
    """What happened, in one line: `ROLLED BACK new_parser: Parse errors (ruleiq, prod)`."""
    flag = f" {event.flag}" if event.flag else ""
    word = _WORDS.get(event.kind, event.kind).replace("{flag}", flag)
    where = ", ".join(part for part in (event.system, event.context) if part)
    title = event.title or event.rule
    return safe(f"{word}: {title}" + (f" ({where})" if where else ""), 300)


def subject(event: GuardEvent) -> SafeText:
    """One line that all messages of an incident share, so that they are one thread."""
    return safe(f"[{event.context}] {event.system}: {event.title or event.rule}", 200)


def facts(event: GuardEvent) -> tuple[tuple[SafeText, SafeText], ...]:
    """The evidence, each with its name; what is not known is left out. One line each."""
    labels = ", ".join(f"{name}={value}" for name, value in sorted(event.labels.items()))
    rows = (
        ("Value", event.value),
        ("Bound", event.bound),
        ("Flag", event.flag),
        ("Changed", event.change),
        ("Verified", event.verified),
        ("Rule", f"{event.system}/{event.rule}" if event.rule else ""),
        ("Context", event.context),
        ("Alert", labels),
        ("Incident", event.incident),
        ("At", moment(event.at)),
    )
    return tuple((trusted(name), safe(text, 1000)) for name, text in rows if text)


def next_steps(event: GuardEvent) -> tuple[SafeText, ...]:
    """What to do next, and how to take back what was done."""
    steps = [trusted(step) for step in _NEXT.get(event.kind, ())]
    if event.undo:
        steps.append(safe(f"To undo: {event.undo}", 500))
    return tuple(steps)


def body(event: GuardEvent) -> SafeText:
    """Everything, as plain text of several lines."""
    rows = facts(event)
    width = max((len(name) for name, _ in rows), default=0)
    parts = [str(headline(event))]
    if event.summary:
        parts.append(str(event.summary))
    parts.append("\n".join(f"{name:<{width}}  {text}" for name, text in rows))
    for title, lines in (
        ("What was written" if event.kind in _WRITTEN else "What would be written", diff_lines(event)),
        ("What to do next", tuple(f"- {step}" for step in next_steps(event))),
        ("Timeline", event.timeline),
    ):
        if lines:
            parts.append("\n".join((f"{title}:", *(f"  {line}" for line in lines))))
    return safe_block("\n\n".join(parts))


def diff_lines(event: GuardEvent) -> tuple[str, ...]:
    """The lines of the diff."""
    return tuple(safe_block(event.diff, MAX_BLOCK).splitlines()) if event.diff else ()


def restore_command(context: str, key: str) -> SafeText:
    """The command that brings back what stood before a rollback, to be pasted into a shell; "" for a name that
    a command line cannot carry as it is shown."""
    if not (is_safe(key) and is_safe(context)):
        return trusted("")
    name = f"-- {shlex.quote(key)}" if key.startswith("-") else shlex.quote(key)
    return safe(f"opsconsole flags restore --context {shlex.quote(context)} {name}")


def moment(at: float) -> SafeText:
    """A time as all messages have it: their readers are in several zones."""
    return safe(datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"))
