"""Reading dashboards, panels, queries and thresholds out of a playbook."""

from __future__ import annotations

import re

from opsconsole.config import playbook_keys as keys
from opsconsole.config.nodes import Kind
from opsconsole.config.reader import Section, nearest
from opsconsole.model.playbook import Dashboard, Panel, PanelGroup, PanelQuery, Threshold
from opsconsole.model.units import UNITS
from opsconsole.text import safe

_ID = re.compile(keys.ID_PATTERN)
_MAX_WINDOW = 30 * 86400.0


class Ids:
    """The ids of one kind that were read, and the line of each, so that none is given twice. They stand under
    `key`."""

    def __init__(self, what: str, key: str = "id") -> None:
        self.what = what
        self.key = key
        self.lines: dict[str, int] = {}

    def read(self, section: Section) -> str:
        """The section's id; "" after noting that it is missing, malformed or taken."""
        name = section.text(self.key, required=True)
        if not name:
            return ""
        if not _ID.fullmatch(name):
            section.problem("must be letters, digits, _ and -, at most 64", "for instance error_rate", at=self.key)
            return ""
        if name in self.lines:
            section.problem(
                f"there are two {self.what}s with the {self.key} {name}",
                f"the first is on line {self.lines[name]}",
                at=self.key,
            )
            return ""
        self.lines[name] = section.line
        return name


def read_dashboards(root: Section) -> tuple[Dashboard, ...]:
    """The playbook's dashboards; panel ids are unique across all of them."""
    dashboards, panels = Ids("dashboard"), Ids("panel")
    return tuple(_dashboard(s, dashboards, panels) for s in root.sections("dashboards", "- {id: …, groups: […]}"))


def _dashboard(section: Section, dashboards: Ids, panels: Ids) -> Dashboard:
    section.only(keys.DASHBOARD)
    name = dashboards.read(section)
    section.get("groups", required=True, hint="a list of {title, panels}")
    return Dashboard(
        id=name,
        title=safe(section.text("title", name, outside=True), 80),
        refresh=section.duration("refresh", 5.0, 1.0, 3600.0),
        groups=tuple(_group(group, panels) for group in section.sections("groups", "- {title: …, panels: […]}")),
    )


def _group(section: Section, panels: Ids) -> PanelGroup:
    section.only(keys.GROUP)
    title = safe(section.text("title", required=True, outside=True), 80)
    section.get("panels", required=True, hint="a list of panels")
    return PanelGroup(
        title=title,
        panels=tuple(_panel(panel, panels) for panel in section.sections("panels", "- {id: …, queries: […]}")),
    )


def _panel(section: Section, panels: Ids) -> Panel:
    section.only(keys.PANEL, {"refresh": "refresh belongs to the dashboard", "expr": "use queries: [{expr: …}]"})
    name = panels.read(section)
    minimum, maximum = section.number("min"), section.number("max")
    if minimum is not None and maximum is not None and minimum >= maximum:
        section.problem("min must be less than max", at="max")
    queries = _queries(section)
    return Panel(
        id=name,
        title=safe(section.text("title", name, outside=True), 80),
        kind=keys.KINDS[section.choice("kind", keys.KINDS, "line", "a kind of panel")],
        unit=section.choice("unit", UNITS, "none", "a unit"),
        queries=queries,
        thresholds=tuple(_threshold(t) for t in section.sections("thresholds", "- {level: warning, above: 5}")),
        headline=safe(_headline(section, queries), 80),
        window=section.duration("range", 3600.0, 60.0, _MAX_WINDOW),
        minimum=minimum,
        maximum=maximum,
        top=section.whole("top", 10, 1, keys.MAX_TOP),
        empty=section.choice("empty", keys.EMPTY, "unknown", "a meaning of an empty result"),
    )


def _queries(section: Section) -> tuple[PanelQuery, ...]:
    value = section.get("queries", required=True, hint="- {legend: …, expr: …}")
    bodies = section.sections("queries", "- {legend: …, expr: …}")
    if value is not None and value.node.kind is Kind.LIST and not value.node.items:
        section.problem("has no query", "give at least one", at="queries")
    found = []
    for body in bodies:
        body.only(keys.QUERY)
        expr = body.text("expr", required=True, outside=True).strip()
        found.append(PanelQuery(expr=expr, legend=safe(body.text("legend", outside=True), 80)))
    return tuple(found)


def _headline(section: Section, queries: tuple[PanelQuery, ...]) -> str:
    headline = section.text("headline", outside=True)
    legends = [str(query.legend) for query in queries if query.legend]
    if headline and safe(headline, 80) not in legends:
        section.problem(
            f"no query has the legend `{safe(headline, 60)}`", nearest(headline, legends), at="headline"
        )
    return headline


def _threshold(section: Section) -> Threshold:
    section.only(keys.THRESHOLD)
    section.get("level", required=True, hint="warning or critical")
    level = section.choice("level", keys.LEVELS, "warning", "a level")
    if section.has("above") == section.has("below"):
        section.problem("needs exactly one of above and below", "for instance {level: warning, above: 500}")
    return Threshold(
        level=keys.LEVELS[level],
        above=section.number("above"),
        below=section.number("below"),
        hold=section.duration("for", 0.0, 0.0, 86400.0),
    )
