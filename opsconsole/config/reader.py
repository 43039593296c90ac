"""Reading values out of a file's nodes: every question names a key and a type, every wrong answer becomes a
problem with the file, the line, the key and, for an unknown key, the nearest known one."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from opsconsole.config.nodes import Kind, Node, Problems
from opsconsole.text import is_safe, safe

_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_UNIT_SECONDS = (365 * 86400.0, 7 * 86400.0, 86400.0, 3600.0, 60.0, 1.0, 0.001)
_MAX_SECONDS = 100 * 365 * 86400.0


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or all of them when none is near."""
    import difflib  # only here: most files have nothing wrong in them

    words = sorted(known)
    close = difflib.get_close_matches(word[:100].lower(), [w.lower() for w in words], n=1, cutoff=0.6)
    if close:
        return "did you mean " + next(w for w in words if w.lower() == close[0]) + "?"
    return "known: " + ", ".join(words) if words else ""


def parse_seconds(text: str) -> float | None:
    """Seconds of a Prometheus duration (`1h30m`, `500ms`, `0`); None when it is not one."""
    if text == "0":
        return 0.0
    found = _DURATION.fullmatch(text) if text and len(text) < 60 else None
    if found is None:
        return None
    total = sum(int(n) * unit for n, unit in zip(found.groups(), _UNIT_SECONDS, strict=True) if n)
    return total if total <= _MAX_SECONDS else None


class Value:
    """One value and where it stands. The reading methods return None after noting a problem."""

    def __init__(self, node: Node, key: str, problems: Problems, line: int = 0) -> None:
        self.node = node
        self.key = key
        self.problems = problems
        self.line = line or node.line

    def problem(self, message: str, hint: str = "") -> None:
        """Note a problem with this value."""
        self.problems.add(self.line, self.key, message, hint)

    def _expected(self, what: str, hint: str = "") -> None:
        if self.node.kind is not Kind.BAD:
            self.problem(f"must be {what}, not {self.node.described}", hint)

    def text(self, *, outside: bool = False, hint: str = "") -> str | None:
        """The text as written (`off` and `1` too); without `outside` it must be one printable line."""
        node = self.node
        if node.kind is not Kind.TEXT or node.is_null:
            self._expected("text", hint)
            return None
        if not outside and not is_safe(node.value):
            self.problem(f"has characters that are not plain text: {safe(node.value, 60)}", "retype it")
            return None
        return node.value

    def boolean(self) -> bool | None:
        word = self.node.value.lower() if self.node.plain else ""
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        self._expected("true or false")
        return None

    def number(self) -> float | None:
        if self.node.plain and len(self.node.value) < 40 and _NUMBER.fullmatch(self.node.value):
            value = float(self.node.value)
            if math.isfinite(value):
                return value
        self._expected("a number")
        return None

    def whole(self, low: int, high: int) -> int | None:
        text = self.node.value if self.node.plain else ""
        if len(text) < 20 and re.fullmatch(r"-?[0-9]+", text) and low <= int(text) <= high:
            return int(text)
        self._expected(f"a whole number from {low} to {high}")
        return None

    def duration(self) -> float | None:
        """Seconds, from a duration as Prometheus writes it."""
        seconds = parse_seconds(self.node.value) if self.node.kind is Kind.TEXT else None
        if seconds is None:
            self._expected("a duration", "write it as Prometheus does: 30s, 5m, 1h30m")
        return seconds

    def choice(self, known: Collection[str], what: str) -> str | None:
        if self.node.kind is not Kind.TEXT or self.node.is_null:
            self._expected("text", nearest("", known))
            return None
        text = self.text()
        if text is None or text in known:
            return text
        self.problem(f"`{safe(text, 60)}` is not {what}", nearest(text, known))
        return None

    def path(self, folder: Path, home: Path) -> Path | None:
        """An absolute path: `~` is the home folder, a relative path starts at `folder`."""
        text = self.text(hint="the path of a file")
        return None if text is None else expand(text, folder, home)

    def items(self, hint: str = "") -> list[Value]:
        """The items of a list; nothing after noting that it is not one."""
        if self.node.kind is not Kind.LIST:
            self._expected("a list", hint)
            return []
        return [Value(n, f"{self.key}[{i}]", self.problems) for i, n in enumerate(self.node.items)]

    def texts(self, *, outside: bool = False) -> tuple[str, ...]:
        """The texts of a list, without those that have a problem."""
        found = [item.text(outside=outside) for item in self.items("write it as [one, two]")]
        return tuple(text for text in found if text is not None)

    def section(self, hint: str = "") -> Section | None:
        if self.node.kind is not Kind.MAP:
            self._expected("a mapping", hint)
            return None
        return Section(self.node, self.key, self.problems, self.line)

    def sections(self, hint: str = "") -> list[Section]:
        """The mappings of a list, without items that are something else."""
        found = [item.section(hint) for item in self.items(hint)]
        return [section for section in found if section is not None]


