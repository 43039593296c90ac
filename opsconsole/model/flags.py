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


class Swap(Enum):
    """How a provider makes sure that nobody changed a flag between the look and the write."""

    ATOMIC = "atomic"  # compared and written in one step: a lock, a script, a precondition
    VERSION = "version"  # the provider refuses a write to another version than the one that was read
    REREAD = "re-read"  # read again right before the write: a race within that time is only seen afterwards


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a flag provider can do. `change_log` says that it tells changes itself, with who made them;
    `undo` that a former definition can be written back, `revert` that its log numbers versions, `partial` that a
    flag can be on for a part of the users, which `Flag.rollout` tells; `dry_run` that a plan tells to the letter
    what will stand; `reason` that its log keeps one; `approvals` that somebody else may have to approve a change.

    `propagation` is after how many seconds at most an application that asks usually serves a change;
    `rate_limit` how many requests a minute it takes, None when it has no limit that is known.
    """

    swap: Swap
    change_log: bool = False
    off: bool = True
    undo: bool = True
    revert: bool = False
    partial: bool = False
    dry_run: bool = False
    reason: bool = False
    approvals: bool = False
    propagation: float = 10.0
    rate_limit: float | None = None

    def words(self) -> SafeText:
        """`off, undo, revert; own log of changes; a write is checked: atomic; served within 10 s`."""
        can = {
            "off": self.off,
            "undo": self.undo,
            "revert": self.revert,
            "a part of the users": self.partial,
            "exact plan": self.dry_run,
            "reason kept": self.reason,
        }
        told = [
            ", ".join(word for word, can_it in can.items() if can_it),
            "own log of changes" if self.change_log else "no log of its own: the journal is",
            f"a write is checked: {self.swap.value}",
            f"served within {self.propagation:g} s",
        ]
        if self.approvals:
            told.append("may need an approval")
        if self.rate_limit is not None:
            told.append(f"{self.rate_limit:g} requests a minute")
        return safe("; ".join(told), 300)


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """One flag. `key` is raw (its identity); `serves` says in words what users get (`on 100 %`, `off`).

    `safe_variant` is the variant that a rollback would serve, "" when the provider knows none; `content_hash`
    identifies this version of the definition. `off` says that everyone gets the safe variant, so that turning it
    off would change nothing. `rollout` is the percentage of users who get something else, None when that is not
    one number. `tags` and `type` (`release`, `kill-switch`, `permission`, …) are the provider's own; `version` is
    the number that its log gives this definition, "" for none. `definition` is as the provider's `definition`
    gives it, from providers that read it anyway and keep no log, "" from others.
    """

    key: str
    enabled: bool
    default_variant: SafeText
    variants: tuple[SafeText, ...] = ()
    serves: SafeText = trusted("")
    has_targeting: bool = False
    safe_variant: SafeText = trusted("")
    content_hash: str = ""
    off: bool = False
    rollout: float | None = None
    tags: tuple[SafeText, ...] = ()
    type: SafeText = trusted("")
    version: str = ""
    definition: str = ""

    @property
    def name(self) -> SafeText:
        return safe(self.key, 200)


class FlagSet(msgspec.Struct, frozen=True, kw_only=True):
    """All flags of one provider at one time. `revision` identifies the whole (a file's content hash);
    `modified` is when it was written, seconds since the epoch, 0 when nobody knows. `capabilities` are what the
    provider can do, None when nobody said."""

    provider: str
    source: SafeText
    revision: str
    flags: tuple[Flag, ...]
    modified: float = 0.0
    capabilities: Capabilities | None = None

    def get(self, key: str) -> Flag | None:
        return next((flag for flag in self.flags if flag.key == key), None)


class FlagChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was seen or made. `at` is seconds since the epoch; `exact` is false when it is only
    known that it happened before `at` and after the look before, which was at `earliest`, None when that is not
    known either. `who` is "" when nobody knows.

    `before` and `after` are the definitions as the provider's `definition` gives them, "" when not known (or
    the flag was not there). `version` is the number of what stands after it, "" when the provider has none.
    `off` says that what stood after it served the safe variant to everyone, `before_off` that what stood before
    did, None when not known. `served` says in words what users got before it, "" when not known. `id` is the
    provider's own number of this change, "" when our journal is its only record."""

    key: str
    at: float
    summary: SafeText
    who: SafeText = trusted("")
    exact: bool = False
    earliest: float | None = None
    before_hash: str = ""
    after_hash: str = ""
    ours: bool = False
    before: str = ""
    after: str = ""
    version: str = ""
    off: bool | None = None
    before_off: bool | None = None
    served: SafeText = trusted("")
    id: str = ""


class RollbackPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollback or restore will do, before it is done. `diff` is a unified diff of the definition.

    `revision` is what must still be true when it is applied; `original` is the definition as it stands, for
    the restore; `replacement` is what will stand after. `version` is the one that a revert goes back to.
    """

    key: str
    kind: RollbackKind
    words: SafeText
    diff: SafeText
    revision: str
    original: str
    replacement: str
    restore: bool = False
    version: str = ""
