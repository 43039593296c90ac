"""One request or one command of a described flag system."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from opsconsole.config.nodes import Kind, Node
from opsconsole.config.reader import Section, Value, nearest
from opsconsole.config.schema import FlagCall

FIELDS = ("key", "enabled", "rollout", "targeting", "type", "tags", "version")
"""What the description may say about a flag's members."""

LOG_FIELDS = ("key", "at", "who", "summary", "before", "after", "version", "id")
"""What it may say about the members of a change."""

_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", re.ASCII)
_READS = ("list", "get", "changes")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_KNOWN = {
    "list": (),
    "get": ("key",),
    "changes": ("since",),
    "off": ("key", "reason", "who", "version", "expected", "definition"),
    "restore": ("key", "reason", "who", "version", "expected", "definition"),
}
"""The words in braces of each call."""

_ALONE = {"definition", "expected"}
_PATH = re.compile(r"/[!-~]*")


def read_call(value: Value, name: str, *, http: bool) -> FlagCall:
    """One call. Problems are noted."""
    if not http and value.node.kind is Kind.LIST:
        return FlagCall(argv=_argv(value, name), fields=_usual(name))
    shape = "write it as {method: POST, path: /flags/{key}/off}" if http else "write it as [program, argument]"
    section = value.section(shape)
    if section is None:
        return FlagCall(fields=_usual(name))
    about = {"list": {"items", "total"}, "get": {"items"}, "changes": {"items", "fields"}, "off": {"sets"}}
    own = about.get(name, set())
    if http:
        writes = set() if name in _READS else {"expect", "approval"}
        section.only({"method", "path", "headers", "body"} | writes | own)
        call = _request(section, name)
    else:
        section.only({"run"} | own)
        run = section.get("run", required=True, hint="write it as [program, argument]")
        call = FlagCall(argv=() if run is None else _argv(run, name))
    told: dict[str, object] = {field: getattr(call, field) for field in FlagCall.__struct_fields__}
    for key in ("items", "total"):
        path = section.get(key)
        told[key] = "" if path is None else read_path(path)
    if name == "changes":
        told["fields"] = _log_fields(section.section("fields", "write it as {key: flag, at: time}"))
    sets = section.section("sets", "write it as {enabled: false}")
    if sets is not None:
        told["sets"] = {path: value_of(item) for path, item in sets.entries()}
    return FlagCall(**told)  # type: ignore[arg-type]  # the fields of a FlagCall


def _usual(name: str) -> dict[str, str]:
    return {"key": "key", "at": "at"} if name == "changes" else {}


def _log_fields(section: Section | None) -> dict[str, str]:
    fields = _usual("changes")
    if section is not None:
        section.only(LOG_FIELDS)
        for name in LOG_FIELDS:
            value = section.get(name)
            if value is not None:
                fields[name] = read_path(value)
    return fields


def read_path(value: Value) -> str:
    """A path into an answer: a JSON Pointer, or names with dots between; "" (or a single dot) for the whole."""
    text = value.text(hint="write it as a pointer (/data/name) or with dots (data.name)") or ""
    if text == ".":
        return ""
    parts = text[1:].split("/") if text.startswith("/") else text.split(".")
    if text and "" in parts:
        value.problem("has an empty name in it", "write it as a pointer (/data/name) or with dots (data.name)")
    return text


def value_of(value: Value) -> object:
    """A value as JSON has it: `true`, `null` and numbers without quotes are not text."""
    return _json(value.node, value)


def _json(node: Node, at: Value) -> object:
    if node.kind is Kind.LIST:
        return [_json(item, at) for item in node.items]
    if node.kind is Kind.MAP:
        return {key.value: _json(item, at) for key, item in node.pairs}
    if node.kind is Kind.BAD or node.is_null:
        return None
    if node.plain and node.value in ("true", "false"):
        return node.value == "true"
    if node.plain and _NUMBER.fullmatch(node.value):
        return json.loads(node.value)
    return node.value


def _request(section: Section, name: str) -> FlagCall:
    method = section.choice("method", _METHODS, "GET" if name in _READS else "POST", "a method")
    value = section.get("path", required=True, hint="write it as /flags/{key}")
    path = "" if value is None else value.text() or ""
    if value is not None and path:
        if not _PATH.fullmatch(path) or "#" in path:
            value.problem("is not a path", "write it as /flags/{key}; what is no plain ASCII percent-encoded")
        _check(value, path, [word for word in _KNOWN[name] if word not in _ALONE])
    headers: dict[str, str] = {}
    given = section.section("headers", 'write it as {If-Match: "{version}"}')
    for header, item in given.entries() if given is not None else ():
        if not _HEADER.fullmatch(header) or header.lower() in ("authorization", "host", "content-length"):
            item.problem(
                "cannot be set here", "credentials are written as authorization, basic_auth or token_file"
            )
        text = item.text() or ""
        _check(item, text, [word for word in _KNOWN[name] if word in ("key", "version")])
        headers[header] = text
    body = section.get("body")
    if body is not None:
        _check_body(body, body.node, name)
        if method == "GET":
            body.problem("a GET has no body", "use another method")
    return FlagCall(
        method=method,
        path=path,
        headers=headers,
        body=None if body is None else value_of(body),
        expect=_statuses(section, "expect"),
        approval=_statuses(section, "approval"),
    )


def _check_body(value: Value, node: Node, name: str) -> None:
    if node.kind is Kind.TEXT:
        alone = [f"{{{word}}}" for word in _ALONE]
        if node.value not in alone or name in _READS:
            _check(value, node.value, _KNOWN[name])
    for item in node.items:
        _check_body(value, item, name)
    for key, item in node.pairs:
        _check(value, key.value, ())
        _check_body(value, item, name)


def _check(value: Value, text: str, known: Collection[str]) -> None:
    """Note the words in braces that stand for nothing here."""
    for word in _PLACEHOLDER.findall(text):
        if word not in known:
            hint = nearest(word, known) if known else "nothing in braces stands for something here"
            value.problem(f"{{{word}}} stands for nothing here", hint)


def _statuses(section: Section, name: str) -> tuple[int, ...]:
    value = section.get(name)
    if value is None:
        return ()
    items = value.items("write it as [200, 204]") if value.node.kind is Kind.LIST else [value]
    found = [item.whole(200, 599) for item in items]
    return tuple(status for status in found if status is not None)


def _argv(value: Value, name: str) -> tuple[str, ...]:
    if value.node.kind is not Kind.LIST:
        value.problem("must be a list: no shell reads it", "write it as [program, argument]")
        return ()
    words = value.texts(outside=True)
    if not words or not words[0]:
        value.problem("names no program", "write it as [program, argument]")
    allowed = [word for word in ("key", "version", "reason") if word in _KNOWN[name]]
    for number, word in enumerate(words):
        found = _PLACEHOLDER.fullmatch(word)
        if "\0" in word:
            value.problem("has a zero byte in it")
        elif found is not None and number:
            _check(value, word, allowed)
        elif _PLACEHOLDER.search(word):
            value.problem(
                f"{word} has a word in braces in it",
                'only a whole argument is replaced: write "{key}", or read FLAG_KEY from the environment',
            )
    return words
