"""The amtool and curl commands that do the same as an action on silences, each for a shell. Pure."""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from opsconsole.model.matchers import Matcher
from opsconsole.model.silences import Silence
from opsconsole.text import SafeText, is_safe, safe, trusted


def add_commands(draft: Silence, url: str) -> SafeText:
    """What creates the draft: amtool, then curl, its end cut to the second. For values with characters that must
    not be printed amtool gets a regular expression that matches the same."""
    options = [f"--author={draft.created_by}", f"--comment={draft.comment}"]
    if draft.status.state == "pending":
        options.append(f"--start={_rfc3339(draft.starts_at)}")
    options.append(f"--end={_rfc3339(draft.ends_at)}")
    matchers = [str(_printable(m)) for m in draft.matchers]
    new = msgspec.structs.replace(draft, id="")
    return _both([*_amtool(url), "add", *options, *matchers], _post(new, url))


def edit_commands(before: Silence, wanted: Silence, url: str) -> SafeText:
    """What changes a silence: amtool, which cannot change matchers and so expires and adds, then curl."""
    curl = _post(wanted, url)
    if frozenset(before.matchers) != frozenset(wanted.matchers):
        expired = _line([*_amtool(url), "expire", before.id])
        return trusted(f"{expired}\n{add_commands(wanted, url).splitlines()[0]}\n{_line(curl)}")
    options = [f"--end={_rfc3339(wanted.ends_at)}"]
    if before.comment != wanted.comment:
        options.append(f"--comment={wanted.comment}")
    return _both([*_amtool(url), "update", *options, before.id], curl)


def expire_commands(ids: Sequence[str], url: str) -> SafeText:
    """What expires silences: amtool for all of them, then curl for each."""
    curls = [_line([*_CURL, "--request", "DELETE", f"{url}/api/v2/silence/{quote(id, safe='')}"]) for id in ids]
    return trusted("\n".join([_line([*_amtool(url), "expire", *ids]), *curls]))


def query_commands(words: Sequence[str], url: str, matchers: Sequence[Matcher] = ()) -> SafeText:
    """What lists silences: amtool with these options and matchers, then curl, which can only choose by matchers:
    it has the expired ones too."""
    only = "&".join(f"filter={quote(str(matcher), safe='')}" for matcher in matchers)
    query = [*_amtool(url), "query", *words, *map(str, matchers)]
    return _both(query, [*_CURL, f"{url}/api/v2/silences{only and '?'}{only}"])


def import_commands(file: str, drafts: Sequence[Silence], url: str) -> SafeText:
    """What creates the silences of a file: amtool, then curl for each."""
    named = [] if file == "-" else [file]
    return trusted("\n".join([_line([*_amtool(url), "import", *named]), *(_line(_post(d, url)) for d in drafts)]))


def all_commands(silence: Silence, url: str) -> SafeText:
    """What shows, creates again, prolongs and ends a silence, with a line of words before each."""
    later = ["update", "--duration=2h", silence.id]
    parts = [
        f"# create it\n{add_commands(silence, url)}",
        f"# prolong it: to two hours from its start\n{_line([*_amtool(url), *later])}",
        f"# end it\n{expire_commands([silence.id], url)}",
    ]
    return trusted("\n\n".join(parts if silence.status.state != "expired" else parts[:1]))


def _amtool(url: str) -> list[str]:
    return ["amtool", *([f"--alertmanager.url={url}"] if url else []), "silence"]


def _post(silence: Silence, url: str) -> list[str]:
    body = {
        **({"id": silence.id} if silence.id else {}),
        "matchers": [
            {"name": m.name, "value": m.value, "isRegex": m.is_regex, "isEqual": m.is_equal}
            for m in silence.matchers
        ],
        "startsAt": _rfc3339(silence.starts_at),
        "endsAt": _rfc3339(silence.ends_at),
        "createdBy": silence.created_by,
        "comment": silence.comment,
    }
    # JSON escapes all but ASCII, and DEL is the only one of it that a terminal might obey.
    data = json.dumps(body).replace("\x7f", "\\u007f")
    header = "Content-Type: application/json"
    return [*_CURL, "--header", header, "--data-raw", data, f"{url}/api/v2/silences"]


_CURL = ("curl", "--fail", "--silent", "--show-error", "--globoff")


def _both(amtool: Sequence[str], curl: Sequence[str]) -> SafeText:
    return trusted(f"{_line(amtool)}\n{_line(curl)}")


def _line(words: Sequence[str]) -> SafeText:
    line = " ".join(shlex.quote(word) for word in words)
    if not is_safe(line.replace("\n", "")):
        return safe(f"# {words[0]}: it has a name with characters that must not be printed")
    return trusted(line)


def _rfc3339(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _printable(matcher: Matcher) -> Matcher:
    if not matcher.is_regex:
        return typable(matcher)
    if is_safe(matcher.value.replace("\n", "")) or "\\Q" in matcher.value:
        return matcher
    pattern = _ESCAPED.sub(lambda found: _shown(found.group()), matcher.value)
    return Matcher(matcher.name, pattern, is_regex=True, is_equal=matcher.is_equal)


_ESCAPED = re.compile(r"\\?.", re.DOTALL)


def _shown(char: str) -> str:
    """One character of a pattern, with the backslash before it if there is one."""
    return char if is_safe(char.replace("\n", "")) else f"\\x{{{ord(char[-1]):x}}}"


def typable(matcher: Matcher) -> Matcher:
    """A matcher that matches the same and can be shown and edited in a field: a value with characters that
    cannot (control characters, line separators, invisible ones) as a regular expression that names them."""
    if matcher.is_regex or is_safe(matcher.value.replace("\n", "")):
        return matcher
    pattern = "".join(_named(char) for char in matcher.value)
    return Matcher(matcher.name, pattern, is_regex=True, is_equal=matcher.is_equal)


def _named(char: str) -> str:
    if not is_safe(char) or unicodedata.category(char) in ("Mn", "Me"):
        return f"\\x{{{ord(char):x}}}"
    return f"\\{char}" if char.isascii() and not char.isalnum() and char not in " _" else char
