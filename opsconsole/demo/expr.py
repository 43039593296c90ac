"""The part of PromQL that the embedded demo understands, as a tree.

Malformed: the text is not PromQL. NoData: it is (or may be), but the demo cannot answer it.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matcher, compile_regex
from opsconsole.text import safe


class Malformed(ValueError):
    """The text is not a PromQL expression."""


class NoData(ValueError):
    """The demo has no data for the expression."""


class Node(msgspec.Struct, frozen=True):
    """A part of an expression."""


class Number(Node, frozen=True):
    value: float


class Text(Node, frozen=True):
    value: str


class Selector(Node, frozen=True):
    """Series of one metric, or without a name of all that the matchers of `__name__` take. `window` is seconds of
    a range selector, None for an instant one."""

    name: str
    matchers: tuple[Matcher, ...] = ()
    window: float | None = None
    offset: float = 0.0


class Call(Node, frozen=True):
    name: str
    args: tuple[Node, ...]


class Aggregate(Node, frozen=True):
    """`by` keeps `labels`; without it (`without`) they are dropped. `param` is topk's number."""

    op: str
    body: Node
    by: bool
    labels: tuple[str, ...]
    param: Node | None = None


class Binary(Node, frozen=True):
    """`on` is None for matching on all labels, else whether `labels` are `on(…)` or `ignoring(…)`."""

    op: str
    left: Node
    right: Node
    returns_bool: bool = False
    on: bool | None = None
    labels: tuple[str, ...] = ()
    group: str = ""


