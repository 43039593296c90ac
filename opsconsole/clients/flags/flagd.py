"""Flags in a flagd definition file, JSON or YAML (https://flagd.dev/reference/flag-definitions/)."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.clients.flags.base import canonical, content_hash, percent, safe_variant, tags_and_type
from opsconsole.clients.flags.document import Document, FlagNode, parse, parse_definition
from opsconsole.clients.flags.edit import (
    definition_of,
    rolled_back,
    unified_diff,
    with_definition,
    with_rollback,
)
from opsconsole.clients.flags.files import locked, modified, read_file, replace_file
from opsconsole.errors import Conflict, FlagError, FlagNotFound, Refused
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


class FlagdProvider:
    """The flags of one definition file. `safe_variants` names the variant to roll back to, by flag.

    A rollback makes the safe variant the default and clears the targeting. It never disables the flag:
    flagd then serves the default in the application's code, which may be on.
    """

    name = "flagd"
    capabilities = Capabilities(swap=Swap.ATOMIC, partial=True, dry_run=True, propagation=5.0)

    def __init__(self, path: Path, safe_variants: Mapping[str, str] | None = None) -> None:
        self.path = path
        self.source: SafeText = safe(str(path))
        self._safe_variants = dict(safe_variants or {})
        self._last: tuple[str, FlagSet] | None = None

    async def read(self) -> FlagSet:
        """All flags. `revision` is the SHA-256 of the file's bytes."""
        return await asyncio.to_thread(self._read)

    async def definition(self, key: str) -> str:
        """One flag's definition as the file has it."""
        return await asyncio.to_thread(self._definition, key)

    async def changes(self, since: float, key: str = "") -> tuple[FlagChange, ...]:
        """Nothing: a file keeps no log."""
        return ()

    async def plan_off(self, key: str) -> RollbackPlan:
        """The plan to serve the safe variant to everyone."""
        return await asyncio.to_thread(self._plan_off, key)

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
        """The plan to bring a former definition back."""
        return await asyncio.to_thread(
            self._plan_to, key, definition, kind, expected_hash=expected_hash, restore=restore, version=version
        )

    async def apply(self, plan: RollbackPlan, reason: str = "") -> str:
        """Write the plan and return the file's new revision. A file has no place for the reason."""
        return await asyncio.to_thread(self._apply, plan)

    async def aclose(self) -> None:
        """Nothing is held open."""

    def content_hash(self, definition: str) -> str:
        """The content hash of a definition as `definition` and the plans give it."""
        return content_hash(parse_definition(definition, is_yaml=self._is_yaml))

    @property
    def _is_yaml(self) -> bool:
        return self.path.suffix.lower() in {".yaml", ".yml"}

    def _read(self) -> FlagSet:
        content = read_file(self.path)
        revision = _revision(content)
        if self._last is None or self._last[0] != revision:
            document = self._parse(content)
            flags = tuple(self._flag(key, node.value) for key, node in document.flags.items())
            flagset = FlagSet(
                provider=self.name,
                source=self.source,
                revision=revision,
                flags=flags,
                modified=modified(self.path),
            )
            self._last = (revision, flagset)
        return self._last[1]

    def _definition(self, key: str) -> str:
        document = self._parse(read_file(self.path))
        self._node(document, key)
        return definition_of(document, key)

    def _plan_off(self, key: str) -> RollbackPlan:
        document = self._parse(read_file(self.path))
        flag = self._node(document, key).value
        variant = self._safe_variant(key, flag)
        name = safe(key, 80)
        if not variant:
            raise self._no_safe_variant(key, flag)
        if canonical(rolled_back(flag, variant)) == canonical(flag):
            raise Refused(f"flag {name} already serves {safe(variant, 80)} to everyone", where=self.source)
        default = flag.get("defaultVariant")
        words = [f"{name}: serve {safe(variant, 80)} to everyone"]
        if default != variant:
            words.append(f"default {safe(default or '(none)', 80)} -> {safe(variant, 80)}")
        if flag.get("targeting"):
            words.append("targeting cleared")
        if flag.get("state") == "DISABLED":
            words.append("enabled, so that the file and not the code decides")
        after = self._parse(with_rollback(document, key, variant, self.source).encode())
        return self._plan(document, after, key, RollbackKind.OFF, words)

    def _plan_to(
        self, key: str, definition: str, kind: RollbackKind, *, expected_hash: str, restore: bool, version: str
    ) -> RollbackPlan:
        document = self._parse(read_file(self.path))
        flag = self._node(document, key).value
        name = safe(key, 80)
        if expected_hash and content_hash(flag) != expected_hash:
            raise Conflict(
                f"flag {name} was changed since; what stood before is not written over that",
                where=self.source,
                hint="look at what changed, then change it where your flags are managed",
            )
        if content_hash(flag) == self.content_hash(definition):
            raise Refused(f"flag {name} already stands like that", where=self.source)
        after = self._parse(with_definition(document, key, definition, self.source).encode())
        words = f"{name}: bring back the definition from before the {'rollback' if restore else 'last change'}"
        plan = self._plan(document, after, key, kind, [words])
        return msgspec.structs.replace(plan, restore=restore, version=version)

    def _plan(
        self, before: Document, after: Document, key: str, kind: RollbackKind, words: list[str]
    ) -> RollbackPlan:
        original, replacement = definition_of(before, key), definition_of(after, key)
        return RollbackPlan(
            key=key,
            kind=kind,
            words=trusted("; ".join(words)),
            diff=unified_diff(key, original, replacement, is_yaml=before.is_yaml),
            revision=content_hash(before.flags[key].value),
            original=original,
            replacement=replacement,
        )

    def _apply(self, plan: RollbackPlan) -> str:
        with locked(self.path) as real:
            content = read_file(real)
            document = self._parse(content)
            node = document.flags.get(plan.key)
            if node is None or content_hash(node.value) != plan.revision:
                raise Conflict(
                    f"flag {safe(plan.key, 80)} changed since the plan was made; nothing was written",
                    where=self.source,
                    hint="look again, then decide again",
                )
            written = with_definition(document, plan.key, plan.replacement, self.source).encode()
            replace_file(real, content, written)
        return _revision(written)

    def _parse(self, content: bytes) -> Document:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise FlagError("the file is not UTF-8", where=f"{self.source}:{line}") from error
        return parse(text, is_yaml=self._is_yaml, where=self.source)

    def _node(self, document: Document, key: str) -> FlagNode:
        if key not in document.flags:
            raise FlagNotFound(f"there is no flag {safe(key, 80)}", where=self.source)
        return document.flags[key]

    def _safe_variant(self, key: str, flag: Mapping[str, Any]) -> str:
        return safe_variant(flag["variants"], self._safe_variants.get(key), flag.get("metadata"))

    def _is_off(self, key: str, flag: Mapping[str, Any]) -> bool:
        variant = self._safe_variant(key, flag)
        return bool(variant) and canonical(rolled_back(flag, variant)) == canonical(flag)

    def _no_safe_variant(self, key: str, flag: Mapping[str, Any]) -> Refused:
        configured = self._safe_variants.get(key)
        known = safe(", ".join(flag["variants"]), 200)
        problem = f"{safe(configured, 80)} is not one of its variants" if configured else "none is known"
        return Refused(
            f"flag {safe(key, 80)} has no safe variant to roll back to: {problem}",
            where=self.source,
            hint=f"name one of {known} under `safe_variants` or in the flag's `metadata.safeVariant`",
        )

    def _flag(self, key: str, flag: Mapping[str, Any]) -> Flag:
        enabled = flag.get("state", "ENABLED") == "ENABLED"
        default = flag.get("defaultVariant")
        targeting = bool(flag.get("targeting"))
        shares = _shares(flag) if enabled else None
        variant = self._safe_variant(key, flag)
        serves = safe(default, 80) if enabled and default is not None else trusted("the code's default")
        if not enabled:
            serves = trusted(f"{serves} (disabled)")
        elif targeting and shares is not None:
            serves = trusted(", ".join(f"{safe(name, 80)} {percent(part)}" for name, part in shares.items()))
        elif targeting:
            serves = trusted(f"{serves}, with targeting")
        tags, kind = tags_and_type(flag.get("metadata"))
        return Flag(
            key=key,
            enabled=enabled,
            default_variant=safe(default or "", 80),
            variants=tuple(safe(name, 80) for name in flag["variants"]),
            serves=serves,
            has_targeting=targeting,
            safe_variant=safe(variant, 80),
            content_hash=content_hash(flag),
            off=self._is_off(key, flag),
            rollout=None if shares is None or not variant else 100.0 - shares.get(variant, 0.0),
            tags=tags,
            type=kind,
        )


def _shares(flag: Mapping[str, Any]) -> dict[str, float] | None:
    """What per cent of the users get each variant, when the file says that in so many numbers: without targeting,
    or with nothing but a `fractional`, which may begin with what to hash and whose weights are 1 when left out."""
    targeting = flag.get("targeting") or {}
    default = flag.get("defaultVariant")
    if not targeting:
        return None if default is None else {default: 100.0}
    parts = targeting.get("fractional") if len(targeting) == 1 else None
    if not isinstance(parts, list) or not parts:
        return None
    weights: dict[str, float] = {}
    for part in parts[0 if isinstance(parts[0], list) else 1 :]:
        if not isinstance(part, list) or not 1 <= len(part) <= 2:
            return None
        if not isinstance(part[0], str) or part[0] not in flag["variants"]:
            return None
        weight = part[1] if len(part) == 2 else 1
        if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0 <= weight < math.inf:
            return None
        weights[part[0]] = weights.get(part[0], 0.0) + weight
    total = sum(weights.values())
    return {name: 100.0 * weight / total for name, weight in weights.items()} if total > 0 else None


def _revision(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