class Section:
    """A mapping of the file. Say with `only` which keys it may have."""

    def __init__(self, node: Node, key: str, problems: Problems, line: int = 0) -> None:
        self.node = node
        self.key = key
        self.problems = problems
        self.line = line or node.line
        self._values = {name.value: (name.line, value) for name, value in node.pairs}

    def _path(self, name: str) -> str:
        return f"{self.key}.{name}" if self.key else name

    def only(self, known: Collection[str], special: dict[str, str] | None = None) -> bool:
        """Note every key that is not known, and say whether all are; `special` has hints for keys that
        people may well try."""
        all_known = True
        for name, (line, _) in self._values.items():
            if name in known:
                continue
            all_known = False
            hint = (special or {}).get(name)
            message = "is not supported" if hint is not None else "is not a known key"
            self.problems.add(line, self._path(name), message, hint if hint is not None else nearest(name, known))
        return all_known

    def problem(self, message: str, hint: str = "", at: str = "") -> None:
        """Note a problem with the section, or with the key `at` of it."""
        line = self._values[at][0] if at in self._values else self.line
        self.problems.add(line, self._path(at) if at else self.key, message, hint)

    def has(self, name: str) -> bool:
        return name in self._values

    def get(self, name: str, *, required: bool = False, hint: str = "") -> Value | None:
        """The value of a key. None when it is not there or left empty: a problem if `required`."""
        found = self._values.get(name)
        if found is None:
            if required:
                self.problems.add(self.line, self._path(name), "is missing", hint)
            return None
        if found[1].is_null:
            if required:
                self.problems.add(found[0], self._path(name), "is empty", hint)
            return None
        line, node = found
        return Value(node, self._path(name), self.problems, line)

    def entries(self) -> Iterator[tuple[str, Value]]:
        """The keys and values of a mapping whose keys are free. Keys that are not plain text are noted."""
        for name, (line, node) in self._values.items():
            if not is_safe(name) or not name.strip():
                self.problems.add(line, self._path(name), "this key is not plain text", "retype it")
                continue
            yield name, Value(node, self._path(name), self.problems, line)

    def text(self, name: str, default: str = "", *, required: bool = False, outside: bool = False) -> str:
        """A text; with `required` it may not be blank either."""
        value = self.get(name, required=required)
        text = None if value is None else value.text(outside=outside)
        if text is not None and required and not text.strip():
            self.problem("may not be blank", at=name)
        return default if text is None else text

    def boolean(self, name: str, default: bool = False) -> bool:
        value = self.get(name)
        found = None if value is None else value.boolean()
        return default if found is None else found

    def duration(self, name: str, default: float, low: float = 0.0, high: float = math.inf) -> float:
        """Seconds, from `low` to `high`."""
        value = self.get(name)
        seconds = None if value is None else value.duration()
        if value is None or seconds is None:
            return default
        if not low <= seconds <= high:
            limits = f"at least {low:g} s" if math.isinf(high) else f"from {low:g} s to {high:g} s"
            value.problem(f"must be {limits}")
            return default
        return seconds

    def number(self, name: str) -> float | None:
        value = self.get(name)
        return None if value is None else value.number()

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        value = self.get(name)
        found = None if value is None else value.whole(low, high)
        return default if found is None else found

    def choice(self, name: str, known: Collection[str], default: str, what: str) -> str:
        value = self.get(name)
        return default if value is None else value.choice(known, what) or default

    def path(self, name: str, folder: Path, home: Path) -> Path | None:
        value = self.get(name)
        return None if value is None else value.path(folder, home)

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.get(name)
        return () if value is None else value.texts()

    def section(self, name: str, hint: str = "") -> Section | None:
        value = self.get(name)
        return None if value is None else value.section(hint)

    def sections(self, name: str, hint: str = "") -> list[Section]:
        value = self.get(name)
        return [] if value is None else value.sections(hint)


def expand(text: str, folder: Path, home: Path) -> Path:
    """The path that a text means: `~` and `~/…` from `home`, a relative one from `folder`."""
    if text == "~" or text.startswith("~/"):
        return home / text[2:]
    return folder / text
