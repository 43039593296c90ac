"""What changed in the flags and when: our own record, for providers that keep none."""

from __future__ import annotations

from opsconsole.actions.base import Desk
from opsconsole.errors import JournalError
from opsconsole.model.flags import Flag, FlagChange, FlagSet
from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.text import SafeText, safe, trusted

BASELINE = "flag-baseline"
CHANGE = "flag-change"

_LOOK_BACK = 5000
_INTENTS = 50
_LONGEST = 32_768
_ALL_LONGEST = 262_144
"""Characters of a definition, and of all of a baseline, that are journalled: longer ones cannot be undone to."""

_REASON = 200
"""Characters of a rollback's reason that are told with the change."""


class FlagWatch:
    """Journals a flag whose content hash differs from the last one journalled, by any console.

    The first look at a source journals one baseline and no change.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._sources: dict[str, _Known] = {}
        self.problem: SafeText = trusted("")
        """Why the last look could not be journalled, or ""."""

    def observe(self, flagset: FlagSet) -> None:
        """Journal what changed since the last look. Never raises: a journal that cannot be written is named
        in `problem`, and the same change is tried again at the next look."""
        hashes = {flag.key: flag.content_hash for flag in flagset.flags}
        known = self._sources.get(flagset.source)
        now = self._desk.clock.now()
        if known is not None and known.begun and known.hashes == hashes:
            known.looked = now
            known.stand = {flag.key: (flag.content_hash, flag.definition) for flag in flagset.flags}
            return
        try:
            known = self._catch_up(flagset.source, known)
            if not known.begun:
                serves = {flag.key: flag.serves for flag in flagset.flags}
                detail = {
                    "hashes": hashes,
                    "all_serve": serves,
                    "all_off": {flag.key: flag.off for flag in flagset.flags},
                    "definitions": _definitions(flagset),
                    **_at(flagset),
                }
                known.take(self._record(BASELINE, flagset.source, "first look at the flags", detail))
            earliest = min(known.looked, now)
            for key in sorted({*known.hashes, *hashes}):
                if known.hashes.get(key) != hashes.get(key):
                    self._changed(flagset, key, known, earliest)
        except JournalError as error:
            self.problem = safe(f"flag changes are not journalled: {error}")
            return
        known.looked = now
        known.stand = {flag.key: (flag.content_hash, flag.definition) for flag in flagset.flags}
        self.problem = trusted("")

    def changes(self) -> tuple[FlagChange, ...]:
        """The changes of the sources that were looked at, newest first."""
        found = [change for known in self._sources.values() for change in known.changes]
        found.sort(key=lambda change: change.at)
        return tuple(found[::-1])

    def since(self) -> float:
        """Since when every change is known, seconds since the epoch; now before the first look."""
        now = self._desk.clock.now()
        return max((known.first for known in self._sources.values() if known.begun), default=now)

    def _catch_up(self, source: str, known: _Known | None) -> _Known:
        """What the journal says, with what other consoles have written since the last look."""
        known = known or self._sources.setdefault(source, _Known())
        context = self._desk.context
        entries: list[Entry] = []
        for action in (BASELINE, CHANGE):
            entries += self._desk.journal.entries(_LOOK_BACK, action=action, context=context, after=known.seq)
        for entry in sorted(entries, key=lambda e: e.seq):
            if entry.detail.get("source") == source:
                known.take(entry)
        return known

    def _changed(self, flagset: FlagSet, key: str, known: _Known, earliest: float) -> None:
        before, flag = known.hashes.get(key, ""), flagset.get(key)
        after = flag.content_hash if flag is not None else ""
        ours = self._ours(key, after, flagset.source, known.since(key))
        detail = {
            "key": key,
            "before_hash": before,
            "after_hash": after,
            "ours": ours is not None,
            "earliest": earliest,
            "who": ours.user if ours is not None else "",
            "serves": flag.serves if flag is not None else "",
            "served": known.serves.get(key, ""),
            "off": flag.off if flag is not None else None,
            "before_off": known.off.get(key),
            "before": _kept(known.definition(key, before)),
            "after": _kept(flag.definition) if flag is not None else "",
            **_at(flagset),
        }
        words = _words(flag, before, known.serves.get(key, ""), ours)
        known.take(self._record(CHANGE, key, words, detail))

    def _ours(self, key: str, after: str, source: str, since: int) -> Entry | None:
        """The intent that this change carries out, when it is a console's own: one written after `since`."""
        for action in ("rollback", "restore", "undo"):
            for entry in self._desk.journal.entries(
                _INTENTS, action=action, context=self._desk.context, after=since
            ):
                same = entry.detail.get("key") == key and entry.detail.get("source") == source
                if same and entry.phase is Phase.INTENT and entry.detail.get("after_hash") == after:
                    return entry
        return None

    def _record(self, action: str, subject: str, words: str, detail: dict[str, object]) -> Entry:
        desk = self._desk
        return desk.journal.record(
            desk.nonce(), Phase.OBSERVED, action, subject, desk.user, desk.context, Result.DONE, words, detail
        )


