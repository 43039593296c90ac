"""What an action of the registry is: the keys of one thing that can be done, and where they work."""

from __future__ import annotations

from enum import Enum

import msgspec


class Scope(Enum):
    """Where a key works. The values are the modes of the console, in the order of their keys."""

    GLOBAL = "everywhere"
    OVERVIEW = "overview"
    ALERTS = "alerts"
    SILENCES = "silences"
    FLAGS = "flags"
    INCIDENT = "incident"
    STATUS = "status"


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a key does.

    `keys` are Textual key names; `title` is the footer's word, `description` the help's line. `writes`
    marks what changes the world: read-only removes it. `footer` says whether the footer shows it, `spare` whether
    it does behind all others, where there is room.
    """

    id: str
    keys: tuple[str, ...]
    title: str
    description: str
    scopes: tuple[Scope, ...] = (Scope.GLOBAL,)
    writes: bool = False
    footer: bool = True
    spare: bool = False
