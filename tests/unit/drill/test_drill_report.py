"""What a drill says of the times that it measured."""

from __future__ import annotations

import json

import jsonschema
import pytest
from markdown_it import MarkdownIt

from opsconsole.drill.model import STEPS, Drill, FaultRun, Step, Target, judged, targets_of
from opsconsole.drill.report import SCHEMA, as_json, as_markdown, as_text
from opsconsole.model.playbook import AlertGuide, Playbook
from opsconsole.model.verdicts import Level
from opsconsole.text import trusted

BOOK = Playbook(
    system="shop",
    title=trusted("Shop"),
    folder="shop",
    response={"critical": 300.0, "warning": 3600.0},
    acknowledge={"critical": 120.0},
    alerts={"Down": AlertGuide(name="Down", response=180.0)},
)

GOOD = {"pending": 2.0, "firing": 10.0, "visible": 12.0, "ack": 13.0, "rollback": 14.0, "resolved": 30.0}


def drill(*steps: Step, alert: str = "Down", fault: str = "down", stopped: str = "") -> Drill:
    return Drill(
        system=trusted("shop"),
        title=trusted("Shop"),
        compress=30.0,
        began=1_767_225_600.0,
        seconds=42.0,
        version="0.1.0",
        operator=trusted("kim"),
        runs=(FaultRun(fault=fault, alert=alert, severity="critical", steps=steps),) if steps else (),
        stopped=trusted(stopped),
    )


def levels(steps: tuple[Step, ...]) -> dict[str, Level]:
    return {step.name: step.level for step in steps}


def test_targets_are_the_playbooks_own() -> None:
    found = targets_of(BOOK, "Down", "critical")
    assert {name: (t.since, t.limit, t.source) for name, t in found.items()} == {
        "ack": ("firing", 120.0, "acknowledge"),
        "rollback": ("firing", 180.0, "response"),
    }
    assert targets_of(BOOK, "Slow", "warning")["ack"].limit == 3600.0, "without `acknowledge`, `response` counts"
    assert targets_of(BOOK, "Slow", "info") == {}


def test_a_step_within_its_target_is_ok_and_one_too_late_is_critical() -> None:
    targets = targets_of(BOOK, "Down", "critical")
    assert set(levels(judged(dict(GOOD), targets)).values()) == {Level.OK}
    late = levels(judged({**GOOD, "ack": 10.0 + 120.1}, targets))
    assert late["ack"] is Level.CRITICAL
    assert late["rollback"] is Level.OK


def test_what_was_not_seen_is_unknown_and_never_ok() -> None:
    targets = targets_of(BOOK, "Down", "critical")
    blind = levels(judged({**GOOD, "resolved": None}, targets))
    assert blind["resolved"] is Level.UNKNOWN
    no_start = levels(judged({**GOOD, "firing": None}, targets))
    assert (no_start["firing"], no_start["ack"]) == (Level.UNKNOWN, Level.UNKNOWN)
    assert "pending" not in levels(judged({"firing": 1.0}, {})), "a rule without `for:` is never pending"


def test_a_drill_that_ran_nothing_or_was_stopped_is_unknown() -> None:
    assert drill().level is Level.UNKNOWN
    stopped = drill(*judged(dict(GOOD), {}), stopped="it was interrupted")
    assert stopped.level is Level.UNKNOWN
    assert "it was interrupted" in as_text(stopped)


def test_text_names_the_missed_target() -> None:
    text = as_text(drill(*judged({**GOOD, "ack": 200.0}, targets_of(BOOK, "Down", "critical"))))
    assert "down: ack 3m10s after firing, the playbook's acknowledge is 2m" in text
    assert "200.0s!" in text
    assert text.splitlines()[-2].startswith("CRITICAL  1 fault of shop in 42s: 1 step missed")


def test_json_has_every_step_with_its_target() -> None:
    report = json.loads(as_json(drill(*judged(dict(GOOD), targets_of(BOOK, "Down", "critical")))))
    assert (report["version"], report["verdict"], report["began"]) == (1, "OK", "2026-01-01 00:00:00 UTC")
    ack = next(step for step in report["faults"][0]["steps"] if step["step"] == "ack")
    assert ack == {
        "step": "ack",
        "verdict": "OK",
        "seconds": 13.0,
        "target": {"since": "firing", "seconds": 120.0, "source": "acknowledge"},
        "took": 3.0,
        "note": "",
    }


def test_markdown_shows_hostile_names_as_they_are() -> None:
    note = "said <script>alert(1)</script> | [x](http://evil) `a`"
    step = Step(name="ack", level=Level.UNKNOWN, note=trusted(note))
    target = Target(step="ack", since="firing", limit=1.0, source=trusted("acknowledge"))
    done = Step(name="firing", level=Level.OK, seconds=1.0, target=target, took=1.0)
    text = as_markdown(drill(done, step, alert="a|b*c*", fault="<b>x</b>"))
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    kinds = {token.type for token in tokens} | {c.type for token in tokens for c in token.children or ()}
    assert "table_open" in kinds
    assert not kinds & {"html_block", "html_inline", "link_open", "code_inline", "em_open"}, kinds
    cells = [t.content for t in tokens if t.type == "inline"]
    assert r"a|b\*c\*" in cells, "the alert's name stands in one cell"
    assert "NOT PASSED" in text


@pytest.mark.parametrize(
    "report",
    [
        drill(),
        drill(*judged(dict(GOOD), targets_of(BOOK, "Down", "critical"))),
        drill(*judged({**GOOD, "ack": 200.0, "resolved": None}, targets_of(BOOK, "Down", "critical"))),
        drill(*judged({"firing": None, "ack": 3.0}, targets_of(BOOK, "Down", "critical")), stopped="interrupted"),
    ],
)
def test_the_json_is_of_its_schema(report: Drill) -> None:
    shape = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(shape)
    jsonschema.validate(json.loads(as_json(report)), shape)
    assert shape["$defs"]["step"]["properties"]["step"]["enum"] == list(STEPS)
