"""Expressions are compared by what they mean, and read for what they need."""

from __future__ import annotations

import pytest

from opsconsole.config.playbooks import list_playbooks, load_playbook
from opsconsole.model.durations import duration_text, seconds_of
from opsconsole.model.expressions import NotPromql, parse, same_meaning
from opsconsole.model.playbook import Dashboard, Panel, PanelGroup, PanelQuery, Playbook, RuleSpec
from opsconsole.model.uses import Metric, uses, uses_of
from opsconsole.text import trusted

SAME = [
    ("a > 1", "(a)  >   1.0"),
    ("sum by (b, a) (rate(x[5m]))", "sum(rate(x[300s])) by (a,b)"),
    ('x{b="1",a=~"2.*"}', "x{a=~'2.*', b=`1`,}"),
    ("100 * a / (b > 0)", "((100 * a) / (b > 0))"),
    ("a - b - c", "(a - b) - c"),
    ("a ^ b ^ c", "a ^ (b ^ c)"),
    ("-a ^ 2", "-(a ^ 2)"),
    ("a or b and c", "a or (b and c)"),
    ("a + on () b", "a + on() b"),
    ("a + ignoring () b", "a + b"),
    ("a / on (x) group_left b", "a / on(x) group_left() b"),
    ('{__name__="up",job="a"}', 'up{job="a"}'),
    ("a # a comment\n > 1e3", "a > 1000"),
    ("rate(x[1h30m:1m] offset 1d)", "rate(x[90m:60s] offset 24h)"),
    ("a > BOOL 1", "a > bool 1"),
    ("sum(x) by ()", "sum(x)"),
    ('label_replace(a, "k", "v\\\\w", "", "")', "label_replace(a, 'k', `v\\w`, '', '')"),
    ("+a > -1", "a > -1"),
    ("x @ end()", "x @  end( )"),
    ("absent(up{job='a'}) - 1", 'absent(up{job="a"}) - 1'),
]
DIFFERENT = [
    ("a > 1", "a >= 1"),
    ("a > 1", "a > 1.1"),
    ("a - (b - c)", "a - b - c"),
    ("(a + b) * c", "a + b * c"),
    ('x{a="1"}', 'x{a="2"}'),
    ('x{a="1"}', 'x{a=~"1"}'),
    ("rate(x[5m])", "rate(x[1m])"),
    ("rate(x[5m])", "irate(x[5m])"),
    ("sum by (a) (x)", "sum without (a) (x)"),
    ("sum by (a) (x)", "sum (x)"),
    ("a / on (x) b", "a / ignoring (x) b"),
    ("a / on (x) group_left (y) b", "a / on (x) group_left (z) b"),
    ("a or b", "b or a"),
    ("a == bool 1", "a == 1"),
    ("x offset 1m", "x offset -1m"),
    ("not ( promql", "not ( promql at all"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_means_the_same_is_the_same(one: str, other: str) -> None:
    assert same_meaning(one, other), (parse(one), parse(other))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_means_something_else_differs(one: str, other: str) -> None:
    assert not same_meaning(one, other)


def test_what_cannot_be_understood_is_compared_by_its_tokens() -> None:
    assert same_meaning("a ~ b", "a   ~ b")
    assert not same_meaning("a ~ b", "a ~ c")


@pytest.mark.parametrize("text", ["", "a >", "(a", "a)", "a{b}c", 'a{b="1"', "sum by a (b)", "a[5]x["])
def test_what_is_not_promql(text: str) -> None:
    with pytest.raises(NotPromql):
        parse(text)


@pytest.mark.parametrize("piece", ["(", "-", "f("])
def test_what_is_nested_too_deeply_is_refused(piece: str) -> None:
    with pytest.raises(NotPromql):
        parse(piece * 5000)


@pytest.mark.parametrize("folder", list_playbooks(), ids=lambda folder: folder.name)
def test_every_expression_of_the_shipped_playbooks_is_understood(folder: object) -> None:
    playbook = load_playbook(folder)  # type: ignore[arg-type]  # the ids are made of paths
    exprs = [q.expr for d in playbook.dashboards for p in d.panels for q in p.queries]
    exprs += [rule.expr for rule in playbook.rules]
    assert playbook.rules
    for expr in exprs:
        assert uses(expr).labels, expr


def names(expr: str) -> tuple[set[frozenset[str]], dict[str, set[str]]]:
    """What an expression needs and the labels that it uses, by the names of metrics."""
    found = uses(expr)
    labels: dict[str, set[str]] = {}
    for metric, used in found.labels:
        labels.setdefault(metric.name, set()).update(used)
    return {frozenset(m.name for m in either) for either in found.needed}, labels


@pytest.mark.parametrize(
    ("expr", "needed", "labels"),
    [
        ("up", [["up"]], {"up": ""}),
        ('sum by (job, route) (rate(r{code=~"5.."}[5m]))', [["r"]], {"r": "job route code"}),
        ("sum by (a) (x) / on (b) group_left (c) sum by (b, c) (y)", [["x"], ["y"]], {"x": "a", "y": "b c"}),
        ("absent(x)", [], {"x": ""}),
        ("x or vector(0)", [], {"x": ""}),
        ("sum(x) or 0 * sum(y)", [["x", "y"]], {"x": "", "y": ""}),
        ("x unless on (a) y", [["x"]], {"x": "a", "y": "a"}),
        ("x and on (a) y", [["x"], ["y"]], {"x": "a", "y": "a"}),
        ('sum by (k) (label_replace(x, "k", "$1", "i", "(.*)"))', [["x"]], {"x": ""}),
        ("topk by (a) (3, x)", [["x"]], {"x": "a"}),
        ("sum without (a) (x)", [["x"]], {"x": ""}),
        ('count(ALERTS{alertstate="firing"})', [], {"ALERTS": "alertstate"}),
        ("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", [["x_bucket"]], {"x_bucket": "le"}),
    ],
)
def test_what_an_expression_needs(expr: str, needed: list[list[str]], labels: dict[str, str]) -> None:
    assert names(expr) == ({frozenset(e) for e in needed}, {k: set(v.split()) for k, v in labels.items()})


def test_a_metric_is_told_apart_by_the_job_that_it_is_looked_for_in() -> None:
    found = {metric for metric, _ in uses('up{job="a"} + up{job="b"} + up').labels}
    assert len(found) == 3
    assert {metric.name for metric in found} == {"up"}


def test_a_panel_that_may_be_empty_needs_nothing_and_a_rule_all() -> None:
    panel = Panel(id="p", title=trusted("P"), queries=(PanelQuery(expr="sum by (a) (x)"),), empty="ok")
    board = Dashboard(id="d", title=trusted("D"), groups=(PanelGroup(title=trusted("G"), panels=(panel,)),))
    rule = RuleSpec(name="R", expr="y > 1")
    book = Playbook(system="s", title=trusted("S"), folder="/", dashboards=(board,), rules=(rule,))
    found = uses_of(book)
    assert found.needed == {frozenset({Metric("y")})}
    assert found.labels == {Metric("x"): {"a"}, Metric("y"): frozenset()}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15s", 15), ("1m0s", 60), ("1h30m", 5400), ("200h", 720000), ("30d", 2592000), ("500ms", 0.5), ("0s", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds
    assert seconds_of(duration_text(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "10GiB", "soon", "5 m", "-1s"])
def test_what_is_no_duration(text: str) -> None:
    assert seconds_of(text) is None
