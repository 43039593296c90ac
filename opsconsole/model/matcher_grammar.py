"""The two grammars of matcher text, as Alertmanager reads them: classic, and UTF-8 (since 0.27).

Both turn text into `(name, operator, value)` with the value unescaped, and raise Misread. Regular expressions
are not looked at here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Written = tuple[str, str, str]
"""Label name, one of `=`, `!=`, `=~`, `!~`, and the raw value."""

CLASSIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")

# What Go calls white space: \s in a regular expression, and unicode.IsSpace.
_BLANK = "\t\n\f\r "
_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"

_OPERATOR = re.compile(r"=~|=|!=|!~")
_TOKEN = re.compile(
    rf"""(?P<space>[{_SPACE}]+)|(?P<mark>[{{}},])|(?P<op>=~|!=|!~|=)|(?P<quoted>"(?:\\.|[^"\\])*")"""
    rf"""|(?P<bare>[^{_SPACE}{{}}!=~,\\"'`]+)""",
    re.DOTALL,
)
_ESCAPE = re.compile(
    r"""\\(?:([abfnrtv\\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))"""
)
_SHORT = dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True))


class Misread(ValueError):
    """The text does not fit: `expected` is a noun phrase, `at` a position in characters from 0."""

    def __init__(self, expected: str, at: int) -> None:
        super().__init__(expected)
        self.expected = expected
        self.at = at


def classic_matcher(text: str, offset: int = 0) -> Written:
    """One matcher. Braces and commas are part of an unquoted value. `offset` is added to positions."""
    at = len(text) - len(text.lstrip(_BLANK))
    name = CLASSIC_NAME.match(text, at)
    if name is None:
        raise Misread("a label name", offset + at)
    at = _past_blank(text, name.end())
    op = _OPERATOR.match(text, at)
    if op is None:
        raise Misread("one of = != =~ !~", offset + at)
    at = _past_blank(text, op.end())
    return name.group(), op.group(), _classic_value(text[at:].rstrip(_BLANK), offset + at)


def classic_matchers(text: str) -> list[Written]:
    """Matchers between commas; an opening brace, a closing one and a last comma may each be there or not."""
    offset = int(text.startswith("{"))
    text = text[offset:].removesuffix("}")
    *parts, last = _classic_parts(text)
    found = []
    for part in parts:
        found.append(classic_matcher(part, offset))
        offset += len(part) + 1
    rest = last.strip(_SPACE)
    if rest:
        found.append(classic_matcher(rest, offset + len(last) - len(last.lstrip(_SPACE))))
    return found


def utf8_matchers(text: str) -> list[Written]:
    """Matchers between commas, in braces or not; names and values in double quotes take Go's escapes."""
    tokens = list(_utf8_tokens(text))
    tokens += tokens[-1:] * 3  # so that three can be taken at the end too
    found: list[Written] = []
    braced = tokens[0][:2] == ("mark", "{")
    at = int(braced)
    while tokens[at][0] in ("quoted", "bare"):
        name, op, value = tokens[at : at + 3]
        if op[0] != "op":
            raise Misread("one of = != =~ !~", op[2])
        if value[0] not in ("quoted", "bare"):
            raise Misread("a value", value[2])
        found.append((_utf8_text(name), op[1], _utf8_text(value)))
        at += 3
        if tokens[at][1] != ",":
            break
        at += 1
    if braced:
        if tokens[at][1] != "}":
            raise Misread("a comma or the closing brace" if found else "a label name", tokens[at][2])
        at += 1
    if tokens[at][0] != "end":
        raise Misread("a comma" if found else "a label name", tokens[at][2])
    return found


def _past_blank(text: str, at: int) -> int:
    return len(text) - len(text[at:].lstrip(_BLANK))


def _classic_value(raw: str, offset: int) -> str:
    quoted = raw.startswith('"')
    closed = not quoted
    out: list[str] = []
    i = int(quoted)
    while i < len(raw):
        char = raw[i]
        if char == "\\" and i + 1 < len(raw):
            i += 1
            # Any other backslash stands for itself: `10\.0` needs no doubling.
            out.append({"n": "\n", "\\": "\\", '"': '"'}.get(raw[i], f"\\{raw[i]}"))
        elif char == '"':
            if not quoted:
                raise Misread("quotes around the whole value", offset + i)
            if i + 1 < len(raw):
                raise Misread("a comma", offset + i + 1)
            closed = True
        else:
            out.append(char)
        i += 1
    if not closed:
        raise Misread("a closing quote", offset)
    return "".join(out)


def _classic_parts(text: str) -> list[str]:
    """Split at the commas outside quotes. A comma does not end an escape, as in Alertmanager."""
    parts: list[str] = []
    start = 0
    quoted = escaped = False
    for i, char in enumerate(text):
        if char == ",":
            if not quoted:
                parts.append(text[start:i])
                start = i + 1
        elif char == '"':
            quoted ^= not escaped
            escaped = False
        else:
            escaped = char == "\\" and not escaped
    return [*parts, text[start:]]


def _utf8_tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """(kind, text, position), the last of kind "end"."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Misread("a closing quote" if text[at] == '"' else "a name or value in quotes", at)
        kind = found.lastgroup or ""
        if kind != "space":
            yield kind, found.group(), at
        at = found.end()
    yield "end", "", at


def _utf8_text(token: tuple[str, str, int]) -> str:
    kind, text, at = token
    if kind == "bare":
        return text
    body = text[1:-1]
    if "\n" in body:
        raise Misread("\\n for a line break", at + 1 + body.index("\n"))
    out = bytearray()
    i = 0
    while i < len(body):
        if body[i] != "\\":
            out += body[i].encode()
            i += 1
            continue
        found = _ESCAPE.match(body, i)
        if found is None:
            raise Misread("two backslashes for one", at + 1 + i)
        short, byte, *points, octal = found.groups()
        point = points[0] or points[1]
        if short:
            out += _SHORT[short].encode()
        elif point:
            try:
                out += chr(int(point, 16)).encode()
            except (ValueError, OverflowError):
                raise Misread("a character", at + 1 + i) from None
        else:
            out.append(int(byte, 16) if byte else int(octal, 8))
        i = found.end()
    try:
        return out.decode()
    except UnicodeDecodeError:
        raise Misread("UTF-8", at + 1) from None