class _Known:
    """What is known of one source: whether a baseline was journalled, hashes by flag, changes. `looked` is when
    the flags were last seen to stand like that, by this process or by one that journalled it."""

    def __init__(self) -> None:
        self.begun = False
        self.seq = 0
        self.looked = 0.0
        self.first = float("inf")
        self.hashes: dict[str, str] = {}
        self.serves: dict[str, str] = {}
        self.off: dict[str, bool] = {}
        self.stand: dict[str, tuple[str, str]] = {}
        self.changes: list[FlagChange] = []
        self._changed: dict[str, int] = {}
        self._baseline = 0
        self._journalled: dict[str, str] = {}

    def definition(self, key: str, content_hash: str) -> str:
        """The definition of a flag as it last stood, with that hash; "" when it is not known."""
        seen, definition = self.stand.get(key, ("", ""))
        if definition and seen == content_hash:
            return definition
        return self._journalled.get(key, "") if self.hashes.get(key) == content_hash else ""

    def since(self, key: str) -> int:
        """The seq of the entry that told of a flag's present definition."""
        return self._changed.get(key, self._baseline)

    def take(self, entry: Entry) -> None:
        detail = entry.detail
        self.seq = max(self.seq, entry.seq)
        self.looked = max(self.looked, entry.at)
        self.first = min(self.first, entry.at)
        self.begun = True
        if entry.action == BASELINE:
            self._baseline = entry.seq
            hashes = detail.get("hashes")
            self.hashes = {str(k): str(v) for k, v in hashes.items()} if isinstance(hashes, dict) else {}
            definitions = detail.get("definitions")
            if isinstance(definitions, dict):
                self._journalled = {str(k): str(v) for k, v in definitions.items()}
        else:
            self._take_change(entry)
        serves, off = detail.get("all_serve"), detail.get("all_off")
        if isinstance(serves, dict):
            self.serves = {str(k): str(v) for k, v in serves.items()}
        if isinstance(off, dict):
            self.off = {str(k): v for k, v in off.items() if isinstance(v, bool)}

    def _take_change(self, entry: Entry) -> None:
        detail = entry.detail
        key, after = str(detail.get("key", "")), str(detail.get("after_hash", ""))
        if self.hashes.get(key, "") == after:
            return  # two consoles saw the same change
        self._changed[key] = entry.seq
        for known in (self.hashes, self.serves, self.off, self._journalled):
            known.pop(key, None)
        earliest = detail.get("earliest")
        off, before_off = (_known(detail.get(name)) for name in ("off", "before_off"))
        if after:
            self.hashes[key] = after
            self.serves[key] = str(detail.get("serves", ""))
            self._journalled[key] = str(detail.get("after", ""))
            if off is not None:
                self.off[key] = off
        self.changes.append(
            FlagChange(
                key=key,
                at=entry.at,
                summary=safe(entry.message),
                who=safe(str(detail.get("who", ""))),
                exact=bool(detail.get("ours")),
                earliest=float(earliest) if isinstance(earliest, int | float) else None,
                before_hash=str(detail.get("before_hash", "")),
                after_hash=after,
                ours=bool(detail.get("ours")),
                before=str(detail.get("before", "")),
                after=str(detail.get("after", "")),
                off=off,
                before_off=before_off,
                served=safe(str(detail.get("served", "")), 200),
            )
        )


def _known(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _kept(definition: str) -> str:
    return definition if len(definition) <= _LONGEST else ""


def _definitions(flagset: FlagSet) -> dict[str, str]:
    """As many definitions as may be journalled at once, the shortest first."""
    found: dict[str, str] = {}
    room = _ALL_LONGEST
    for flag in sorted(flagset.flags, key=lambda flag: len(flag.definition)):
        room -= len(flag.definition)
        if room < 0 or len(flag.definition) > _LONGEST:
            break
        if flag.definition:
            found[flag.key] = flag.definition
    return found


def _at(flagset: FlagSet) -> dict[str, object]:
    return {"source": flagset.source, "provider": flagset.provider, "revision": flagset.revision}


def _words(flag: Flag | None, before: str, served: str, ours: Entry | None) -> str:
    if flag is None:
        return "removed"
    if not before:
        return f"new: serves {flag.serves}"
    by = {"rollback": "rolled back: ", "restore": "restored: ", "undo": "restored: "}
    prefix = by.get(ours.action, "") if ours is not None else ""
    reason = safe(str(ours.detail.get("reason") or ""), _REASON) if ours is not None else ""
    suffix = f" ({reason})" if reason else ""
    if served and served != flag.serves:
        return f"{prefix}{served} -> {flag.serves}{suffix}"
    return f"{prefix}definition changed, serves {flag.serves}{suffix}"
