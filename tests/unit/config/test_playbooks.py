"""Playbooks and their runbooks: what they mean, every problem they can have, and which runbook an alert has."""

# ruff: noqa: E501  one case per line: the table is read by columns

from __future__ import annotations

from pathlib import Path

import pytest

from opsconsole.config import paths
from opsconsole.config.playbooks import find_playbook, list_playbooks, load_playbook
from opsconsole.errors import ConfigError, UsageError
from opsconsole.model.playbook import PanelKind, Playbook
from opsconsole.model.runbook import Runbook
from opsconsole.model.runbooks import camel, kebab, runbook_for
from opsconsole.model.verdicts import Level
from opsconsole.text import trusted

FULL = """\
system: shop
title: The Shop
owner: platform-on-call
jobs:
  - {name: shop, instances: 2}
response: {critical: 5m, high: 15m}
flag_panel: error_rate
alerts:
  HighErrorRate: {response: 1m, panel: error_rate, runbook: errors.md, distinguish: [route]}
  PoolFull: {}
dashboards:
  - id: operations
    title: Operations
    refresh: 10s
    groups:
      - title: API
        panels:
          - id: error_rate
            title: Error rate
            kind: gauge
            unit: percent
            range: 30m
            headline: 5xx
            queries:
              - {legend: all, expr: a}
              - legend: 5xx
                expr: |
                  b
                  / c
            thresholds:
              - {level: warning, above: 0.5, for: 5m}
              - {level: critical, below: -1}
            min: 0
            max: 100
            top: 5
            empty: zero
          - id: plain
            queries: [{expr: up}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "runbooks").mkdir(parents=True)
    (folder / "runbooks" / "errors.md").write_text('Intro\n\n# Errors go up #\n\n```sh title="logs"\nls\n```\n')
    (folder / "runbooks" / "pool-full.md").write_text(
        "---\nalerts: [PoolFull, PoolWarning]\ntitle: The pool\nowner: dba\nreviewed: 2026-11-01\n---\nbody\n"
    )
    (folder / "runbooks" / "queue-depth-high.md").write_text("no heading\n")
    (folder / "runbooks" / "notes.txt").write_text("not a runbook\n")
    return folder


def load(folder: Path, text: str) -> Playbook:
    (folder / "playbook.yaml").write_text(text)
    return load_playbook(folder)


def test_a_full_playbook(folder: Path) -> None:
    playbook = load(folder, FULL)
    assert (playbook.system, playbook.title, playbook.owner) == ("shop", "The Shop", "platform-on-call")
    assert (playbook.folder, playbook.flag_panel) == (str(folder), "error_rate")
    assert [(j.name, j.instances) for j in playbook.jobs] == [("shop", 2)]
    assert playbook.response_time("HighErrorRate", "critical") == 60
    assert playbook.response_time("PoolFull", "high") == 900
    assert playbook.alerts["HighErrorRate"].distinguish == ("route",)

    dashboard = playbook.dashboards[0]
    assert (dashboard.id, dashboard.title, dashboard.refresh) == ("operations", "Operations", 10.0)
    panel = dashboard.panels[0]
    assert (panel.kind, panel.unit, panel.window, panel.headline) == (PanelKind.GAUGE, "percent", 1800.0, "5xx")
    assert (panel.minimum, panel.maximum, panel.top, panel.empty) == (0.0, 100.0, 5, "zero")
    assert panel.queries[1].expr == "b\n/ c"
    warning, critical = panel.thresholds
    assert (warning.level, warning.above, warning.below, warning.hold) == (Level.WARNING, 0.5, None, 300.0)
    assert (critical.level, critical.above, critical.below) == (Level.CRITICAL, None, -1.0)
    plain = dashboard.panels[1]
    assert (plain.title, plain.kind, plain.unit, plain.empty) == ("plain", PanelKind.LINE, "none", "unknown")


def test_runbooks_by_entry_front_matter_and_file_name(folder: Path) -> None:
    books = load(folder, FULL).runbooks
    assert {alert: Path(book.path).name for alert, book in books.items()} == {
        "HighErrorRate": "errors.md",
        "PoolFull": "pool-full.md",
        "PoolWarning": "pool-full.md",
        "QueueDepthHigh": "queue-depth-high.md",
    }
    errors, pool, queue = books["HighErrorRate"], books["PoolFull"], books["QueueDepthHigh"]
    assert (errors.title, pool.title, queue.title) == ("Errors go up", "The pool", "queue-depth-high")
    assert (pool.body, pool.owner, pool.reviewed) == ("body\n", "dba", "2026-11-01")
    assert pool.alerts == ("PoolFull", "PoolWarning")
    assert [(c.title, c.script) for c in errors.commands] == [("logs", "ls")]


def panel(body: str) -> str:
    """A playbook with one panel; its body starts on line 10."""
    lines = "".join(f"            {line}\n" for line in body.splitlines())
    return f"system: s\n\n\ndashboards:\n  - id: d\n    groups:\n      - title: g\n        panels:\n          - id: p\n{lines}"


Q = "queries: [{legend: l, expr: up}]\n"
PANEL = "dashboards[0].groups[0].panels[0]"

# fmt: off
PROBLEMS = [
    ("title: x\n", 1, "system", "is missing", ""),
    ("system: s\ndashbords: []\n", 2, "dashbords", "is not a known key", "did you mean dashboards?"),
    ("system: s\njobs: [{instances: 1}]\n", 2, "jobs[0].name", "is missing", ""),
    ("system: s\njobs: [{name: a, instances: 0}]\n", 2, "jobs[0].instances", "must be a whole number from 1 to 100000, not `0`", ""),
    ("system: s\njobs: [{name: a}, {name: a}]\n", 2, "jobs[1].name", "the job a is here twice", "keep one"),
    ("system: s\nresponse: {critcal: 5m}\n", 2, "response.critcal", "is not a known key", "did you mean critical?"),
    ("system: s\nresponse: {critical: 5}\n", 2, "response.critical", "must be a duration, not `5`", "write it as Prometheus does: 30s, 5m, 1h30m"),
    ("system: s\nresponse: {critical: 0s}\n", 2, "response.critical", "must be from 1 s to 604800 s", ""),
    (panel(Q) + "flag_panel: q\n", 11, "flag_panel", "there is no panel `q`", "known: p"),
    (panel(Q) + "alerts:\n  A: {panel: P1}\n", 12, "alerts.A.panel", "there is no panel `P1`", "did you mean p?"),
    ("system: s\nalerts: {A: {runbok: x.md}}\n", 2, "alerts.A.runbok", "is not a known key", "did you mean runbook?"),
    ("system: s\nalerts: {A: {runbook: eror.md}}\n", 2, "alerts.A.runbook", "the runbook eror.md is not there", "did you mean errors.md?"),
    ("system: s\nalerts: {A: {runbook: ../../secret.md}}\n", 2, "alerts.A.runbook", "the runbook ../../secret.md is outside the playbook's folder", "known: errors.md, pool-full.md, queue-depth-high.md"),
    ("system: s\nalerts: {A: {runbook: /etc/passwd}}\n", 2, "alerts.A.runbook", "the runbook /etc/passwd is outside the playbook's folder", "known: errors.md, pool-full.md, queue-depth-high.md"),
    ("system: s\nalerts: {A: {runbook: .}}\n", 2, "alerts.A.runbook", "the runbook . is not a file", "known: errors.md, pool-full.md, queue-depth-high.md"),
    ("system: s\nalerts: {A: {distinguish: route}}\n", 2, "alerts.A.distinguish", "must be a list, not `route`", "write it as [one, two]"),
    ("system: s\ndashboards: [{groups: []}]\n", 2, "dashboards[0].id", "is missing", ""),
    ("system: s\ndashboards: [{id: d}]\n", 2, "dashboards[0].groups", "is missing", "a list of {title, panels}"),
    ("system: s\ndashboards: [{id: d, groups: [], refresh: 0s}]\n", 2, "dashboards[0].refresh", "must be from 1 s to 3600 s", ""),
    ("system: s\ndashboards:\n- {id: d, groups: []}\n- {id: d, groups: []}\n", 4, "dashboards[1].id", "there are two dashboards with the id d", "the first is on line 3"),
    ("system: s\ndashboards: [{id: d, groups: [{title: g}]}]\n", 2, "dashboards[0].groups[0].panels", "is missing", "a list of panels"),
    (panel(Q) + "          - {id: p, queries: [{expr: a}]}\n", 11, "dashboards[0].groups[0].panels[1].id", "there are two panels with the id p", "the first is on line 9"),
    (panel(Q).replace("id: p", "id: a b"), 9, f"{PANEL}.id", "must be letters, digits, _ and -, at most 64", "for instance error_rate"),
    (panel("title: x"), 9, f"{PANEL}.queries", "is missing", "- {legend: …, expr: …}"),
    (panel("queries:"), 10, f"{PANEL}.queries", "is empty", "- {legend: …, expr: …}"),
    (panel("queries: []"), 10, f"{PANEL}.queries", "has no query", "give at least one"),
    (panel("queries: up"), 10, f"{PANEL}.queries", "must be a list, not `up`", "- {legend: …, expr: …}"),
    (panel("queries: [{legend: a}]"), 10, f"{PANEL}.queries[0].expr", "is missing", ""),
    (panel(Q + "expr: up"), 11, f"{PANEL}.expr", "is not supported", "use queries: [{expr: …}]"),
    (panel(Q + "kind: lines"), 11, f"{PANEL}.kind", "`lines` is not a kind of panel", "did you mean line?"),
    (panel(Q + "unit: percents"), 11, f"{PANEL}.unit", "`percents` is not a unit", "did you mean percent?"),
    (panel(Q + "headline: p95"), 11, f"{PANEL}.headline", "no query has the legend `p95`", "known: l"),
    (panel(Q + "range: 1s"), 11, f"{PANEL}.range", "must be from 60 s to 2.592e+06 s", ""),
    (panel(Q + "min: 5\nmax: 5"), 12, f"{PANEL}.max", "min must be less than max", ""),
    (panel(Q + "min: '5'"), 11, f"{PANEL}.min", "must be a number, not `5`", ""),
    (panel(Q + "min: .inf"), 11, f"{PANEL}.min", "must be a number, not `.inf`", ""),
    (panel(Q + "top: 1000"), 11, f"{PANEL}.top", "must be a whole number from 1 to 100, not `1000`", ""),
    (panel(Q + "empty: nothing"), 11, f"{PANEL}.empty", "`nothing` is not a meaning of an empty result", "known: ok, unknown, zero"),
    (panel(Q + "thresholds:\n  - {above: 5}"), 12, f"{PANEL}.thresholds[0].level", "is missing", "warning or critical"),
    (panel(Q + "thresholds:\n  - {level: crit, above: 5}"), 12, f"{PANEL}.thresholds[0].level", "`crit` is not a level", "did you mean critical?"),
    (panel(Q + "thresholds:\n  - {level: warning}"), 12, f"{PANEL}.thresholds[0]", "needs exactly one of above and below", "for instance {level: warning, above: 500}"),
    (panel(Q + "thresholds:\n  - {level: warning, above: 5, below: 1}"), 12, f"{PANEL}.thresholds[0]", "needs exactly one of above and below", "for instance {level: warning, above: 500}"),
]
# fmt: on


@pytest.mark.parametrize(("text", "line", "key", "message", "hint"), PROBLEMS)
def test_every_problem_has_file_line_key_and_hint(
    folder: Path, text: str, line: int, key: str, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    found = [(p.file, p.line, p.key, p.message, p.hint) for p in caught.value.problems]
    assert found == [(str(folder / "playbook.yaml"), line, key, message, hint)]


@pytest.mark.parametrize(
    ("text", "line", "key", "message", "hint"),
    [
        ("---\nalert: A\n---\n", 2, "alert", "is not a known key", "did you mean alerts?"),
        ("---\ntitle: x\nalerts: A\n---\n", 3, "alerts", "must be a list, not `A`", "write it as [one, two]"),
        ("---\nreviewed: last week\n---\n", 2, "reviewed", "`last week` is not a date", "write it as 2026-11-01"),
        (
            "---\ntitle: x\nowner: 'x\n---\n",
            4,
            "",
            "is not valid YAML: while scanning a quoted scalar, found unexpected end of stream",
            "",
        ),
        ("---\nalerts: [PoolFull]\n---\n", 1, "alerts", "two runbooks name the alert PoolFull", "the other is "),
    ],
)
def test_problems_of_a_runbook(folder: Path, text: str, line: int, key: str, message: str, hint: str) -> None:
    file = folder / "runbooks" / "x.md"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(folder, "system: s\n")
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.key, problem.message) == (str(file), line, key, message)
    assert problem.hint.startswith(hint)


def test_runbooks_that_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    (folder / "runbooks" / "out.md").symlink_to(tmp_path / "secret.md")
    (folder / "runbooks" / "gone.md").symlink_to(folder / "none.md")
    (folder / "runbooks" / "folder.md").mkdir()
    (folder / "runbooks" / "bytes.md").write_bytes(b"a\n\xff")
    with pytest.raises(ConfigError) as caught:
        load(folder, "system: s\nalerts: {A: {runbook: bytes.md}}\n")
    at = folder / "runbooks"
    assert [str(p) for p in caught.value.problems] == [
        f"{at}/bytes.md:2: is not UTF-8 text (byte 0xff) (save it as UTF-8)",
        f"{at}/folder.md: is not a file",
        f"{at}/gone.md: is not there",
        f"{at}/out.md: is outside the playbook's folder",
    ]


def test_a_symlink_inside_the_folder_is_fine(folder: Path) -> None:
    (folder / "runbooks" / "also.md").symlink_to("errors.md")
    assert load(folder, FULL).runbooks["Also"].title == "Errors go up"


def test_all_problems_of_playbook_and_runbooks_come_at_once(folder: Path) -> None:
    (folder / "runbooks" / "x.md").write_text("---\nx: 1\n---\n")
    with pytest.raises(ConfigError) as caught:
        load(folder, panel(Q + "kind: x\nunit: x") + "typo: 1\n")
    assert [(Path(p.file).name, p.line) for p in caught.value.problems] == [
        ("playbook.yaml", 11),
        ("playbook.yaml", 12),
        ("playbook.yaml", 13),
        ("x.md", 2),
    ]


def test_hostile_text_is_shown_safely(folder: Path) -> None:
    (folder / "runbooks" / "x.md").write_text("# a\x1b[31mb\n")
    playbook = load(folder, 'system: s\ntitle: "a\\e]52;c;x\\u202e"\n')
    assert playbook.title == "a\\x1b]52;c;x\\u202e"
    assert playbook.runbooks["X"].title == "a\\x1b[31mb"


def test_a_folder_without_runbooks_or_playbook(tmp_path: Path) -> None:
    assert load(tmp_path, "system: s\n").runbooks == {}
    (tmp_path / "playbook.yaml").unlink()
    with pytest.raises(ConfigError, match=r"playbook\.yaml: there is no such file"):
        load_playbook(tmp_path)


def test_every_shipped_playbook_loads() -> None:
    shipped = list_playbooks()
    assert "accubooks" in [path.name for path in shipped]
    for path in shipped:
        assert load_playbook(path).dashboards


def test_finding_a_playbook(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(folder, FULL)
    monkeypatch.chdir(folder.parent)
    assert find_playbook("accubooks").name == "accubooks"
    assert find_playbook("./shop") == Path("shop")
    assert find_playbook(str(folder / "playbook.yaml")) == folder
    with pytest.raises(UsageError, match="there is no shipped playbook `accubook`") as caught:
        find_playbook("accubook")
    assert caught.value.hint == "did you mean accubooks?; a folder of your own needs a slash: ./accubook"
    with pytest.raises(UsageError, match="no shipped playbook `shop`"):
        find_playbook("shop")
    with pytest.raises(UsageError, match=r"there is no playbook\.yaml in /none"):
        find_playbook("/none")


def test_shipped_playbooks_are_inside_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "opsconsole"
    (package / "_playbooks" / "one").mkdir(parents=True)
    (package / "_playbooks" / "one" / "playbook.yaml").write_text("system: one\n")
    monkeypatch.setattr(paths.opsconsole, "__file__", str(package / "__init__.py"))
    assert [path.name for path in list_playbooks()] == ["one"]
    (tmp_path / "opsconsole" / "_playbooks").rename(tmp_path / "playbooks")
    assert list_playbooks() == (tmp_path / "playbooks" / "one",)


def book(name: str) -> Runbook:
    return Runbook(path=f"/books/runbooks/{name}.md", title=trusted(name), body="")


BOOKS = Playbook(
    system="s",
    title=trusted("s"),
    folder="/books",
    runbooks={"Named": book("a"), "HttpErrors": book("http-errors"), "HighLatency": book("high-latency")},
)


@pytest.mark.parametrize(
    ("alert", "url", "stem"),
    [
        ("Named", "https://x/high-latency", "a"),
        ("HTTPErrors", "", "http-errors"),
        ("X", "https://wiki.example/runbooks/high-latency", "high-latency"),
        ("X", "https://wiki.example/runbooks/high-latency.md#steps", "high-latency"),
        ("X", "http://wiki.example/HighLatency/?a=b", "high-latency"),
        ("X", "file:///books/runbooks/high-latency.md", "high-latency"),
        ("X", "/elsewhere/high-latency.md", "high-latency"),
        ("X", "runbooks/high%2Dlatency", "high-latency"),
        ("X", "high-latency.md", "high-latency"),
        ("X", "https://wiki.example/high-latency.html", None),
        ("X", "https://wiki.example/", None),
        ("X", "javascript:high-latency", None),
        ("X", "http://[", None),
        ("X", "", None),
    ],
)
def test_the_runbook_of_an_alert(alert: str, url: str, stem: str | None) -> None:
    found = runbook_for(BOOKS, alert, url)
    assert (found.title if found else None) == stem


@pytest.mark.parametrize(
    ("name", "expected"),
    [("HighErrorRate", "high-error-rate"), ("HTTPErrors5xx", "http-errors5xx"), ("a_b c", "a-b-c"), ("", "")],
)
def test_kebab(name: str, expected: str) -> None:
    assert kebab(name) == expected


def test_camel_undoes_kebab() -> None:
    assert camel("high-error-rate") == "HighErrorRate"
