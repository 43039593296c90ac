"""The demo's silences, with the rules of a real Alertmanager (0.25).

An update keeps its id only when the matchers are the same and, once active, the start; otherwise the old one
expires and a new one comes back. Past starts become now. Expired silences stay for `RETENTION`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import msgspec

from opsconsole.demo.times import rfc3339
from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matcher, Matchers, compile_regex, match_all, matches_everything

RETENTION = 120 * 3600.0
"""Seconds that an expired silence is kept."""

_NAMESPACE = uuid.UUID("6f0c9a1e-4b57-5d0e-9c43-0d1f5e2a7b66")


class Rejected(Exception):
    """The silence cannot be stored; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class DemoSilence(msgspec.Struct, frozen=True, kw_only=True):
    """One silence. Times are seconds since the epoch."""

    id: str = ""
    matchers: Matchers
    starts: float
    ends: float
    updated: float = 0.0
    created_by: str
    comment: str

    def state(self, now: float) -> str:
        if now < self.starts:
            return "pending"
        return "active" if now < self.ends else "expired"

    def as_json(self, now: float) -> dict[str, object]:
        """In the shape and key order of the v2 API."""
        matchers = [
            {"isEqual": m.is_equal, "isRegex": m.is_regex, "name": m.name, "value": m.value} for m in self.matchers
        ]
        return {
            "id": self.id,
            "status": {"state": self.state(now)},
            "updatedAt": rfc3339(self.updated),
            "comment": self.comment,
            "createdBy": self.created_by,
            "endsAt": rfc3339(self.ends),
            "matchers": matchers,
            "startsAt": rfc3339(self.starts),
        }


class SilenceStore:
    """All silences. Ids follow from the seed and the number of silences made."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made = 0
        self._silences: dict[str, DemoSilence] = {}

    def seed(self, silence: DemoSilence) -> str:
        """Put one in as it is, checks and clock left aside; returns its id."""
        found = msgspec.structs.replace(silence, id=self._new_id(), updated=silence.starts)
        self._silences[found.id] = found
        return found.id

    def _new_id(self) -> str:
        self._made += 1
        return str(uuid.uuid5(_NAMESPACE, f"{self._seed}:{self._made}"))

    def get(self, silence_id: str) -> DemoSilence | None:
        return self._silences.get(silence_id)

    def put(self, silence: DemoSilence, now: float) -> str:
        """Store a new silence or an update; returns the id that holds it now. Raises Rejected."""
        now = round(now, 3)
        if silence.starts >= silence.ends:
            raise Rejected(400, "Failed to create silence: start time must be before end time")
        if silence.ends < now:
            raise Rejected(400, "Failed to create silence: end time can't be in the past")
        known = self._silences.get(silence.id)
        if silence.id and known is None:
            raise Rejected(404, "silence not found")
        _validate(silence.matchers)
        if known is not None and _can_update(known, silence, now):
            starts = known.starts if known.state(now) == "active" else silence.starts
            self._silences[known.id] = msgspec.structs.replace(silence, starts=starts, updated=now)
            return known.id
        if known is not None and known.state(now) != "expired":
            self.expire(known.id, now)
        fresh = msgspec.structs.replace(silence, id=self._new_id(), starts=max(silence.starts, now), updated=now)
        self._silences[fresh.id] = fresh
        return fresh.id

    def expire(self, silence_id: str, now: float) -> None:
        """End it now; an expired one stays as it is. Raises KeyError for an unknown id."""
        now = round(now, 3)
        silence = self._silences[silence_id]
        state = silence.state(now)
        if state != "expired":
            starts = now if state == "pending" else silence.starts
            self._silences[silence_id] = msgspec.structs.replace(silence, starts=starts, ends=now, updated=now)

    def all(self, now: float) -> list[DemoSilence]:
        """Active by end, then pending by start, then expired by end, the latest first."""
        kept = {k: s for k, s in self._silences.items() if now - s.ends < RETENTION}
        self._silences = kept

        def order(silence: DemoSilence) -> tuple[int, float, str]:
            state = silence.state(now)
            if state == "active":
                return 0, silence.ends, silence.id
            return (1, silence.starts, silence.id) if state == "pending" else (2, -silence.ends, silence.id)

        return sorted(kept.values(), key=order)

    def silencing(self, labels: Mapping[str, str], now: float) -> list[str]:
        """The ids of the active silences that an alert falls under, sorted."""
        active = (s for s in self._silences.values() if s.state(now) == "active")
        return sorted(s.id for s in active if match_all(s.matchers, labels))


def _can_update(known: DemoSilence, wanted: DemoSilence, now: float) -> bool:
    if known.matchers != wanted.matchers:
        return False
    state = known.state(now)
    if state == "active":
        return int(known.starts) == int(wanted.starts) and wanted.ends >= now
    return state == "pending" and wanted.starts >= now


def _validate(matchers: Sequence[Matcher]) -> None:
    for index, matcher in enumerate(matchers):
        problem = ""
        if not matcher.name.isascii() or not matcher.name.replace(":", "_").isidentifier():
            problem = f'invalid label name "{matcher.name}"'
        elif matcher.is_regex:
            try:
                compile_regex(matcher.value)
            except UsageError:
                problem = f'invalid regular expression "{matcher.value}"'
        if problem:
            raise Rejected(400, f"silence invalid: invalid label matcher {index}: {problem}")
    if matches_everything(matchers):
        raise Rejected(400, "silence invalid: at least one matcher must not match the empty string")