AGGREGATIONS = frozenset({"sum", "avg", "min", "max", "count", "topk", "bottomk", "group"})

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
    |(?P<duration>(?:[0-9]+(?:ms|[smhdwy]))+(?![a-zA-Z0-9_]))
    |(?P<number>0x[0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
    |(?P<op>=~|!~|==|!=|>=|<=|[-+*/%^(){}\[\],=<>:@])""",
    re.X,
)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"or"}),
    frozenset({"and", "unless"}),
    frozenset({"==", "!=", ">", "<", ">=", "<="}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%", "atan2"}),
)


def duration(text: str) -> float:
    """Seconds of a Prometheus duration such as `1h30m`."""
    return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9]+)(ms|[smhdwy])", text))


@lru_cache(maxsize=512)
def parse(text: str) -> Node:
    """The tree of an expression. Raises Malformed or NoData."""
    parser = _Parser(text)
    node = parser.binary(0)
    parser.expect_end()
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise Malformed(f"1:{at + 1}: parse error: unexpected character {text[at]!r}")
            kind = found.lastgroup or ""
            if kind != "space":
                self._tokens.append((kind, found.group(), at))
            at = found.end()
        if not self._tokens:
            raise Malformed("1:1: parse error: no expression found in input")
        self._at = 0
        self._depth = 0

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _kind(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else "end"

    def _next(self) -> str:
        value = self._peek()
        self._at += 1
        return value

    def _accept(self, value: str) -> bool:
        if self._kind() != "string" and self._peek() == value:
            self._at += 1
            return True
        return False

    def _fail(self, expected: str) -> Malformed:
        at = self._tokens[self._at][2] if self._at < len(self._tokens) else len(self._text)
        found = f"unexpected {self._peek()!r}" if self._peek() else "unexpected end of input"
        return Malformed(f"1:{at + 1}: parse error: {found}, expected {expected}")

    def _expect(self, value: str) -> None:
        if not self._accept(value):
            raise self._fail(repr(value))

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            raise self._fail("the end")

    def binary(self, level: int) -> Node:
        self._depth += 1
        if self._depth > 400:
            raise Malformed("1:1: parse error: too deeply nested")
        try:
            return self._binary(level)
        finally:
            self._depth -= 1

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self.binary(level + 1)
        while self._kind() != "string" and self._peek().lower() in _LEVELS[level]:
            op = self._next().lower()
            returns_bool = self._accept("bool")
            on, labels, group = self._matching()
            right = self.binary(level + 1)
            left = Binary(op, left, right, returns_bool, on, labels, group)
        return left

    def _matching(self) -> tuple[bool | None, tuple[str, ...], str]:
        if self._peek() not in ("on", "ignoring"):
            return None, (), ""
        on = self._next() == "on"
        labels = self._names()
        group = ""
        if self._peek() in ("group_left", "group_right"):
            group = self._next()
            if self._peek() == "(":
                self._names()
        return on, labels, group

    def _names(self) -> tuple[str, ...]:
        self._expect("(")
        names: list[str] = []
        while not self._accept(")"):
            if self._kind() != "name":
                raise self._fail("a label name")
            names.append(self._next())
            if self._peek() != ")":
                self._expect(",")
        return tuple(names)

    def _unary(self) -> Node:
        if self._accept("-"):
            return Binary("*", Number(-1.0), self.binary(len(_LEVELS)))
        if self._accept("+"):
            return self.binary(len(_LEVELS))
        base = self._postfix(self._primary())
        if self._accept("^"):
            return Binary("^", base, self._unary())
        return base

    def _primary(self) -> Node:
        kind, value = self._kind(), self._peek()
        if value == "(" and kind == "op":
            self._next()
            node = self.binary(0)
            self._expect(")")
            return node
        if kind == "number":
            self._next()
            return Number(float(int(value, 16)) if value.startswith("0x") else float(value))
        if kind == "string":
            return Text(self._string())
        if value == "{":
            return self._selector("")
        if kind != "name":
            raise self._fail("an expression")
        self._next()
        if value.lower() in ("inf", "nan"):
            return Number(float(value))
        if value.lower() in AGGREGATIONS and self._peek() in ("(", "by", "without"):
            return self._aggregate(value.lower())
        if self._peek() == "(":
            return Call(value, self._arguments())
        return self._selector(value)

    def _arguments(self) -> tuple[Node, ...]:
        self._expect("(")
        args: list[Node] = []
        while not self._accept(")"):
            args.append(self.binary(0))
            if self._peek() != ")":
                self._expect(",")
        return tuple(args)

    def _aggregate(self, op: str) -> Node:
        by = True
        labels: tuple[str, ...] = ()
        grouped = self._peek() in ("by", "without")
        if grouped:
            by, labels = self._next() == "by", self._names()
        args = self._arguments()
        if not grouped and self._peek() in ("by", "without"):
            by, labels = self._next() == "by", self._names()
        wanted = 2 if op in ("topk", "bottomk") else 1
        if len(args) != wanted:
            raise Malformed(f"1:1: parse error: wrong number of arguments for aggregate expression {op}")
        return Aggregate(op, args[-1], by, labels, args[0] if wanted == 2 else None)

    def _string(self) -> str:
        raw = self._next()
        if raw[0] == "`":
            return raw[1:-1]
        return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), raw[1:-1], flags=re.S)

    def _selector(self, name: str) -> Node:
        matchers: list[Matcher] = []
        if self._accept("{"):
            while not self._accept("}"):
                matchers.append(self._matcher())
                if self._peek() != "}":
                    self._expect(",")
        if not name:
            named = [m for m in matchers if m.name == "__name__" and not m.op.startswith("!")]
            if not named:
                raise NoData("a selector without a metric name")
            if named[0].is_regex:
                return Selector("", tuple(matchers))
            name = named[0].value
        return Selector(name, tuple(m for m in matchers if m.name != "__name__"))

    def _matcher(self) -> Matcher:
        if self._kind() != "name":
            raise self._fail("a label name")
        name, op = self._next(), self._next()
        if op not in ("=", "!=", "=~", "!~") or self._kind() != "string":
            raise self._fail("a label matcher")
        value = self._string()
        if "~" in op:
            try:
                compile_regex(value)
            except UsageError as error:
                raise Malformed(f"1:1: parse error: {error.message}") from None
        return Matcher(name, value, is_regex="~" in op, is_equal=not op.startswith("!"))

    def _postfix(self, node: Node) -> Node:
        if self._accept("["):
            if not isinstance(node, Selector):
                raise NoData("subqueries")
            node = msgspec.structs.replace(node, window=self._duration())
            if self._peek() == ":":
                raise NoData("subqueries")
            self._expect("]")
        if self._peek() == "@":
            raise NoData("the @ modifier")
        if self._peek() == "offset":
            self._next()
            sign = -1.0 if self._accept("-") else 1.0
            if not isinstance(node, Selector):
                raise NoData("an offset of a subquery")
            node = msgspec.structs.replace(node, offset=sign * self._duration())
        return node

    def _duration(self) -> float:
        if self._kind() != "duration":
            raise self._fail("a duration")
        return duration(self._next())


def bad_call(name: str) -> NoData:
    """For a function that the demo does not compute."""
    return NoData(f"the function {safe(name, 40)}()")
