"""Matchers as amtool's arguments give them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matcher, Matchers, parse_matcher, parse_matchers
from opsconsole.text import safe

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
