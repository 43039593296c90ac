"""As much of PromQL as it takes to draw an alert rule: its value and its bound."""

from __future__ import annotations

import re

_SPACE = re.compile(r"(?:\s+|#[^\n]*)+")
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`", re.S)
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:.]*")
_OPERATOR = re.compile(r"==|!=|>=|<=|=~|!~|[<>]")
_NUMBER = re.compile(r"[-+]?\s*(?:inf|0x[0-9a-f]+|(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?)", re.I)
_BOOL = re.compile(r"bool\b\s*", re.I)

_FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}
_OPENING = {"(": ")", "{": "}", "[": "]"}


def split_comparison(expr: str) -> tuple[str, str, float] | None:
    """The value expression, the operator and the bound of `value > 1`; `1 < value` is turned round.

    None unless the expression is one comparison of something with a number literal at its top level: two
    comparisons, `and`, `or`, `unless` or a bound that is computed have no one value and bound to draw.
    """
    text = _without_parens(expr.strip())
    found = _top_level(text)
    if found is None:
        return None
    start, end = found
    op = text[start:end]
    left, right = text[:start].strip(), _BOOL.sub("", text[end:].strip(), count=1)
    bound = _number(right)
    if bound is not None and left:
        return left, op, bound
    bound = _number(left)
    if bound is not None and right:
        return right, _FLIPPED[op], bound
    return None


def _top_level(text: str) -> tuple[int, int] | None:
    """Where the only top-level comparison operator stands; None when there is none, several, or a set
    operator beside it, or the text does not close what it opens."""
    found: tuple[int, int] | None = None
    for kind, start, end in _tokens(text):
        if kind == "bad" or (kind == "word" and text[start:end].lower() in {"and", "or", "unless"}):
            return None
        if kind == "comparison":
            if found is not None:
                return None
            found = (start, end)
    return found


def _tokens(text: str) -> list[tuple[str, int, int]]:
    """The words and comparison operators outside all brackets, and `bad` when brackets or quotes do not
    match."""
    found: list[tuple[str, int, int]] = []
    open_: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        token = _SPACE.match(text, at) or _STRING.match(text, at)
        if token is not None:
            at = token.end()
        elif char in "\"'`":
            return [("bad", at, at)]
        elif char in _OPENING:
            open_.append(_OPENING[char])
            at += 1
        elif char in ")}]":
            if not open_ or open_.pop() != char:
                return [("bad", at, at)]
            at += 1
        elif (word := _WORD.match(text, at)) is not None:
            if not open_:
                found.append(("word", at, word.end()))
            at = word.end()
        elif (op := _OPERATOR.match(text, at)) is not None:
            if not open_:
                found.append(("comparison" if "~" not in op[0] else "bad", at, op.end()))
            at = op.end()
        else:
            at += 1
    return [("bad", at, at)] if open_ else found


def _without_parens(text: str) -> str:
    """The text without parentheses around all of it."""
    while text.startswith("(") and text.endswith(")") and _closes_last(text):
        text = text[1:-1].strip()
    return text


def _closes_last(text: str) -> bool:
    """Whether the parenthesis that opens the text is closed by its last character."""
    depth, at = 0, 0
    while at < len(text):
        string = _STRING.match(text, at)
        if string is not None:
            at = string.end()
            continue
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at == len(text) - 1
        at += 1
    return False


def _number(text: str) -> float | None:
    text = _without_parens(text)
    if _NUMBER.fullmatch(text) is None:
        return None
    digits = re.sub(r"[\s_]", "", text).lower()
    return float(int(digits, 16)) if "0x" in digits else float(digits)
