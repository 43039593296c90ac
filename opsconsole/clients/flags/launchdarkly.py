"""Flags of one environment of LaunchDarkly, through its REST API (https://launchdarkly.com/docs/api)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from opsconsole.clients.flags import launchdarkly_shape as shape
from opsconsole.clients.flags.base import canonical, content_hash, rollout_of, safe_variant
from opsconsole.clients.flags.edit import unified_diff
from opsconsole.clients.flags.launchdarkly_api import Api
from opsconsole.clients.flags.launchdarkly_log import AuditLog
from opsconsole.clients.flags.launchdarkly_shape import Definition
from opsconsole.clients.transport import Transport
from opsconsole.clock import Clock
from opsconsole.errors import (
    Conflict,
    FlagError,
    FlagNotFound,
    FlagUnavailable,
    Refused,
)
from opsconsole.model.flags import (
    Capabilities,
    Flag,
    FlagChange,
    FlagSet,
    RollbackKind,
    RollbackPlan,
    Swap,
)
from opsconsole.text import SafeText, safe, trusted

PAGE = 100
"""Flags in one answer; the API gives no more."""

COMMENT = "Rolled back with opsconsole"
"""What the log says where nobody gave a reason: some environments require one."""


class LaunchDarklyProvider:
    """The flags of one project in one environment. `safe_variants` names the variation to roll back to, by flag:
    its name, its value as JSON, or its id; without, it is the flag's own off variation.

    A rollback turns the flag off, after making the safe variation the off variation where it is not: without any,
    the default in the application's code would be served. There is no precondition in the API, so the flag is read
    again right before each write.
    """

    name = "launchdarkly"
    capabilities = Capabilities(
        swap=Swap.REREAD,
        change_log=True,
        revert=True,
        partial=True,
        reason=True,
        approvals=True,
        propagation=30.0,
    )

    def __init__(
        self,
        transport: Transport,
        project: str,
        environment: str,
        *,
        clock: Clock,
        safe_variants: Mapping[str, str] | None = None,
    ) -> None:
        self.source: SafeText = safe(f"{transport.url} {project}/{environment}", 300)
        self._api = Api(transport, project, clock)
        self._project, self._environment = project, environment
        self._safe_variants = dict(safe_variants or {})
        self._log = AuditLog(self._api.get, project, environment, self._definition_or_none, self._safe_variants)

    async def read(self) -> FlagSet:
        """All flags that are not archived. `revision` is the hash of all their definitions."""
        flags: dict[str, Flag] = {}
        totals = set()
        while True:
            page = await self._page(len(flags))
            found = {flag.key: flag for flag in map(self._flag, page["items"])}
            totals.add(page.get("totalCount"))
            if len(totals) > 1 or len(found) < len(page["items"]) or not found.keys().isdisjoint(flags):
                # What came or went in between has moved the pages: a flag may be on none of them.
                raise FlagUnavailable(
                    "the list of flags changed while it was read, or its pages overlap",
                    where=self.source,
                    hint="it is read again at the next look",
                )
            flags |= found
            more = "next" in (page.get("_links") or ()) or len(flags) < (page.get("totalCount") or 0)
            if not found or not more:
                break
        revision = content_hash([(flag.key, flag.content_hash) for flag in flags.values()])
        return FlagSet(provider=self.name, source=self.source, revision=revision, flags=tuple(flags.values()))

    async def definition(self, key: str) -> str:
        """One flag's targeting in this environment, as JSON with the variations' ids."""
        return shape.text(self._definition(await self._rep(key)))

    async def changes(self, since: float, key: str = "") -> tuple[FlagChange, ...]:
        """The audit log since then, of this environment."""
        return await self._log.changes(since, key)

    async def plan_off(self, key: str) -> RollbackPlan:
        """The plan to serve the safe variation to everyone."""
        rep = await self._rep(key)
        now, names, name = self._definition(rep), shape.labels(rep), safe(key, 80)
        variant = self._safe(key, rep)
        if not variant:
            raise Refused(
                f"flag {name} has no safe variant to roll back to: it has no off variation, and off would then "
                "serve the default in the code",
                where=self.source,
                hint=f"name one of {safe(', '.join(names.values()), 200)} under `safe_variants`",
            )
        served = safe(names[variant], 80)
        wanted = {**now, "on": False, "offVariation": variant}
        if wanted == now:
            raise Refused(f"flag {name} already serves {served} to everyone", where=self.source)
        words = [f"{name}: serve {served} to everyone in {safe(self._environment, 80)}"]
        if now["offVariation"] != variant:
            words.append(f"off variation -> {served}")
        if now["on"]:
            words.append(f"targeting turned off (now {shape.serves(now, names)})")
        return self._plan(rep, wanted, RollbackKind.OFF, words)

    async def plan_to(
        self,
        key: str,
        definition: str,
        kind: RollbackKind,
        *,
        expected_hash: str = "",
        restore: bool = False,
        version: str = "",
    ) -> RollbackPlan:
        """The plan to bring a former definition back. Raises FlagUnsupported where the API has no instruction for
        it."""
        rep = await self._rep(key)
        now, name = self._definition(rep), safe(key, 80)
        if expected_hash and content_hash(now) != expected_hash:
            raise Conflict(
                f"flag {name} was changed since; what stood before is not written over that",
                where=self.source,
                hint="look at what changed, then change it where your flags are managed",
            )
        former = shape.parsed(definition)
        wanted = shape.in_place(former, now)
        if wanted == now:
            raise Refused(f"flag {name} already stands like that", where=self.source)
        shape.instructions(now, wanted)  # it has to be possible
        if kind is RollbackKind.REVERT:
            words = [f"{name}: revert to version {safe(version, 40)}"]
        else:
            words = [
                f"{name}: bring back the targeting from before the {'rollback' if restore else 'last change'}"
            ]
        if former["variations"] != now["variations"]:
            words.append("its variations were changed since and stay as they are")
        plan = self._plan(rep, wanted, kind, words)
        return msgspec.structs.replace(plan, restore=restore, version=version)

    async def apply(self, plan: RollbackPlan, reason: str = "") -> str:
        """Send the plan as one semantic patch, which is carried out as a whole or not at all. Returns "" when it
        was carried out and the flags could not be read afterwards."""
        name = safe(plan.key, 80)
        now, wanted = self._definition(await self._rep(plan.key)), shape.parsed(plan.replacement)
        if content_hash(now) != plan.revision:
            raise Conflict(
                f"flag {name} changed since the plan was made; nothing was written",
                where=self.source,
                hint="look again, then decide again",
            )
        patch = {
            "environmentKey": self._environment,
            "comment": reason or COMMENT,
            "instructions": shape.instructions(now, wanted),
        }
        await self._api.patch(plan.key, json.dumps(patch).encode())
        try:
            return (await self.read()).revision
        except FlagError:
            return ""

    def content_hash(self, definition: str) -> str:
        """The content hash of a definition as `definition` and the plans give it."""
        return content_hash(shape.parsed(definition))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def _page(self, offset: int) -> dict[str, Any]:
        """The flags from that one on, as many as one answer has."""
        params = [("env", self._environment), ("summary", "0"), ("limit", str(PAGE)), ("offset", str(offset))]
        page = await self._api.get(self._api.flag(), params)
        if not isinstance(page.get("items"), list):
            raise self._bad("it lists no `items`")
        return page

    async def _rep(self, key: str) -> dict[str, Any]:
        try:
            rep = await self._api.get(self._api.flag(key), [("env", self._environment)])
        except FlagNotFound as error:
            error.message = f"there is no flag {safe(key, 80)}: {error.message}"
            raise
        if rep.get("archived"):
            raise Refused(
                f"flag {safe(key, 80)} is archived: applications get the default in their code",
                where=self.source,
                hint="restore it in LaunchDarkly first",
            )
        return rep

    def _definition(self, rep: Mapping[str, Any]) -> Definition:
        try:
            environments = rep.get("environments")
            if isinstance(environments, dict) and self._environment not in environments:
                raise FlagNotFound(
                    f"there is no environment {safe(self._environment, 80)}",
                    where=self.source,
                    hint="`environment` of `flags:` is the key of an environment, such as production",
                )
            return shape.definition(rep, self._environment)
        except shape.NotAFlag as error:
            raise self._bad(str(error)) from None

    def _definition_or_none(self, rep: object) -> str | None:
        """The definition that an entry of the log has, None when it has none of this environment."""
        try:
            return shape.text(shape.definition(rep, self._environment)) if isinstance(rep, dict) else None
        except shape.NotAFlag:
            return None

    def _bad(self, why: str) -> FlagUnavailable:
        return FlagUnavailable(
            f"a flag is not as the API promises: {safe(why, 200)}",
            where=self.source,
            hint="is it LaunchDarkly's API at this URL?",
        )

    def _safe(self, key: str, rep: Mapping[str, Any]) -> str:
        """The id of the safe variation, "" for none."""
        variations = {found["_id"]: found for found in rep["variations"]}
        configured = self._safe_variants.get(key)
        if configured is not None:
            for one in (lambda v: v.get("name"), lambda v: canonical(v.get("value")), lambda v: v["_id"]):
                for name, found in variations.items():
                    if one(found) == configured:
                        return str(name)
            return ""
        off = shape.definition(rep, self._environment)["offVariation"]
        if off is not None:
            return str(off)
        names = shape.labels(rep)
        chosen = safe_variant({names[one]: variations[one].get("value") for one in names})
        return next((one for one, label in names.items() if label == chosen), "") if chosen else ""

    def _flag(self, rep: Mapping[str, Any]) -> Flag:
        now, names = self._definition(rep), shape.labels(rep)
        variant = self._safe(str(rep.get("key")), rep)
        if now["on"]:
            aimed = bool(now["targets"] or now["rules"])
            parts = None if aimed or now["prerequisites"] else shape.shares(now["fallthrough"])
        else:
            aimed = False
            parts = None if now["offVariation"] is None else {now["offVariation"]: 100.0}
        default = now["fallthrough"].get("variation")
        tags = rep.get("tags")
        return Flag(
            key=str(rep.get("key")),
            enabled=now["on"],
            default_variant=safe(names.get(default, ""), 80),
            variants=tuple(safe(label, 80) for label in names.values()),
            serves=shape.serves(now, names),
            has_targeting=aimed,
            safe_variant=safe(names.get(variant, ""), 80),
            content_hash=content_hash(now),
            off=bool(variant) and not now["on"] and now["offVariation"] == variant,
            rollout=rollout_of(parts, variant),
            tags=tuple(safe(str(tag), 80) for tag in tags) if isinstance(tags, list) else (),
            type=shape.kind_of(rep),
            version=str(rep["environments"][self._environment].get("version") or ""),
        )

    def _plan(
        self, rep: Mapping[str, Any], wanted: Definition, kind: RollbackKind, words: list[str]
    ) -> RollbackPlan:
        now, names, key = self._definition(rep), shape.labels(rep), str(rep["key"])
        return RollbackPlan(
            key=key,
            kind=kind,
            words=trusted("; ".join(words)),
            diff=unified_diff(key, shape.named(now, names), shape.named(wanted, names), is_yaml=False),
            revision=content_hash(now),
            original=shape.text(now),
            replacement=shape.text(wanted),
        )
