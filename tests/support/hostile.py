"""Text that attacks a terminal or a widget, and how to see that it did nothing.

`PAYLOADS` are put wherever text comes from outside; each is wrapped by `marked` in words that must still be
readable, so that a test sees both that nothing acts and that nothing is lost.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

BEFORE, AFTER = "begin", "end"

PAYLOADS: dict[str, str] = {
    "CSI": "\x1b[2J\x1b[31;5mred\x1b[0m\x1b[999;999H",
    "OSC 52": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "OSC 8": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "OSC 0": "\x1b]0;owned\x07",
    "DCS and APC": "\x1bP+q544e\x1b\\\x1b_payload\x1b\\\x1b^pm\x1b\\",
    "C1": "\x9b31m\x9d0;owned\x9c\x90q\x9c\x85",
    "bidi": "\u202eevil\u202c\u2066inner\u2069\u200f\u061c",
    "zero width": "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg",
    "fillers": "a\u3164b\uffa0c\u115fd\u180be\ufe0ff",
    "NUL and friends": "a\x00b\x07c\x08d\x0be\x0cf\x0eg\x0fh\x7fi",
    "bold markup": "[bold]shout[/bold] [red]x",
    "closing markup": "x [/bar] y",
    "path in brackets": "[/var/log] is full",
    "unclosed markup": "[/",
    "click action": "[@click=app.simulate_key('q')]x[/]",
    "quit action": "[@click=app.quit]here[/]",
    "link markup": "[link=http://evil.example]x[/link]",
    "content markup": "$v [$error on $primary]x[/] [b]$name[/b]",
    "combining stack": "z" + "\u0301" * 200 + "y",
    "lines and tabs": "one\ntwo\r\nthree\rfour\tfive\u2028six\u2029seven\x85eight",
    "Markdown": "[x](javascript:alert(1)) ![i](http://evil.example/i.png) <script>x</script> # h `c` ***",
    "format strings": "%s %n {0} {name!r} ${HOME} $(id) `id` \\x1b[31m",
    "wide and unassigned": "全角\U0001f525\U0001f468\u200d\U0001f469\ue000\U000e0041\U0010ffff",
}
"""Name of the attack -> the text."""

BIG = ("y" * 990 + "\x1b[31m\u202e[/b]") * 1010
"""More than 1 MB."""

FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0" + "".join(map(chr, range(0xFE00, 0xFE10))))
"""Letters and marks without a shape: they hide a difference between two names."""

ALLOWED_SPACES = frozenset("\u00a0\u2002\u2003\u2007\u2009\u202f\u3000")


def marked(payload: str) -> str:
    """The payload between two plain words."""
    return f"{BEFORE} {payload} {AFTER}"


def acting(text: str) -> list[str]:
    """The characters of a text that would act on a terminal: control, format (bidi, zero-width), surrogate,
    private, unassigned, and separators other than spaces. Combining marks count from the eighth in a row."""
    found: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        bad = category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or marks > 8 or char in FILLERS
        if bad and char not in ALLOWED_SPACES:
            found.append(f"{ord(char):#06x}")
    return found


_SEQUENCE = re.compile(
    rb"\x1b\[(?P<parameters>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    rb"|\x1b(?P<string>[\]PX^_])(?P<body>.*?)(?:\x1b\\|\x07)"
    rb"|\x1b(?P<short>[ -/]*[0-~])",
    re.DOTALL,
)

_PRIVATE_MODES = {
    b"1000", b"1002", b"1003", b"1006", b"1015", b"1016",  # mouse
    b"1004", b"1049", b"2004", b"2026", b"2031", b"2048", b"25", b"7",  # focus, screen, paste, sync, cursor
}  # fmt: skip

_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*)?\Z")
"""The beginning of a sequence whose end has not been read yet."""

_POINTERS = {b"22;default", b"22;pointer", b"22;text"}
"""Shapes of the mouse pointer that Textual asks for by OSC 22."""


def strange_sequences(raw: bytes) -> list[bytes]:
    """What a terminal reads in `raw` as a command and the console has no business to send.

    Allowed: colours and styles, moving the cursor, erasing, the modes of a full-screen application and the
    queries for them. Control bytes other than newline, carriage return and tab are strange too.
    """
    raw = _UNFINISHED.sub(b"", raw)
    strange = [match.group() for match in _SEQUENCE.finditer(raw) if not _known(match)]
    rest = _SEQUENCE.sub(b"", raw)
    text = rest.decode("utf-8", "replace")
    strange += [char.encode() for char in text if acting(char) and char not in "\r\n\t"]
    return strange


def _known(match: re.Match[bytes]) -> bool:
    if match["short"]:
        return match["short"] in (b"7", b"8", b"=", b">", b"M")
    if match["string"]:
        return match["string"] == b"]" and match["body"] in _POINTERS
    parameters, final = match["parameters"], match["final"]
    if parameters.startswith(b"?"):
        modes = parameters[1:].split(b";")
        return final in b"hlp" and all(mode in _PRIVATE_MODES for mode in modes)
    if parameters.startswith((b">", b"<", b"=")):
        return final == b"u"  # the kitty keyboard protocol
    return final in b"mHABCDJKuqtGdrhln"


def sequences(raw: bytes) -> Iterator[bytes]:
    """Every escape sequence in `raw`."""
    return (match.group() for match in _SEQUENCE.finditer(raw))
