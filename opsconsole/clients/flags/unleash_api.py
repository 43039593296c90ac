"""Unleash's admin API: what is asked of it, and what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from opsconsole.clients.decode import decode
from opsconsole.clients.flags.http_errors import flag_error
from opsconsole.clients.flags.unleash_definition import Definition, Strategy
from opsconsole.clients.flags.unleash_log import Event
from opsconsole.clients.transport import Transport
from opsconsole.clock import Clock
from opsconsole.errors import (
    ApprovalRequired,
    FlagError,
    FlagNotFound,
    FlagRateLimited,
    OpsError,
    SourceError,
)
from opsconsole.text import SafeText, safe

T = TypeVar("T")

PAGE = 1000
"""Events in one page of the log."""

MAX_PAGES = 10
LIMIT = 64 << 20
"""Bytes of an answer that are read: a list of 10,000 flags in a few environments is some 16 MB."""

DAY = 86_400.0
_NOT_MODIFIED = 304


class Tag(msgspec.Struct, frozen=True):
    value: str
    type: str = "simple"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A flag's environment; the list of flags tells no strategies."""

    name: str
    enabled: bool
    strategies: list[Strategy] = []


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """A flag, in the list or by itself."""

    name: str
    type: str = ""
    stale: bool = False
    archived: bool = False
    environments: list[Place] = []
    tags: list[Tag] | None = None

    def place(self, environment: str) -> Place | None:
        return next((place for place in self.environments if place.name == environment), None)


class _Features(msgspec.Struct, frozen=True):
    features: list[Feature]


class _Events(msgspec.Struct, frozen=True):
    events: list[Event]


class _Named(msgspec.Struct, frozen=True):
    id: str


class _Projects(msgspec.Struct, frozen=True):
    projects: list[_Named]


_FEATURES = msgspec.json.Decoder(_Features)
_FEATURE = msgspec.json.Decoder(Feature)
_EVENTS = msgspec.json.Decoder(_Events)
_PROJECTS = msgspec.json.Decoder(_Projects)


