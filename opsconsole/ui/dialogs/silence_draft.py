"""From the words of the silence form to a silence. Pure."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

import msgspec

from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matcher, Matchers, parse_matchers
from opsconsole.model.radius import refuse_everything
from opsconsole.model.silences import Silence
from opsconsole.render.times import parse_until
from opsconsole.text import SafeText, safe, safe_block


class Words(msgspec.Struct, frozen=True):
    """What stands in the form."""

    matchers: str
    until: str
    comment: str


@lru_cache(maxsize=8)
def matchers_of(text: str) -> Matchers:
    """The matchers of a text, one or several a line. Raises UsageError that names the line."""
    found: list[Matcher] = []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        try:
            found += parse_matchers(line.strip().rstrip(","))
        except UsageError as error:
            where = f"line {number}: " if len(lines) > 1 else ""
            raise UsageError(f"{where}{error.message}", hint=error.hint) from None
    if not found:
        raise UsageError("no matchers: it would hide everything, and Alertmanager refuses it")
    return tuple(dict.fromkeys(found))


def draft_of(words: Words, *, cluster: str, user: str, now: float, zone: tzinfo) -> Silence:
    """The silence that the words ask for. Raises UsageError for the first thing that is wrong, also for
    matchers that are as good as on everything."""
    matchers = matchers_of(words.matchers)
    refuse_everything(matchers)
    until = parse_until(words.until, now, zone)
    comment = words.comment.strip()
    if not comment:
        raise UsageError("a comment is required: why, and until what")
    return Silence(
        matchers=matchers,
        starts_at=datetime.fromtimestamp(now, UTC),
        ends_at=datetime.fromtimestamp(until, UTC),
        created_by=safe(user),
        comment=safe_block(comment),
        cluster=cluster,
    )


def amtool_line(draft: Silence, url: str = "") -> SafeText:
    """The amtool command that does the same."""
    parts = ["amtool", "silence", "add"]
    if url:
        parts.append(f"--alertmanager.url={url}")
    parts += [f"--author={draft.created_by}", f"--comment={draft.comment}"]
    parts.append(f"--end={draft.ends_at:%Y-%m-%dT%H:%M:%SZ}")
    parts += [str(matcher) for matcher in draft.matchers]
    return safe(" ".join(shlex.quote(part) for part in parts), 4000)
