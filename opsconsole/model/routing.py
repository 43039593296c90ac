"""Alertmanager's routing tree: which receivers hear of an alert, worked out as Alertmanager does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matcher, Matchers, match_all, parse_matchers
from opsconsole.text import safe

MAX_CHARACTERS = 1_000_000
"""A configuration larger than this is not read."""

MAX_ROUTES = 10_000
"""Routes above which a tree is not walked: aliases of YAML make many out of few."""

_TRUE = frozenset({"true", "yes", "on", "y"})


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One node of the tree. `proceed` is `continue`; `path` are the indices that lead to it, () for the root;
    `group_wait` is how long it waits before the first notification of a group, as it is written (`30s`).

    `group_by` are the labels that alerts are grouped by, None for all of them (`...`); `key` is what Alertmanager
    calls this node in the key of a group, such as `{}/{severity="critical"}`."""

    receiver: str
    matchers: Matchers = ()
    proceed: bool = False
    routes: tuple[Route, ...] = ()
    path: tuple[int, ...] = ()
    group_wait: str = "30s"
    group_by: tuple[str, ...] | None = ()
    key: str = ""

    def find(self, labels: Mapping[str, str]) -> tuple[Route, ...]:
        """The routes at which an alert with these labels ends; none when it does not match this node. Raises
        UsageError for a regular expression that RE2 refuses."""
        if not match_all(self.matchers, labels):
            return ()
        found: list[Route] = []
        for child in self.routes:
            hits = child.find(labels)
            found += hits
            if hits and not child.proceed:
                break
        return tuple(found) or (self,)


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """The tree, how many integrations each receiver has, and which of them tell PagerDuty."""

    root: Route
    receivers: Mapping[str, int]
    pagers: frozenset[str] = frozenset()

    def receivers_of(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """The names of the receivers of an alert, in the order of the routes, each once."""
        return tuple(dict.fromkeys(route.receiver for route in self.root.find(labels)))

    def reached(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """As `receivers_of`, only those that have an integration, so that somebody is told."""
        return tuple(name for name in self.receivers_of(labels) if self.receivers.get(name, 0) > 0)

    def names(self, label: str) -> bool:
        """Whether any route looks at this label."""
        return any(m.name == label for route in _every(self.root) for m in route.matchers)


def parse_routing(text: str) -> Routing:
    """The routing of an `alertmanager.yml`, as its status gives it. Raises UsageError that says what is wrong."""
    if len(text) > MAX_CHARACTERS:
        raise UsageError(f"the configuration is larger than {MAX_CHARACTERS:,} characters")
    config = _mapping(_load(text))
    if not isinstance(config.get("route"), dict):
        raise UsageError("the configuration has no route")
    receivers: dict[str, int] = {}
    pagers: set[str] = set()
    for one in _list(config.get("receivers")):
        receiver = _mapping(one)
        name = str(receiver.get("name", ""))
        receivers[name] = sum(len(_list(v)) for k, v in receiver.items() if str(k).endswith("_configs"))
        if _list(receiver.get("pagerduty_configs")):
            pagers.add(name)
    root = _Reader().route(config["route"], None, ())
    return Routing(root=root, receivers=receivers, pagers=frozenset(pagers))


def _load(text: str) -> Any:
    import yaml  # only here: most commands read no routing

    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        # The base loader leaves every scalar as it is written, which is how Alertmanager reads label values.
        return yaml.load(text, Loader=loader)  # noqa: S506  it makes texts, lists and mappings only
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = getattr(error, "problem", None) or type(error).__name__
        raise UsageError(f"the configuration is not valid YAML: {safe(str(problem), 200)}") from None


class _Reader:
    """Reads routes, counting them."""

    def __init__(self) -> None:
        self._count = 0

    def route(self, node: Any, above: Route | None, path: tuple[int, ...]) -> Route:
        self._count += 1
        if self._count > MAX_ROUTES or len(path) > 100:
            raise UsageError(f"the routing tree is too large: more than {MAX_ROUTES:,} routes, or nested too deep")
        route = _mapping(node)
        key = _key(route)
        if above is None:
            above = Route(receiver="")
        else:
            key = f"{above.key}/{key}"
        own = Route(
            receiver=str(route.get("receiver") or above.receiver),
            matchers=_matchers(route),
            proceed=str(route.get("continue", "")).lower() in _TRUE,
            path=path,
            group_wait=str(route.get("group_wait") or above.group_wait),
            group_by=_group_by(route, above.group_by),
            key=key,
        )
        children = enumerate(_list(route.get("routes")))
        routes = tuple(self.route(child, own, (*path, i)) for i, child in children)
        return msgspec.structs.replace(own, routes=routes)


def _group_by(route: Mapping[str, Any], above: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """An empty list counts as none: the node above it decides."""
    labels = tuple(str(label) for label in _list(route.get("group_by")))
    return above if not labels else None if "..." in labels else labels


def _key(route: Mapping[str, Any]) -> str:
    """The matchers as they are in a group's key: sorted, and those of `match_re` with their anchors."""
    kinds = ["=", "!=", "=~", "!~"]
    matchers = sorted(_matchers(route, "^(?:%s)$"), key=lambda m: (m.name, m.value, kinds.index(m.op)))
    return "{" + ",".join(str(m) for m in matchers) + "}"


def _matchers(route: Mapping[str, Any], old_regex: str = "%s") -> Matchers:
    """The matchers of a route, of all three ways to write them. `old_regex` is how those of `match_re` are
    written."""
    found = [Matcher(str(n), str(v)) for n, v in _mapping(route.get("match")).items()]
    old = _mapping(route.get("match_re")).items()
    found += [Matcher(str(n), old_regex.replace("%s", str(v)), is_regex=True) for n, v in old]
    written = route.get("matchers")
    for text in [written] if isinstance(written, str) else _list(written):
        found += parse_matchers(str(text))
    return tuple(found)


def _mapping(node: Any) -> dict[str, Any]:
    """A mapping with what it merges (`<<`) in; an empty one for anything else."""
    if not isinstance(node, dict):
        return {}
    if "<<" not in node:
        return node
    merged: dict[str, Any] = {}
    sources = node["<<"] if isinstance(node["<<"], list) else [node["<<"]]
    for source in reversed(sources):
        merged |= _mapping(source)
    return merged | {key: value for key, value in node.items() if key != "<<"}


def _list(node: Any) -> list[Any]:
    return node if isinstance(node, list) else []


def _every(route: Route) -> Iterator[Route]:
    yield route
    for child in route.routes:
        yield from _every(child)