class UnleashApi:
    """One project and environment of one Unleash. What was read is asked for by its ETag, so that an unchanged one
    is not sent again. Every method raises FlagErrors."""

    def __init__(self, transport: Transport, clock: Clock, project: str, environment: str) -> None:
        self.project, self.environment = project, environment
        self.source: SafeText = safe(f"{transport.url} {project}/{environment}", 300)
        self._transport = transport
        self._clock = clock
        self._kept: dict[object, tuple[str, object]] = {}
        self._log_from = float("-inf")
        """When the log may be asked again, on the monotonic clock, after it asked to wait."""
        self._project = f"/api/admin/projects/{quote(project, safe='')}"

    async def features(self) -> tuple[Feature, ...]:
        """The project's flags without their strategies: those that are archived are not among them. Raises
        FlagNotFound when there is no such project or environment."""
        found = await self._get(f"{self._project}/features", _FEATURES)
        here = tuple(feature for feature in found.features if feature.place(self.environment) is not None)
        if not found.features:
            await self._look_for_project()
        elif not here:
            names = sorted({place.name for feature in found.features for place in feature.environments})
            raise FlagNotFound(
                f"the project {safe(self.project, 80)} has no environment {safe(self.environment, 80)}",
                where=self.source,
                hint=f"it has {safe(', '.join(names), 200)}: see `environment` of `flags:`",
            )
        return here

    async def feature(self, key: str) -> tuple[Feature, Definition]:
        """A flag as it stands now. Raises FlagNotFound when it is not there, or archived."""
        try:
            found = await self._get(self._path(key), _FEATURE)
        except FlagNotFound:
            raise self._no_flag(key) from None
        place = found.place(self.environment)
        if place is None or found.archived:
            raise self._no_flag(key, " (it is archived)" if found.archived else "")
        return found, Definition.of(place.enabled, place.strategies)

    async def latest_events(self, number: int) -> list[Event]:
        """The last events of the project, newest first."""
        return await self._search((("limit", str(number)),))

    async def events_since(self, since: float, key: str = "") -> list[Event]:
        """The events of the project, or of one flag of it, since then (seconds since the epoch), newest first."""
        # The log is asked by day, in the time zone of the server.
        day = datetime.fromtimestamp(max(since - DAY, 0.0), UTC).strftime("%Y-%m-%d")
        asked = (("from", f"IS:{day}"), *((("feature", f"IS:{key}"),) if key else ()), ("limit", str(PAGE)))
        found: list[Event] = []
        for page in range(MAX_PAGES):
            try:
                got = await self._search((*asked, *((("offset", str(page * PAGE)),) if page else ())))
            except FlagNotFound:
                got = await self._older_log(key)
            found += got
            if len(got) != PAGE or got[-1].at < since:
                break
        else:
            raise FlagError(
                f"there are more than {MAX_PAGES * PAGE:,} events since then",
                where=self.source,
                hint="ask for a shorter time",
            )
        once = {event.id: event for event in found if event.at >= since}
        return sorted(once.values(), key=lambda event: (event.at, event.id), reverse=True)

    async def write(self, key: str, method: str, path: str, body: Mapping[str, Any] | None) -> None:
        """Change something about a flag in the environment. Sent once."""
        at = f"{self._path(key)}/environments/{quote(self.environment, safe='')}{path}"
        content = None if body is None else msgspec.json.encode(body)
        try:
            await self._transport.request(method, at, json=content)
        except SourceError as error:
            raise self._meant(error, write=True) from None

    def forget(self, keys: Sequence[str]) -> None:
        """Flags that are no longer there."""
        for key in keys:
            self._kept.pop((self._path(key), ()), None)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _search(self, asked: tuple[tuple[str, str], ...]) -> list[Event]:
        """Raises FlagRateLimited without asking while the log's own limit lasts."""
        wait = self._log_from - self._clock.monotonic()
        if wait > 0:
            limited = FlagRateLimited(
                "Unleash limits how often its log may be asked",
                where=self.source,
                hint=f"it asks to wait {wait:.0f} s more",
            )
            limited.retry_after = wait
            raise limited
        params = (("project", f"IS:{self.project}"), *asked)
        try:
            return (await self._get("/api/admin/search/events", _EVENTS, params)).events
        except FlagRateLimited as error:
            self._log_from = self._clock.monotonic() + (error.retry_after or 0.0)
            raise

    async def _older_log(self, key: str) -> list[Event]:
        """All of the log, from an Unleash that cannot search it."""
        if key:
            return (await self._get(f"/api/admin/events/{quote(key, safe='')}", _EVENTS)).events
        return (await self._get("/api/admin/events", _EVENTS, (("project", self.project),))).events

    async def _look_for_project(self) -> None:
        """A project that is not there has an empty list of flags like a new one."""
        found = await self._get("/api/admin/projects", _PROJECTS)
        names = [project.id for project in found.projects]
        if self.project not in names:
            raise FlagNotFound(
                f"there is no project {safe(self.project, 80)}",
                where=self.source,
                hint=f"see `project` of `flags:`; the projects there: {safe(', '.join(sorted(names)), 200)}",
            )

    async def _get(
        self, path: str, decoder: msgspec.json.Decoder[T], params: tuple[tuple[str, str], ...] = ()
    ) -> T:
        key = (path, tuple(pair for pair in params if pair[0] != "from"))
        etag, kept = self._kept.get(key, ("", None))
        headers = (("If-None-Match", etag),) if etag else ()
        try:
            reply = await self._transport.request("GET", path, params=params, headers=headers, limit=LIMIT)
            found = decode(decoder, reply.body, f"{self._transport.url}{safe(path, 200)}")
        except SourceError as error:
            if error.status == _NOT_MODIFIED and kept is not None:
                return kept  # type: ignore[return-value]  # one path is read by one decoder
            raise self._meant(error, write=False) from None
        told = reply.headers.get("etag", "")
        if told:
            self._kept[key] = (told, found)
        return found

    def _meant(self, error: SourceError, *, write: bool) -> OpsError:
        if error.status in (403, 409) and write and _asks_for_approval(error.body):
            return ApprovalRequired(
                f"changes of {safe(self.environment, 80)} need a change request that somebody else approves",
                where=error.where,
                hint="open it in Unleash, or give this token the permission to skip change requests",
            )
        return flag_error(error, write=write, now=self._clock.now())

    def _no_flag(self, key: str, more: str = "") -> FlagNotFound:
        return FlagNotFound(
            f"there is no flag {safe(key, 80)} in {safe(self.project, 80)}/{safe(self.environment, 80)}{more}",
            where=self.source,
            hint="is the key right, and the project and environment of `flags:`?",
        )

    def _path(self, key: str) -> str:
        return f"{self._project}/features/{quote(key, safe='')}"


def _asks_for_approval(body: bytes) -> bool:
    said = body.lower().replace(b"_", b" ")
    return b"change request" in said or b"changerequest" in said
