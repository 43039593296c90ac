"""The ways in which a flag can be rolled back now, for a person to choose from."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from opsconsole.model.flagchanges import last_change, undo_words, undoable
from opsconsole.model.flags import Capabilities, Flag, FlagChange, RollbackKind
from opsconsole.text import SafeText, safe

VERSIONS = 5
"""Former versions that are offered, the newest first."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One way: `words` name it. `change` is the one that is undone, or that made the version which is reverted
    to; None for off."""

    kind: RollbackKind
    words: SafeText
    version: str = ""
    change: FlagChange | None = None


def choices(flag: Flag, changes: Sequence[FlagChange], capabilities: Capabilities) -> tuple[Choice, ...]:
    """Off, undo and the versions, as far as the provider can and it would change anything. `changes` are newest
    first."""
    found: list[Choice] = []
    last = last_change(changes, flag.key)
    if capabilities.off and not flag.off:
        words = f"off: serve {flag.safe_variant} to everyone" if flag.safe_variant else "off"
        found.append(Choice(kind=RollbackKind.OFF, words=safe(words)))
    if capabilities.undo and last is not None and not undoable(flag, last):
        found.append(Choice(kind=RollbackKind.UNDO, words=undo_words(flag, last), change=last))
    if capabilities.revert:
        found += _versions(flag, changes)
    return tuple(found)


def _versions(flag: Flag, changes: Sequence[FlagChange]) -> list[Choice]:
    own = [c for c in changes if c.key == flag.key and c.version and c.after and c.version != flag.version]
    former = [c for c in own if not c.after_hash or c.after_hash != flag.content_hash]
    return [
        Choice(
            kind=RollbackKind.REVERT,
            words=safe(f"{RollbackKind.REVERT.value} {change.version}", 80),
            version=change.version,
            change=change,
        )
        for change in former[:VERSIONS]
    ]
