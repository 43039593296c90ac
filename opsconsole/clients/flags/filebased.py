"""Flags in a definition file, JSON or YAML: one engine, whatever the flags in it look like."""

from __future__ import annotations

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.clients.flags.base import canonical, content_hash, safe_variant
from opsconsole.clients.flags.document import Document, FlagNode, Format, parse, parse_definition
from opsconsole.clients.flags.edit import definition_of, unified_diff, with_definition, with_fields
from opsconsole.clients.flags.files import locked, modified, read_file, replace_file
from opsconsole.errors import Conflict, FlagError, FlagNotFound, Refused
from opsconsole.model.flags import Capabilities, Flag, FlagChange, FlagSet, RollbackKind, RollbackPlan
from opsconsole.text import SafeText, safe, trusted


class FileProvider(ABC):
    """The flags of one file. `safe_variants` names the variant to roll back to, by flag.

    A subclass says what a flag of its format means. Nothing is ever written but by replacing the file as a whole,
    under its lock, when the flag is still the one that the plan was made for.
    """

    name: str
    capabilities: Capabilities
    format: Format
    variants_field: str

    def __init__(self, path: Path, safe_variants: Mapping[str, str] | None = None) -> None:
        self.path = path
        self.source: SafeText = safe(str(path))
        self._safe_variants = dict(safe_variants or {})
        self._last: tuple[str, FlagSet] | None = None

    @abstractmethod
    def flag(self, key: str, flag: Mapping[str, Any], variant: str) -> Flag:
        """What the file says of one flag; `variant` is the safe one, "" for none. What is the same in every
        format is filled in after: `safe_variant`, `content_hash`, `off`."""

    @abstractmethod
    def rolled_back(self, flag: Mapping[str, Any], variant: str) -> dict[str, Any]:
        """The definition, with all the fields that there are, that serves `variant` to everyone at any time."""

    @abstractmethod
    def rollback_words(self, flag: Mapping[str, Any], variant: str) -> list[str]:
        """What a rollback to `variant` changes, in a few words each."""

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

    async def aclose(self) -> None:  # noqa: B027 - there is nothing to do for any format
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
            flags = tuple(self._told(document, key) for key in document.flags)
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
        wanted = self.rolled_back(flag, variant)
        if canonical(wanted) == canonical(flag):
            raise Refused(f"flag {name} already serves {safe(variant, 80)} to everyone", where=self.source)
        words = [f"{name}: serve {safe(variant, 80)} to everyone", *self.rollback_words(flag, variant)]
        after = with_fields(document, key, wanted, self.source)
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
        after = with_definition(document, key, definition, self.source)
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
            written = with_definition(document, plan.key, plan.replacement, self.source).text.encode()
            replace_file(real, content, written)
        return _revision(written)

    def _parse(self, content: bytes) -> Document:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise FlagError("the file is not UTF-8", where=f"{self.source}:{line}") from error
        return parse(text, is_yaml=self._is_yaml, where=self.source, format=self.format)

    def _node(self, document: Document, key: str) -> FlagNode:
        if key not in document.flags:
            raise FlagNotFound(f"there is no flag {safe(key, 80)}", where=self.source)
        return document.flags[key]

    def _safe_variant(self, key: str, flag: Mapping[str, Any]) -> str:
        return safe_variant(flag[self.variants_field], self._safe_variants.get(key), flag.get("metadata"))

    def _told(self, document: Document, key: str) -> Flag:
        flag = document.flags[key].value
        variant = self._safe_variant(key, flag)
        return msgspec.structs.replace(
            self.flag(key, flag, variant),
            safe_variant=safe(variant, 80),
            content_hash=content_hash(flag),
            off=bool(variant) and canonical(self.rolled_back(flag, variant)) == canonical(flag),
            definition=definition_of(document, key),
        )

    def _no_safe_variant(self, key: str, flag: Mapping[str, Any]) -> Refused:
        configured = self._safe_variants.get(key)
        known = safe(", ".join(flag[self.variants_field]), 200)
        problem = f"{safe(configured, 80)} is not one of its variants" if configured else "none is known"
        return Refused(
            f"flag {safe(key, 80)} has no safe variant to roll back to: {problem}",
            where=self.source,
            hint=f"name one of {known} under `safe_variants` or in the flag's `metadata.safeVariant`",
        )


def _revision(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
