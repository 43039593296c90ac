"""What a described request or command is told, and where its answer comes from."""

from __future__ import annotations

import re
from typing import Protocol

import msgspec

from opsconsole.text import SafeText


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What the words in braces stand for. `definition` is what shall stand and `expected` what stands now, both as
    JSON; `version` is the flag's, "" when it tells none; `since` is in seconds since the epoch."""

    key: str = ""
    reason: str = ""
    who: str = ""
    definition: str = ""
    expected: str = ""
    version: str = ""
    since: str = ""


PLACEHOLDER = re.compile(r"\{([a-z]+)\}")


def filled(template: str, words: Words) -> str:
    """A text with its words in braces replaced, each once: what is put in is not looked at again."""
    return PLACEHOLDER.sub(lambda found: str(getattr(words, found[1], found[0])), template)


class Channel(Protocol):
    """Asks and tells a system that is described in the configuration. Raises FlagErrors, and Conflict."""

    source: SafeText

    async def ask(self, name: str, words: Words) -> str:
        """The text that a call of this name answers; it changes nothing."""
        ...

    async def tell(self, name: str, words: Words) -> None:
        """Carry out a call that changes something. Never sent twice."""
        ...

    async def aclose(self) -> None: ...
