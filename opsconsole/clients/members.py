"""The shapes of Alertmanager's replies, and how those of several members become one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from opsconsole.clients.decode import known_time, own_alert
from opsconsole.errors import (
    BadQuery,
    BadReply,
    NotReady,
    Overloaded,
    SourceError,
    TimedOut,
    Unauthorised,
)
from opsconsole.model.alerts import EPOCH, Alert, AlertGroup, Receiver, merge_members
from opsconsole.model.matchers import Matcher
from opsconsole.model.rules import MemberStatus
from opsconsole.model.silences import Silence
from opsconsole.text import safe, safe_block

_TELLING = (BadQuery, Unauthorised, BadReply, NotReady, Overloaded, TimedOut)
"""The errors by how much they say: a member that answers says more than one that does not."""


def worst(errors: Iterable[SourceError]) -> SourceError:
    """The error that says most, of at least one."""
    return min(errors, key=_telling)


def _telling(error: SourceError) -> int:
    return next((i for i, kind in enumerate(_TELLING) if isinstance(error, kind)), len(_TELLING))


class SilenceId(msgspec.Struct):
    """The reply to a posted silence."""

    silence_id: str = msgspec.field(name="silenceID")


class ReceiverName(msgspec.Struct):
    name: str


class _Version(msgspec.Struct):
    version: str = ""


class _Config(msgspec.Struct):
    original: str = ""


class _Gossip(msgspec.Struct):
    status: str = ""
    peers: list[msgspec.Raw] | None = None


class Status(msgspec.Struct, rename="camel"):
    """`GET /api/v2/status`."""

    cluster: _Gossip = msgspec.field(default_factory=_Gossip)
    version_info: _Version = msgspec.field(default_factory=_Version)
    config: _Config = msgspec.field(default_factory=_Config)
    uptime: datetime = EPOCH


class _Post(msgspec.Struct, rename="camel", omit_defaults=True):
    """A silence to post. Matchers always carry `isEqual`: 0.22.0 inverted those without."""

    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str
    id: str = ""


SILENCES = msgspec.json.Decoder(tuple[Silence, ...])
SILENCE = msgspec.json.Decoder(Silence)
SILENCE_ID = msgspec.json.Decoder(SilenceId)
GROUPS: msgspec.json.Decoder[Iterable[AlertGroup]] = msgspec.json.Decoder(list[AlertGroup])
RECEIVERS = msgspec.json.Decoder(list[ReceiverName])
STATUS = msgspec.json.Decoder(Status)


def silence_body(silence: Silence) -> bytes:
    """The JSON to post. Without an `id` it makes a new silence."""
    return msgspec.json.encode(
        _Post(
            matchers=silence.matchers,
            starts_at=silence.starts_at,
            ends_at=silence.ends_at,
            created_by=silence.created_by,
            comment=silence.comment,
            id=silence.id,
        )
    )


def member_status(url: str, found: Status) -> MemberStatus:
    """A member's status in the model, every text safe."""
    return MemberStatus(
        url=url,
        version=safe(found.version_info.version, 60),
        cluster_status=safe(found.cluster.status, 40),
        peers=len(found.cluster.peers or ()),
        uptime_since=known_time(found.uptime),
        config=safe_block(found.config.original),
    )


def decoded_groups(groups: Iterable[AlertGroup], cluster: str) -> tuple[AlertGroup, ...]:
    """Freshly decoded groups with safe texts and the cluster set."""
    return tuple(
        AlertGroup(
            labels=group.labels,
            receiver=Receiver(safe(group.receiver.name)),
            alerts=tuple(own_alert(alert, cluster) for alert in group.alerts),
        )
        for group in groups
    )


def merge_groups(replies: Iterable[Iterable[AlertGroup]]) -> tuple[AlertGroup, ...]:
    """One list from the members: by receiver and group labels, the alerts merged by fingerprint."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], list[AlertGroup]] = {}
    for reply in replies:
        for group in reply:
            key = group.receiver.name, frozenset(group.labels.items())
            found.setdefault(key, []).append(group)
    return tuple(
        same[0] if len(same) == 1 else msgspec.structs.replace(same[0], alerts=_merged(same))
        for same in found.values()
    )


def _merged(groups: Iterable[AlertGroup]) -> tuple[Alert, ...]:
    return merge_members(group.alerts for group in groups)
