"""Tables and bars: the largest first, or the smallest when the query asks for those."""

from __future__ import annotations

import pytest

from opsconsole.model.panels import PanelData, panel_state
from opsconsole.model.playbook import Panel, PanelKind, PanelQuery
from opsconsole.model.reading import Reading
from opsconsole.model.series import QueryResult, Series
from opsconsole.text import trusted
from opsconsole.ui.panels.contents import Look, contents, window_of

NOW = 1_000_000.0


def rows(expr: str, kind: PanelKind) -> list[str]:
    """The first word of each row."""
    panel = Panel(
        id="p", title=trusted("P"), kind=kind, queries=(PanelQuery(expr=expr, legend=trusted("{{name}}")),)
    )
    series = [Series({"name": name}, (NOW,), (value,)) for name, value in (("b", 2.0), ("c", 3.0), ("a", 1.0))]
    data = PanelData((QueryResult("vector", tuple(series)),))
    state = panel_state(panel, Reading(data=data, at=NOW), NOW)
    window = window_of(3600.0, NOW)
    drawn = contents(panel, data, state, width=30, height=4, window=window, marks=(), look=Look())
    return [row.plain.split()[0] for row in drawn if row.plain.strip()]


@pytest.mark.parametrize("kind", [PanelKind.TABLE, PanelKind.BARS])
@pytest.mark.parametrize(
    ("expr", "order"),
    [
        ("metric", ["c", "b", "a"]),
        ("topk(10, metric)", ["c", "b", "a"]),
        ("bottomk(10, metric)", ["a", "b", "c"]),
        ("sort(metric)", ["a", "b", "c"]),
        ("sort_desc(metric)", ["c", "b", "a"]),
    ],
)
def test_the_query_says_which_come_first(kind: PanelKind, expr: str, order: list[str]) -> None:
    assert rows(expr, kind) == order
