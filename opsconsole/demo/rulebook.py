"""The rules that the demo evaluates, read from the playbook, and the few of its own around them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from opsconsole.demo import expr
from opsconsole.errors import ConfigError, Problem
from opsconsole.model.matchers import Matcher, Matchers, parse_matchers

_NEIGHBOURS = """
groups:
  - name: neighbours
    rules:
      - alert: DiskFillingUp
        expr: max by (job, instance, mountpoint) (filesystem_used_percent{job="node"}) > 80
        for: 10m
        labels: {severity: warning, team: databases}
        annotations:
          summary: 'Disk of {{ $labels.instance }} fills up'
          description: '{{ $labels.mountpoint }} is {{ $value | printf "%.0f" }}% full (warned above 80%).'
      - alert: CertificateExpiresSoon
        expr: min by (job, host) (tls_certificate_days_left{job="probe"}) < 14
        for: 10m
        labels: {severity: info, team: platform}
        annotations:
          summary: 'The certificate of {{ $labels.host }} expires in {{ $value | printf "%.0f" }} days'
"""


class DemoRule(msgspec.Struct, frozen=True):
    """One alerting rule. `hold` and `keep` are seconds as they apply in the demo: already compressed."""

    name: str
    query: str
    node: expr.Node
    hold: float
    keep: float
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class DemoGroup(msgspec.Struct, frozen=True):
    name: str
    file: str
    rules: tuple[DemoRule, ...]


class InhibitRule(msgspec.Struct, frozen=True):
    source: Matchers
    target: Matchers
    equal: tuple[str, ...]


class Route(msgspec.Struct, frozen=True):
    """One node of Alertmanager's routing tree."""

    receiver: str
    matchers: Matchers
    group_by: tuple[str, ...]
    proceed: bool
    routes: tuple[Route, ...]

    def find(self, labels: Mapping[str, str]) -> tuple[Route, ...]:
        """The routes that an alert ends at."""
        if not all(m.matches(labels) for m in self.matchers):
            return ()
        found: list[Route] = []
        for child in self.routes:
            hits = child.find(labels)
            found += hits
            if hits and not child.proceed:
                break
        return tuple(found) or (self,)


class Routing(msgspec.Struct, frozen=True):
    """What the demo needs of an alertmanager.yaml. `original` is its text."""

    original: str
    root: Route
    receivers: tuple[str, ...]
    inhibit: tuple[InhibitRule, ...]


def load_rules(path: Path, compress: float) -> tuple[DemoGroup, ...]:
    """The groups of a rules.yaml, and the demo's own. Delays are divided by `compress`.

    Raises ConfigError for a file that cannot be read and an expression that the demo cannot parse.
    """
    groups = [_group(g, str(path), compress) for g in _yaml(path)["groups"]]
    own = yaml.safe_load(_NEIGHBOURS)["groups"]
    return (*groups, *(_group(g, "neighbours.yaml", compress) for g in own))


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError((Problem(str(path), 0, "", f"cannot be read: {error}"),)) from None


def _group(group: Mapping[str, Any], file: str, compress: float) -> DemoGroup:
    rules = tuple(_rule(r, file, compress) for r in group["rules"] if "alert" in r)
    return DemoGroup(str(group["name"]), file, rules)


def _rule(rule: Mapping[str, Any], file: str, compress: float) -> DemoRule:
    query = str(rule["expr"]).strip()
    try:
        node = expr.parse(query)
    except (expr.Malformed, expr.NoData) as error:
        raise ConfigError((Problem(file, 0, str(rule["alert"]), str(error)),)) from None
    return DemoRule(
        name=str(rule["alert"]),
        query=query,
        node=node,
        hold=expr.duration(str(rule.get("for", "0s"))) / compress,
        keep=expr.duration(str(rule.get("keep_firing_for", "0s"))) / compress,
        labels={k: str(v) for k, v in rule.get("labels", {}).items()},
        annotations={k: str(v) for k, v in rule.get("annotations", {}).items()},
    )


def load_routing(path: Path) -> Routing:
    """The routes, receivers and inhibition of an alertmanager.yaml. Raises ConfigError when it cannot be
    read."""
    config = _yaml(path)
    return Routing(
        original=path.read_text("utf-8"),
        root=_route(config["route"], "", ()),
        receivers=tuple(sorted(str(r["name"]) for r in config["receivers"])),
        inhibit=tuple(
            InhibitRule(
                _matchers(rule.get("source_matchers", ())),
                _matchers(rule.get("target_matchers", ())),
                tuple(rule.get("equal", ())),
            )
            for rule in config.get("inhibit_rules", ())
        ),
    )


def _route(route: Mapping[str, Any], receiver: str, group_by: tuple[str, ...]) -> Route:
    receiver = str(route.get("receiver", receiver))
    group_by = tuple(route.get("group_by", group_by))
    return Route(
        receiver,
        _matchers(route.get("matchers", ())),
        group_by,
        bool(route.get("continue", False)),
        tuple(_route(child, receiver, group_by) for child in route.get("routes", ())),
    )


def _matchers(texts: Any) -> Matchers:
    found: tuple[Matcher, ...] = ()
    for text in texts:
        found += parse_matchers(text)
    return found


_FIELD = re.compile(r"\{\{\s*(?:\$labels\.(?P<label>\w+)|\$value(?:\s*\|\s*(?P<how>[^}]*?))?)\s*\}\}")


def expand(template: str, labels: Mapping[str, str], value: float) -> str:
    """An annotation with `{{ $labels.x }}` and `{{ $value | printf "%.1f" }}` filled in."""

    def fill(found: re.Match[str]) -> str:
        if found["label"]:
            return labels.get(found["label"], "")
        how = (found["how"] or "").strip()
        printf = re.fullmatch(r'printf\s+"(%[0-9.]*[fgde])(%%)?([^"%]*)"', how)
        if printf:
            return f"{printf[1] % value}{'%' if printf[2] else ''}{printf[3]}"
        if how == "humanizePercentage":
            return f"{value * 100:.4g}%"
        return f"{value:.4g}"

    return _FIELD.sub(fill, template)
