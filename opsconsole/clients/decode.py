"""From reply bodies to model types: typed by msgspec, texts made safe, damage told as BadReply."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import TypeVar

import msgspec

from opsconsole.clients.failures import bad_reply
from opsconsole.errors import BadReply
from opsconsole.model.alerts import EPOCH, Alert, sanitise
from opsconsole.text import safe
from opsconsole.turns import in_turns

T = TypeVar("T")

BIG = 64 * 1024
"""Bytes above which a body is decoded in a thread."""

_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_ALERT = msgspec.json.Decoder(Alert)
_HARMLESS_ESCAPES = (b'\\"', b"\\u0026", b"\\u003c", b"\\u003e", b"\\u0027", b"\\/")
"""Escapes that Go's encoder writes all the time and that stand for printable ASCII."""


def decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, where: str) -> T:
    """The decoded body. Raises BadReply for whatever is wrong with it."""
    try:
        return decoder.decode(body)
    except (ValueError, RecursionError, OverflowError) as error:
        raise not_understood(bytes(body), where, error) from None


def not_understood(body: bytes, where: str, error: Exception) -> BadReply:
    """The error for a 2xx reply whose body is not what the API promises."""
    start = body[:200].lstrip()
    if not start:
        return bad_reply("the reply is empty", where, "is it the right server for this URL?")
    if start[:1] == b"<":
        return bad_reply(
            "the reply is a web page, not JSON",
            where,
            "a login page or another server answers: check the URL and its path prefix",
        )
    if not isinstance(error, msgspec.ValidationError):
        reason = "is nested too deeply" if isinstance(error, RecursionError) else "is not whole, valid JSON"
        return bad_reply(f"the reply {reason}", where, "it was damaged or cut short, or is no API reply")
    reason = safe(str(error), 200)
    return bad_reply(
        f"the reply is not as the API promises: {reason}", where, "is it the right server for this URL?"
    )


async def off_loop(function: Callable[[], T], size: int) -> T:
    """The function's result, in a thread when `size` bytes are many."""
    return function() if size < BIG else await asyncio.to_thread(function)


def decode_alerts(body: bytes, cluster: str, where: str) -> list[Alert]:
    """The alerts of a `GET /api/v2/alerts` body, each with `cluster` set and its texts safe.

    First cut into one piece per alert, then decoded piece by piece: between two pieces another thread may
    run, so that 10 MB do not hold up the screen. Raises BadReply.
    """
    pieces = decode(_RAWS, body, where)
    clean = _surely_printable(body)
    alerts: list[Alert] = []
    try:
        for piece in in_turns(pieces) if len(body) >= BIG else pieces:
            alert = _ALERT.decode(piece)
            alerts.append(own_alert(alert, cluster, clean=clean))
    except (ValueError, RecursionError, OverflowError) as error:
        raise not_understood(body, where, error) from None
    return alerts


def own_alert(alert: Alert, cluster: str, *, clean: bool = False) -> Alert:
    """A freshly decoded alert with its cluster set and its texts safe; `clean` when they are known to be."""
    if not clean and not _is_printable(alert):
        alert = sanitise(alert)
    # Frozen is for its readers: nobody else has seen this object yet, and a copy of 10,000 takes 20 ms.
    msgspec.structs.force_setattr(alert, "cluster", cluster)
    return alert


def _surely_printable(body: bytes) -> bool:
    """Whether no string of a JSON body can hold an unprintable character: ASCII without DEL, and every
    backslash starts an escape for printable ASCII (each such escape has exactly one)."""
    if not body.isascii() or b"\x7f" in body:
        return False
    backslashes = body.count(b"\\")
    return backslashes == 0 or backslashes == sum(body.count(escape) for escape in _HARMLESS_ESCAPES)


def _is_printable(alert: Alert) -> bool:
    """Whether `sanitise` would surely change none of the texts; false also where that takes a closer look."""
    for name, value in alert.annotations.items():
        if not (plain(name) and (plain(value) or plain(value.replace("\n", "")))):
            return False
    return plain(alert.generator_url) and all(plain(r.name) for r in alert.receivers)


def plain(text: str) -> bool:
    """Whether `safe` surely gives the text back unchanged: printable, and without combining marks."""
    return text.isprintable() and (text.isascii() or _may_combine().search(text) is None)


@cache
def _may_combine() -> re.Pattern[str]:
    """Characters outside the blocks that are known to hold no combining mark or filler (a test looks at each).
    Compiled when the first text needs it: that takes longer than many a small reply."""
    return re.compile(
        "[^\0-\u02ff\u0370-\u0482\u048a-\u0590\u2010-\u20cf\u2100-\u2cee\u3041-\u3098\u309b-\u3163\u3165-\u9fff"
        "\uac00-\ud7a3\U0001f000-\U0001faff]"
    )


def known_time(at: datetime) -> datetime:
    """The time, with Go's zero time (year 1) as the epoch."""
    return EPOCH if at.year <= 1 else at
