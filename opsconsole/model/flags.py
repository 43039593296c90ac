"""Feature flags and what can be done to them."""

from __future__ import annotations

from enum import Enum

import msgspec

from opsconsole.text import SafeText, safe, trusted


class RollbackKind(Enum):
    """The three things that a rollback may mean; the screen names which."""

    OFF = "off"
    UNDO = "undo the last change"
    REVERT = "revert to version"


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """One flag. `key` is raw (its identity); `serves` says in words what users get (`on 100 %`, `off`).

    `safe_variant` is the variant that a rollback would serve, "" when the provider knows none; `content_hash`
    identifies this version of the definition.
    """

    key: str
    enabled: bool
    default_variant: SafeText
    variants: tuple[SafeText, ...] = ()
    serves: SafeText = trusted("")
    has_targeting: bool = False
    safe_variant: SafeText = trusted("")
    content_hash: str = ""

    @property
    def name(self) -> SafeText:
        return safe(self.key, 200)


class FlagSet(msgspec.Struct, frozen=True, kw_only=True):
    """All flags of one provider at one time. `revision` identifies the whole (a file's content hash);
    `modified` is when it was written, seconds since the epoch, 0 when nobody knows."""

    provider: str
    source: SafeText
    revision: str
    flags: tuple[Flag, ...]
    modified: float = 0.0

    def get(self, key: str) -> Flag | None:
        return next((flag for flag in self.flags if flag.key == key), None)


class FlagChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was seen or made. `at` is seconds since the epoch; `exact` is false when it is only
    known that it happened before `at` and after the look before. `who` is "" when nobody knows."""

    key: str
    at: float
    summary: SafeText
    who: SafeText = trusted("")
    exact: bool = False
    before_hash: str = ""
    after_hash: str = ""
    ours: bool = False


class RollbackPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollback or restore will do, before it is done. `diff` is a unified diff of the definition.

    `revision` is what must still be true when it is applied; `original` is the definition as it stands, for
    the restore; `replacement` is what will stand after.
    """

    key: str
    kind: RollbackKind
    words: SafeText
    diff: SafeText
    revision: str
    original: str
    replacement: str
    restore: bool = False
