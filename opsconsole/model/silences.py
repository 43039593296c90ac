"""Silences, and the acks among them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

import msgspec

from opsconsole.model.alerts import EPOCH
from opsconsole.model.matchers import Matcher
from opsconsole.text import SafeText, safe, safe_block

ACK_PREFIX = "ACK!"
"""kthxbye extends silences whose comment starts with this; karma's acks start with it too."""

_ACK = re.compile(
    r"^ACK!\s*(?:(?P<user>[^:\s]+):\s*)?(?P<reason>.*?)\s*(?:\[again=(?P<again>[0-9]{1,12})\]\s*)?"
    r"(?:\[op=(?P<op>[0-9a-zA-Z_-]+)\])?\s*$",
    re.S,
)
_OP = re.compile(r"\[op=(?P<op>[0-9a-zA-Z_-]+)\]\s*$")


class SilenceStatus(msgspec.Struct, frozen=True, gc=False):
    """`state` is active, pending or expired."""

    state: str = "active"


class Silence(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """One silence of the v2 API. `cluster` is added by the client."""

    id: str = ""
    matchers: tuple[Matcher, ...]
    starts_at: datetime = EPOCH
    ends_at: datetime = EPOCH
    updated_at: datetime = EPOCH
    created_by: SafeText
    comment: SafeText
    status: SilenceStatus = SilenceStatus()
    cluster: str = ""

    @property
    def is_ack(self) -> bool:
        """Whether it is an acknowledgement: ours, karma's or anyone's that kthxbye would extend."""
        return self.comment.startswith(ACK_PREFIX)

    @property
    def ends(self) -> float:
        """When it ends, seconds since the epoch."""
        return self.ends_at.timestamp()

    @property
    def op(self) -> str:
        """The nonce of the operation that made it, or ""."""
        found = _OP.search(self.comment)
        return found["op"] if found else ""

    @property
    def again(self) -> float:
        """When its user last acknowledged it again, seconds since the epoch; 0 for never."""
        found = _ACK.match(self.comment)
        return float(found["again"]) if found and found["again"] else 0.0

    @property
    def owner(self) -> SafeText:
        """Who has it: the user in an ack's comment, else the creator."""
        found = _ACK.match(self.comment)
        return safe(found["user"], 60) if found and found["user"] else safe(self.created_by, 60)

    @property
    def reason(self) -> SafeText:
        """The comment without the ack prefix, user, time and nonce."""
        found = _ACK.match(self.comment)
        return safe(found["reason"]) if found else safe(_OP.sub("", self.comment).rstrip())


def ack_comment(user: str, reason: str, op: str, *, again: float = 0.0) -> str:
    """The comment of an ack: `ACK! <user>: <reason> [op=<nonce>]`, with `[again=<seconds>]` before the nonce
    once it was acknowledged again at that time; without a nonce when there is none."""
    when = f"[again={int(again)}] " if again else ""
    nonce = f"[op={op}]" if op else ""
    return f"{ACK_PREFIX} {user}: {reason} {when}{nonce}".rstrip()


def ack_user(user: str) -> str:
    """The user as one word, so that the comment can be read back."""
    return re.sub(r"[\s:]+", "-", safe(user, 60)).strip("-") or "unknown"


def sanitise_silence(silence: Silence) -> Silence:
    """The silence with creator and comment made safe; matchers stay raw, they are its identity."""
    return msgspec.structs.replace(
        silence, created_by=safe(silence.created_by), comment=safe_block(silence.comment)
    )


def merge_silences(replies: Iterable[Iterable[Silence]]) -> tuple[Silence, ...]:
    """One list from the members of one cluster: by id, the latest `updatedAt` wins."""
    merged: dict[str, Silence] = {}
    for reply in replies:
        for silence in reply:
            known = merged.get(silence.id)
            if known is None or silence.updated_at > known.updated_at:
                merged[silence.id] = silence
    return tuple(merged.values())
