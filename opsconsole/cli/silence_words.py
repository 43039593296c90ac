"""Matchers as amtool's arguments give them, and the amtool and curl commands that do the same as ours. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from urllib.parse import quote

from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matcher, Matchers, parse_matcher, parse_matchers
from opsconsole.model.silences import Silence
from opsconsole.text import SafeText, is_safe, safe, trusted
from opsconsole.ui.dialogs.silence_draft import typable

_SECOND = re.compile(r",\s*[a-zA-Z_:][a-zA-Z0-9_:]*\s*(?:=|!=|!~)")
_HINT = "write each as one argument, such as severity=critical 'job=~\"api.*\"'"


def matchers_of(arguments: Sequence[str]) -> Matchers:
    """Each argument is one matcher, as amtool reads it; a first one without an operator is an alertname.

    Several between commas or in braces are taken too when their values are quoted. Raises UsageError, also for
    what amtool would take for one value and a person for two matchers.
    """
    found: list[Matcher] = []
    for place, text in enumerate(arguments):
        if not text.strip():
            raise UsageError("an argument is empty", hint=_HINT)
        if place == 0 and "=" not in text and "!~" not in text:
            found.append(parse_matcher(f"alertname={text}", utf8=False))
        else:
            found += _read(text)
    return tuple(dict.fromkeys(found))


def _read(text: str) -> Matchers:
    try:
        # The classic grammar first, as amtool does: a regular expression may end in a brace.
        matcher = parse_matcher(text, utf8=False)
    except UsageError:
        return parse_matchers(text)
    if '"' not in text and _SECOND.search(matcher.value):
        raise UsageError(
            f"{safe(text, 80)} is one matcher to amtool, with a comma in its value",
            hint=f'{_HINT}; if one is meant, quote its value: {safe(matcher.name, 40)}="…"',
        )
    return (matcher,)


def add_commands(draft: Silence, url: str) -> SafeText:
    """What creates the draft: amtool, then curl, each for a shell, its end cut to the second. For values with
    characters that must not be printed amtool gets a regular expression that matches the same."""
    options = [f"--author={draft.created_by}", f"--comment={draft.comment}", f"--end={_rfc3339(draft)}"]
    matchers = [str(_printable(m)) for m in draft.matchers]
    body = {
        "matchers": [
            {"name": m.name, "value": m.value, "isRegex": m.is_regex, "isEqual": m.is_equal}
            for m in draft.matchers
        ],
        "startsAt": f"{draft.starts_at:%Y-%m-%dT%H:%M:%SZ}",
        "endsAt": _rfc3339(draft),
        "createdBy": draft.created_by,
        "comment": draft.comment,
    }
    # JSON escapes all but ASCII, and DEL is the only one of it that a terminal might obey.
    data = json.dumps(body).replace("\x7f", "\\u007f")
    header = "Content-Type: application/json"
    return _both(
        ["amtool", f"--alertmanager.url={url}", "silence", "add", *options, *matchers],
        [*_CURL, "--header", header, "--data-raw", data, f"{url}/api/v2/silences"],
    )


def expire_commands(id: str, url: str) -> SafeText:
    """What expires a silence: amtool, then curl, each for a shell."""
    return _both(
        ["amtool", f"--alertmanager.url={url}", "silence", "expire", id],
        [*_CURL, "--request", "DELETE", f"{url}/api/v2/silence/{quote(id, safe='')}"],
    )


_CURL = ("curl", "--fail", "--silent", "--show-error", "--globoff")


def _both(amtool: Sequence[str], curl: Sequence[str]) -> SafeText:
    return trusted(f"{_line(amtool)}\n{_line(curl)}")


def _line(words: Sequence[str]) -> SafeText:
    line = " ".join(shlex.quote(word) for word in words)
    if not is_safe(line.replace("\n", "")):
        return safe(f"# {words[0]}: it has a name with characters that must not be printed")
    return trusted(line)


def _rfc3339(draft: Silence) -> str:
    return f"{draft.ends_at:%Y-%m-%dT%H:%M:%SZ}"


def _printable(matcher: Matcher) -> Matcher:
    if not matcher.is_regex:
        return typable(matcher)
    if is_safe(matcher.value.replace("\n", "")) or "\\Q" in matcher.value:
        return matcher
    pattern = _ESCAPED.sub(lambda found: _named(found.group()), matcher.value)
    return Matcher(matcher.name, pattern, is_regex=True, is_equal=matcher.is_equal)


_ESCAPED = re.compile(r"\\?.", re.DOTALL)


def _named(char: str) -> str:
    """One character of a pattern, with the backslash before it if there is one."""
    return char if is_safe(char.replace("\n", "")) else f"\\x{{{ord(char[-1]):x}}}"
