"""PromQL expressions as trees: enough to compare two and to say what an expression asks for."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

_TOKEN = re.compile(
    r"""(?P<space>(?:\s+|\#[^\n]*)+)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`[^`]*`)
    |(?P<duration>(?:[0-9]+(?:ms|[smhdwy]))+(?![a-zA-Z0-9_]))
    |(?P<number>0[xX][0-9a-fA-F]+|(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<word>[a-zA-Z_][a-zA-Z0-9_:]*|:[a-zA-Z_:][a-zA-Z0-9_:]*)
    |(?P<op>=~|!~|==|!=|>=|<=|[-+*/%^(){}\[\],=<>:@])""",
    re.X,
)
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_MILLISECONDS["y"] = 365 * _MILLISECONDS["d"]
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"or"}),
    frozenset({"and", "unless"}),
    frozenset({"==", "!=", ">", "<", ">=", "<="}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%", "atan2"}),
)
_AGGREGATIONS = frozenset(
    {"sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "topk", "bottomk", "quantile"}
    | {"count_values", "limitk", "limit_ratio"}
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.S)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_DEEPEST = 40
"""Parentheses within parentheses."""


class NotPromql(ValueError):
    """The text is not an expression that this parser knows."""


class Matcher(msgspec.Struct, frozen=True, order=True):
    """`name op "value"`, the value unquoted."""

    name: str
    op: str
    value: str


class Node(msgspec.Struct, frozen=True):
    """A part of an expression; two that mean the same are equal, however they were written.

    `kind` is number, string, selector, aggregate, call, binary, minus, range (a range selector or subquery),
    offset or at; `value` its name, operator or literal. `labels` are those of `by`, `without`, `on` or
    `ignoring` (`how` says which), sorted, and `carried` those of `group_left` or `group_right` (`side`).
    """

    kind: str
    value: str = ""
    parts: tuple[Node, ...] = ()
    matchers: tuple[Matcher, ...] = ()
    how: str = ""
    labels: tuple[str, ...] = ()
    side: str = ""
    carried: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """The tree of an expression. Raises NotPromql."""
    parser = _Parser(text)
    try:
        node = parser.binary(0)
    except RecursionError:  # a long row of signs
        raise NotPromql("nested too deeply") from None
    if parser.kind != "end":
        raise parser.unexpected()
    return node


def same_meaning(one: str, other: str) -> bool:
    """Whether two expressions differ in nothing but how they are written. Two that cannot be understood are
    the same when their tokens are."""
    try:
        return parse(one) == parse(other)
    except NotPromql:
        return _tokens(one) == _tokens(other)


def _tokens(text: str) -> list[tuple[str, str]]:
    """Kind and text of every token; what is none is kept as `bad`."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            found.append(("bad", text[at]))
            at += 1
            continue
        if token.lastgroup != "space":
            found.append((token.lastgroup or "", token[0]))
        at = token.end()
    return found


class _Parser:
    """Recursive descent with Prometheus' precedences."""

    def __init__(self, text: str) -> None:
        self._all = [*_tokens(text), ("end", "")]
        self._at = 0
        self._depth = 0

    @property
    def kind(self) -> str:
        return self._all[self._at][0]

    @property
    def text(self) -> str:
        return self._all[self._at][1]

    def unexpected(self) -> NotPromql:
        return NotPromql(f"unexpected {self.text or 'end'}")

    def binary(self, level: int) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST * (len(_LEVELS) + 1):
            raise NotPromql("nested too deeply")
        left = self.binary(level + 1) if level < len(_LEVELS) else self._unary()
        while level < len(_LEVELS) and self.kind in ("op", "word") and self.text.lower() in _LEVELS[level]:
            op = self._next().lower()
            returns_bool = self._accept("bool")
            how, labels, side, carried = self._matching()
            right = self.binary(level + 1)
            value = f"{op} bool" if returns_bool else op
            left = Node("binary", value, (left, right), (), how, labels, side, carried)
        self._depth -= 1
        return left

    def _matching(self) -> tuple[str, tuple[str, ...], str, tuple[str, ...]]:
        how = self.text.lower() if self.kind == "word" else ""
        if how not in ("on", "ignoring"):
            return "", (), "", ()
        self._next()
        labels = self._names()
        side = self.text.lower() if self.kind == "word" else ""
        if side not in ("group_left", "group_right"):
            # Ignoring nothing is what happens without it.
            return (how if how == "on" or labels else ""), labels, "", ()
        self._next()
        return how, labels, side, self._names() if self.text == "(" else ()

    def _unary(self) -> Node:
        sign = self.text if self.kind == "op" else ""
        if sign not in ("-", "+"):
            return self._power()
        self._next()
        body = self._unary()
        if sign == "+":
            return body
        return _number(-float(body.value)) if body.kind == "number" else Node("minus", "", (body,))

    def _power(self) -> Node:
        base = self._postfix(self._primary())
        if not self._accept("^"):
            return base
        returns_bool = self._accept("bool")
        how, labels, side, carried = self._matching()
        value = "^ bool" if returns_bool else "^"
        return Node("binary", value, (base, self._unary()), (), how, labels, side, carried)

    def _primary(self) -> Node:
        kind, text = self.kind, self.text
        if kind == "number":
            digits = self._next().replace("_", "")
            return _number(float(int(digits, 16)) if digits[:2] in ("0x", "0X") else float(digits))
        if kind == "string":
            return Node("string", _unquoted(self._next()))
        if kind == "op" and text == "(":
            self._next()
            inside = self.binary(0)
            self._expect(")")
            return inside
        if kind == "op" and text == "{":
            return self._selector("")
        if kind != "word":
            raise self.unexpected()
        self._next()
        if text.lower() in ("inf", "nan"):
            return _number(float(text))
        if text.lower() in _AGGREGATIONS and self.text.lower() in ("(", "by", "without"):
            return self._aggregate(text.lower())
        return Node("call", text, self._arguments()) if self.text == "(" else self._selector(text)

    def _aggregate(self, op: str) -> Node:
        how, labels = self._grouping()
        parts = self._arguments()
        if not how:
            how, labels = self._grouping()
        return Node("aggregate", op, parts, (), how if how == "without" or labels else "", labels)

    def _grouping(self) -> tuple[str, tuple[str, ...]]:
        how = self.text.lower() if self.kind == "word" else ""
        if how not in ("by", "without"):
            return "", ()
        self._next()
        return how, self._names()

    def _arguments(self) -> tuple[Node, ...]:
        self._expect("(")
        found: list[Node] = []
        while not self._accept(")"):
            found.append(self.binary(0))
            if self.text != ")":
                self._expect(",")
        return tuple(found)

    def _names(self) -> tuple[str, ...]:
        self._expect("(")
        found: list[str] = []
        while not self._accept(")"):
            found.append(self._name())
            if self.text != ")":
                self._expect(",")
        return tuple(sorted(set(found)))

    def _name(self) -> str:
        if self.kind == "string":
            return _unquoted(self._next())
        if self.kind != "word":
            raise self.unexpected()
        return self._next()

    def _selector(self, name: str) -> Node:
        matchers: set[Matcher] = set()
        if self._accept("{"):
            while not self._accept("}"):
                label = self._name()
                if self.text in ("=", "!=", "=~", "!~") and self.kind == "op":
                    op = self._next()
                    if self.kind != "string":
                        raise self.unexpected()
                    matchers.add(Matcher(label, op, _unquoted(self._next())))
                else:  # {"a metric"}
                    matchers.add(Matcher("__name__", "=", label))
                if self.text != "}":
                    self._expect(",")
        named = [m for m in matchers if m.name == "__name__" and m.op == "="]
        if not name and len(named) == 1:
            name = named[0].value
            matchers.discard(named[0])
        return Node("selector", name, (), tuple(sorted(matchers)))

    def _postfix(self, node: Node) -> Node:
        while True:
            if self._accept("["):
                window, every = self._duration(), ""
                if self._accept(":"):
                    every = ":" if self.text == "]" else f":{self._duration()}"
                self._expect("]")
                node = Node("range", f"{window}{every}", (node,))
            elif self.kind == "word" and self.text.lower() == "offset":
                self._next()
                sign = "-" if self._accept("-") else ""
                node = Node("offset", f"{sign}{self._duration()}", (node,))
            elif self._accept("@"):
                node = Node("at", "", (node, self._unary()))
            else:
                return node

    def _duration(self) -> int:
        """Milliseconds."""
        if self.kind == "number":  # plain seconds, from Prometheus 3 on
            return round(float(self._next()) * 1000)
        if self.kind != "duration":
            raise self.unexpected()
        parts = re.findall(r"([0-9]+)(ms|[smhdwy])", self._next())
        return sum(int(n) * _MILLISECONDS[unit] for n, unit in parts)

    def _next(self) -> str:
        text = self.text
        self._at += 1
        return text

    def _accept(self, text: str) -> bool:
        if self.kind in ("op", "word") and self.text.lower() == text:
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self.unexpected()


def _number(value: float) -> Node:
    return Node("number", repr(value))


def _unquoted(literal: str) -> str:
    return literal[1:-1] if literal[0] == "`" else _ESCAPE.sub(_unescaped, literal[1:-1])


def _unescaped(found: re.Match[str]) -> str:
    x, u, long, octal, char = found.groups()
    if char is not None:
        return _PLAIN.get(char, char)
    code = int(octal, 8) if octal else int(x or u or long, 16)
    return chr(code) if code <= 0x10FFFF else found[0]
