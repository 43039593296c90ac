"""LaunchDarkly's audit log as changes of flags: who, when, and from what to what."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import Any
from urllib.parse import quote

from opsconsole.clients.flags.base import content_hash
from opsconsole.errors import FlagNotFound, FlagRateLimited
from opsconsole.model.flags import FlagChange
from opsconsole.text import SafeText, safe, trusted

PAGE = 20
"""Entries in one answer; the API gives no more."""

PAGES = 10
"""Answers that are asked for at most: 200 entries, the newest."""

DETAILS = 40
"""Entries whose before and after is asked for at most in one call: each is a request, once ever."""

Get = Callable[[str, list[tuple[str, str]]], Awaitable[dict[str, Any]]]


class AuditLog:
    """The log of one environment. `get` asks the API; `definition` gives the definition that a representation of a
    flag has, None for none; of `configured` flags it is not known which variation is the safe one. What an entry
    says never changes, so each is asked for once."""

    def __init__(
        self,
        get: Get,
        project: str,
        environment: str,
        definition: Callable[[object], str | None],
        configured: Container[str] = (),
    ) -> None:
        self._get = get
        self._project, self._environment = project, environment
        self._definition = definition
        self._configured = configured
        self._details: dict[str, tuple[str, str, str]] = {}

    async def changes(self, since: float, key: str = "") -> tuple[FlagChange, ...]:
        """The changes since then, of one flag or of all, newest first. Those that changed nothing about who gets
        what (a description, a tag) are left out as far as that is known."""
        entries = await self._entries(since, key)
        await self._look_up([str(entry.get("_id")) for entry in entries])
        found = [change for entry in entries if (change := self._change(entry)) is not None]
        kept = [one for one in found if one.key == key or not key]
        return tuple(one for one in kept if not one.before_hash or one.before_hash != one.after_hash)

    async def _entries(self, since: float, key: str) -> list[dict[str, Any]]:
        spec = f"proj/{self._project}:env/{self._environment}:flag/{key or '*'}"
        params = [("spec", spec), ("after", str(int(since * 1000))), ("limit", str(PAGE))]
        found: dict[str, dict[str, Any]] = {}
        older: list[tuple[str, str]] = []
        for _ in range(PAGES):
            items = (await self._get("/api/v2/auditlog", [*params, *older])).get("items")
            page = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
            new = {str(item.get("_id")): item for item in page if str(item.get("_id")) not in found}
            if not new:
                break
            found |= new
            # Before the millisecond after the oldest: others of the same one may be on the next page.
            older = [("before", str(min(map(_date, page)) + 1))]
            if len(page) < PAGE:
                break
        return sorted(found.values(), key=lambda item: -_date(item))

    async def _look_up(self, ids: list[str]) -> None:
        """Ask for the details of entries that are not known yet, the newest first. Beyond the rate limit the rest
        is left unknown: without them there is still who and when."""
        unknown = [one for one in ids if one not in self._details]
        try:
            for one in unknown[:DETAILS]:
                await self._look_up_one(one)
        except FlagRateLimited:
            return

    async def _look_up_one(self, entry: str) -> None:
        try:
            detail = await self._get(f"/api/v2/auditlog/{quote(entry, safe='')}", [])
        except FlagNotFound:
            detail = {}
        current = detail.get("currentVersion")
        before, after = (self._definition(detail.get(one)) or "" for one in ("previousVersion", "currentVersion"))
        self._details[entry] = (before, after, self._version(current))

    def _version(self, rep: object) -> str:
        try:
            return str(rep["environments"][self._environment]["version"])  # type: ignore[index]  # what is no mapping is caught
        except (KeyError, TypeError):
            return ""

    def _change(self, entry: Mapping[str, Any]) -> FlagChange | None:
        key = self._key(entry)
        if not key or not _date(entry):
            return None
        before, after, version = self._details.get(str(entry.get("_id")), ("", "", ""))
        return FlagChange(
            key=key,
            at=_date(entry) / 1000.0,
            summary=_summary(entry),
            who=_who(entry),
            exact=True,
            before_hash=content_hash(json.loads(before)) if before else "",
            after_hash=content_hash(json.loads(after)) if after else "",
            before=before,
            after=after,
            version=version,
            off=None if key in self._configured else _off(after),
            before_off=None if key in self._configured else _off(before),
            id=str(entry.get("_id")),
        )

    def _key(self, entry: Mapping[str, Any]) -> str:
        """The flag of this project and environment that an entry is about, "" for none."""
        target = entry.get("target")
        resources = list(target.get("resources") or ()) if isinstance(target, dict) else []
        resources += [one.get("resource") for one in entry.get("accesses") or () if isinstance(one, dict)]
        own = re.compile(
            rf"proj/{re.escape(self._project)}(?:;[^:]*)?:env/(?:{re.escape(self._environment)}|\*)(?:;[^:]*)?"
            r":flag/([^:;]+)"
        )
        matches = (own.match(one) for one in resources if isinstance(one, str))
        return next((match[1] for match in matches if match), "")


def _date(entry: Mapping[str, Any]) -> int:
    date = entry.get("date")
    return date if isinstance(date, int) else 0


def _off(definition: str) -> bool | None:
    """Whether it was off for everyone: not where an off variation is missing, and the code decides."""
    if not definition:
        return None
    found = json.loads(definition)
    return not found["on"] and found["offVariation"] is not None


def _summary(entry: Mapping[str, Any]) -> SafeText:
    words = next(
        (entry[name] for name in ("titleVerb", "shortDescription", "description") if entry.get(name)), "changed"
    )
    comment = entry.get("comment")
    said = f"{words} ({comment})" if comment else str(words)
    return safe(said, 300)


def _who(entry: Mapping[str, Any]) -> SafeText:
    member, token, app = (entry.get(name) or {} for name in ("member", "token", "app"))
    if isinstance(member, dict) and member:
        name = " ".join(str(member[part]) for part in ("firstName", "lastName") if member.get(part))
        if name or member.get("email"):
            return safe(name or str(member["email"]), 100)
    for kind, found in (("token", token), ("application", app)):
        if isinstance(found, dict) and found.get("name"):
            return safe(f"{kind} {found['name']}", 100)
    return trusted("")
