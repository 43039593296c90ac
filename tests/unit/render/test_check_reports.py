"""Every format of `check`, read back by somebody else's program, with texts that try to break out of it."""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from itertools import pairwise
from typing import Any

import jsonschema
import msgspec
import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from opsconsole.model.report import Baseline, Report, judged
from opsconsole.model.verdicts import Level, Measure, Range, Verdict
from opsconsole.render.reports import FORMATS, written
from opsconsole.render.reports.json import schema
from opsconsole.text import safe, trusted

HOSTILE = [
    "a 'quoted' \"word\" and a \\ backslash",
    "two\nlines and a\ttab",
    "a | bar | and || two",
    "<script>alert(1)</script> &amp; <!-- ]]> -->",
    "\x1b[31mred\x1b[0m \x00 \x07 \x9b31m",
    "**bold** _it_ [link](http://evil.example) ![img](x) `code` ``two`` # head > quote ~~no~~ $x$",
    "http://evil.example www.evil.example https://a.example/?b=c",
    "key=value;1;2;3 'x'=5 time=9s",
    "\u202egnp.exe \u200b\ufffe\ud800 日本 Störung",
    "x" * 5_000,
    "  ",
    "",
    "- [x] done",
    "1. one",
    "</td></tr></table>",
]


def verdict(id: str, level: Level = Level.OK, **more: Any) -> Verdict:
    given: dict[str, Any] = {"title": trusted("A title"), "reason": trusted("a reason"), **more}
    return Verdict(id=id, level=level, **given)


LATENCY = Measure(value=812.5, unit="ms", warning=Range(high=500.0), critical=Range(high=1000.0))
USUAL = (
    verdict("sources.prometheus.ready", duration=0.012),
    verdict("thresholds.books.latency", Level.WARNING, reason=trusted("812.5 ms, above 500"), measure=LATENCY),
    verdict("thresholds.books.errors", measure=Measure(value=0.005, unit="ratio", critical=Range(high=0.05))),
    verdict("thresholds.books.hits", Level.UNKNOWN, measure=Measure(value=None, warning=Range(low=80.0))),
    verdict("alerts.active", Level.CRITICAL, evidence=(trusted("one"), trusted("two")), hint=trusted("look")),
)


def hostile() -> tuple[Verdict, ...]:
    """Every text in every place that holds text from outside, as it arrives: safe, and once unsafe."""
    made = []
    for number, raw in enumerate(HOSTILE):
        for kind, text in (("safe", safe(raw)), ("raw", trusted(raw.replace("\ud800", "")))):
            level = Level(number % 4)
            measure = Measure(
                value=float("inf") if number % 2 else -1.5e-7, unit="s", warning=Range(low=1.0, high=2.0)
            )
            id = f"{kind}.{number}.{safe(raw, 80)}"
            made.append(
                verdict(id, level, title=text, reason=text, evidence=(text, text), hint=text, measure=measure)
            )
    return tuple(made)


def report(verdicts: tuple[Verdict, ...] = USUAL, *, lines: Any = None, **more: Any) -> Report:
    given: dict[str, Any] = {
        "lines": judged(verdicts) if lines is None else lines,
        "began": 1_767_225_600.0,
        "took": 0.25,
        "program": "9.9",
        "context": trusted("prod"),
        **more,
    }
    return Report(**given)


def all_kinds() -> dict[str, Report]:
    raw = trusted("<b>x</b>|\n`y`")
    old = Baseline(
        source=safe("old 'file'|.json"),
        time=trusted("2026-01-01T00:00:00Z"),
        verdicts=(*USUAL[:2], verdict("targets.gone"), verdict("alerts.active", Level.CRITICAL)),
    )
    return {
        "usual": report(),
        "all well": report(USUAL[:1]),
        "nothing": report(()),
        "hostile": report(
            hostile(),
            context=raw,
            environment=raw,
            operator=raw,
            system_version=raw,
            systems=(raw,),
            servers=((raw, raw),),
            only=(raw,),
            skip=(raw,),
        ),
        "lenient": report(lines=judged(USUAL, unknown_as=Level.OK), unknown_as=Level.OK),
        "compared": report(lines=judged(USUAL, baseline=old), baseline=old),
    }


KINDS = all_kinds()
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
@pytest.mark.parametrize("format", FORMATS)
def test_no_format_holds_a_character_that_acts_on_a_terminal(format: str, kind: str) -> None:
    text = written(KINDS[kind], format)
    assert text.endswith("\n")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    text.encode()


# JSON


@kinds
@pytest.mark.parametrize("compact", [False, True])
def test_json_is_what_its_schema_says(kind: str, compact: bool) -> None:
    rules = json.loads(schema())
    jsonschema.Draft202012Validator.check_schema(rules)
    text = written(KINDS[kind], "json", compact=compact)
    found = json.loads(text)
    jsonschema.validate(found, rules, cls=jsonschema.Draft202012Validator)
    assert len(text.splitlines()) == 1 or not compact
    assert [c["reason"] for c in found["checks"]] == [line.verdict.reason for line in KINDS[kind].lines]
    assert found["verdict"] == KINDS[kind].level.name


def test_the_schema_refuses_what_is_no_report() -> None:
    found = json.loads(written(KINDS["usual"], "json"))
    for broken in (
        {**found, "verdict": "FINE"},
        {**found, "surplus": 1},
        {k: v for k, v in found.items() if k != "checks"},
        {**found, "checks": [{**found["checks"][0], "duration": "long"}]},
        {**found, "version": 2},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, json.loads(schema()))


# JUnit


@kinds
def test_a_junit_parser_reads_it(kind: str) -> None:
    whole = KINDS[kind]
    suites = list(JUnitXml.fromstring(written(whole, "junit").encode()))
    cases = {case.name: case for suite in suites for case in suite}
    outcomes = {Failure: "failure", Error: "error", Skipped: "skipped"}
    if not whole.lines:
        assert [type(r) for c in cases.values() for r in c.result] == [Error], "nothing checked is not a success"
    for line in whole.lines:
        (name,) = [n for n in cases if n == line.verdict.id.replace("\ufffe", "\ufffd")]
        got = [outcomes[type(result)] for result in cases[name].result]
        if line.counts is Level.OK:
            assert got == ([] if line.verdict.level is Level.OK else ["skipped"]), name
        else:
            assert got == ["error" if line.counts is Level.UNKNOWN else "failure"], name
        if got:
            assert cases[name].result[0].message.startswith(line.verdict.level.name)


@kinds
def test_junit_keeps_the_rules_of_the_usual_schema(kind: str) -> None:
    """The order of elements, the attributes that are required, and numbers that add up."""
    root = ET.fromstring(written(KINDS[kind], "junit"))
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        cases = suite.findall("testcase")
        assert int(suite.attrib["tests"]) == len(cases)
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert int(suite.attrib["errors"]) == len(suite.findall("testcase/error"))
        float(suite.attrib["time"])
        assert suite.attrib["hostname"].strip()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        order = ["properties", "testcase", "system-out", "system-err"]
        tags = [child.tag for child in suite]
        assert tags == sorted(tags, key=order.index)
        for case in cases:
            assert set(case.attrib) == {"classname", "name", "time"}
            assert [c.tag for c in case] in ([], ["failure"], ["error"], ["skipped"])
            for child in case:
                assert child.tag == "skipped" or {"type", "message"} == set(child.attrib)
    assert sum(int(s.attrib["tests"]) for s in root) == int(root.attrib["tests"])


# Nagios

NUMBER = r"-?(?:\d+(?:\.\d*)?|\.\d+)"
RANGE = rf"@?(?:(?:~|{NUMBER}):)?(?:{NUMBER})?"
LABEL = r"(?:'(?:[^'=]|'')+'|[^'= ]+)"
ITEM = rf"{LABEL}=(?:{NUMBER}(?:s|us|ms|%|B|KB|MB|GB|TB|c)?|U)(?:;(?:{RANGE})?){{0,2}}(?:;(?:{NUMBER})?){{0,2}}"
"""The grammar of the Monitoring Plugins guidelines: 'label'=value[UOM];[warn];[crit];[min];[max]"""


def perfdata(text: str) -> str:
    first = text.split("\n", 1)[0]
    assert first.count("|") == 1, "one bar, before the performance data"
    return first.split("|")[1].strip()


@kinds
def test_nagios_performance_data_keeps_the_published_grammar(kind: str) -> None:
    text = written(KINDS[kind], "nagios")
    assert text.startswith(f"OPSCONSOLE {KINDS[kind].level.name}: ")
    assert text.count("|") == 1, "another bar would begin more performance data"
    assert len(text.encode()) <= 8192
    assert re.fullmatch(rf"{ITEM}(?: {ITEM})*", perfdata(text)), perfdata(text)


def test_nagios_gives_values_units_and_bounds() -> None:
    data = dict(item.split("=") for item in perfdata(written(KINDS["usual"], "nagios")).split())
    assert data["thresholds.books.latency"] == "812.5ms;~:500;~:1000"
    assert data["thresholds.books.errors"] == "0.5%;;~:5", "a ratio is a percentage, and so are its bounds"
    assert data["thresholds.books.hits"] == "U;80:"
    assert data["time"] == "0.25s;;;0"


PARSE = (
    "use Monitoring::Plugin::Performance; binmode(STDOUT, ':utf8');"
    "local $/; my $in = <STDIN>; for (Monitoring::Plugin::Performance->parse_perfstring($in))"
    "{ my @parts = ($_->label, $_->value, $_->uom, $_->warning, $_->critical);"
    ' print join("\\t", map { defined $_ ? $_ : "" } @parts), "\\n"; }'
)


@pytest.mark.live
@kinds
def test_the_monitoring_plugin_library_reads_it(kind: str) -> None:
    whole = KINDS[kind]
    data = perfdata(written(whole, "nagios"))
    done = subprocess.run(["perl", "-CS", "-e", PARSE], input=data, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    items = re.findall(ITEM, data)
    # This library leaves out what has no value.
    assert len(rows) == sum(not re.search(r"=U(;|$)", item) for item in items), done.stdout
    found = {row[0]: row[1:] for row in rows}
    assert found["critical"][0] == str(whole.count(Level.CRITICAL))
    if kind == "usual":
        assert found["thresholds.books.latency"] == ["812.5", "ms", "~:500", "~:1000"]
        assert found["thresholds.books.errors"] == ["0.5", "%", "", "~:5"]


def test_nagios_says_when_there_is_too_much() -> None:
    many = tuple(verdict(f"thresholds.books.panel-{n:04}", Level.CRITICAL, measure=LATENCY) for n in range(500))
    text = written(report(many), "nagios")
    assert len(text.encode()) <= 8192
    assert re.fullmatch(rf"{ITEM}(?: {ITEM})*", perfdata(text))
    left = int(re.search(r"^(\d+) measures are left out", text, re.M).group(1))  # type: ignore[union-attr]
    assert left + perfdata(text).count("panel-") == 500
    assert re.search(r"^\.\.\. and \d+ more lines$", text, re.M)


# Prometheus


@kinds
def test_prometheus_reads_the_metrics(kind: str) -> None:
    whole = KINDS[kind]
    families = {f.name: f for f in text_string_to_metric_families(written(whole, "prometheus"))}
    assert families["opsconsole_check_overall"].samples[0].value == whole.level
    for name, family in families.items():
        keys = [(s.name, tuple(sorted(s.labels.items()))) for s in family.samples]
        assert len(keys) == len(set(keys)), f"{name} has a series twice"
        assert family.documentation
        assert family.type == "gauge"
        assert {s.labels["context"] for s in family.samples} == {whole.context}
    levels = [s.value for s in families["opsconsole_check"].samples] if whole.lines else []
    assert levels == [line.verdict.level for line in whole.lines]


@pytest.mark.live
@kinds
def test_promtool_finds_no_fault(kind: str) -> None:
    text = written(KINDS[kind], "prometheus")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, ""), done.stdout + done.stderr


# Markdown

MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": True}).enable(["table", "strikethrough", "linkify"])
OWN = {
    "heading_open",
    "heading_close",
    "paragraph_open",
    "paragraph_close",
    "inline",
    "bullet_list_open",
    "bullet_list_close",
    "list_item_open",
    "list_item_close",
    "blockquote_open",
    "blockquote_close",
    "table_open",
    "table_close",
    "thead_open",
    "thead_close",
    "tbody_open",
    "tbody_close",
    "tr_open",
    "tr_close",
    "th_open",
    "th_close",
    "td_open",
    "td_close",
}
OWN_INLINE = {"text", "strong_open", "strong_close", "code_inline", "softbreak"}


@kinds
def test_nothing_of_the_data_becomes_markup(kind: str) -> None:
    tokens = MARKDOWN.parse(written(KINDS[kind], "markdown"))
    assert {t.type for t in tokens} <= OWN
    inline = [child for t in tokens for child in t.children or ()]
    assert {c.type for c in inline} <= OWN_INLINE
    strong = [c.content for a, c in pairwise(inline) if a.type == "strong_open"]
    assert set(strong) <= {"SUCCESS", "INCOMPLETE", "no", "Note:"}


@kinds
def test_the_tables_of_the_markdown_have_all_their_cells(kind: str) -> None:
    whole = KINDS[kind]
    tokens = MARKDOWN.parse(written(whole, "markdown"))
    rows, width = [], 0
    for token in tokens:
        if token.type == "tr_open":
            width = 0
        width += token.type in {"td_open", "th_open"}
        if token.type == "tr_close":
            rows.append(width)
    groups = {line.verdict.group for line in whole.lines}
    assert rows.count(5) == len(whole.lines) + len(groups), "a head for each group and a row for each check"
    assert set(rows) <= {2, 5}


@kinds
def test_the_markdown_shows_every_text_as_it_is(kind: str) -> None:
    tokens = MARKDOWN.parse(written(KINDS[kind], "markdown"))
    cells = ["".join(c.content for c in t.children or ()) for t in tokens if t.type == "inline"]
    for line in KINDS[kind].lines:
        shown = [" ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\ufffe]", " ", str(c)).split()) for c in cells]
        wanted = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\ufffe]", " ", line.verdict.title).split())
        assert wanted in [re.sub(r"\s*\ufffd\s*", " ", s).strip() for s in shown] or "\ufffd" in "".join(shown)


def test_the_markdown_decides() -> None:
    good, bad = written(KINDS["all well"], "markdown"), written(KINDS["usual"], "markdown")
    assert "| Decision | **SUCCESS** |" in good
    assert "**SUCCESS**: all of 1 checks pass." in good
    assert "| Decision | **INCOMPLETE** |" in bad
    assert "- [ ] `alerts.active`" in bad
    assert "nothing was checked" in written(KINDS["nothing"], "markdown")
    assert "SUCCESS" not in written(KINDS["nothing"], "markdown")


# Text


def test_text_has_the_worst_first_by_group() -> None:
    lines = [x for x in written(KINDS["usual"], "text").splitlines() if x and not x.startswith(" ")]
    assert [x.split()[1] for x in lines[:-1]] == [
        "alerts.active",
        "thresholds.books.hits",
        "thresholds.books.latency",
        "thresholds.books.errors",
        "sources.prometheus.ready",
    ]
    assert lines[-1] == "CRITICAL  5 checks: 1 CRITICAL, 1 UNKNOWN, 1 WARNING, 2 OK"


def test_what_is_ok_is_counted_by_group_unless_it_is_wanted_line_by_line() -> None:
    well = [verdict(f"rules.{n}", Level.OK) for n in range(40)]
    whole = report((verdict("rules.drift", Level.WARNING), *well, *[verdict(f"targets.{n}") for n in range(3)]))
    folded = written(whole, "text").splitlines()
    assert [line.split()[1:] for line in folded if re.match(r"OK +(rules|targets) ", line)] == [
        ["rules", "40", "more"],
        ["targets", "3", "checks"],
    ]
    assert not any("rules.7" in line for line in folded)
    told = written(whole, "text", verbose=True).splitlines()
    assert all(any(f" rules.{n} " in line for line in told) for n in range(40))
    assert folded[-1] == told[-1] == "WARNING   44 checks: 1 WARNING, 43 OK"


def test_what_does_not_count_as_what_it_is_is_never_folded() -> None:
    was = Baseline(source=trusted("b.json"), time=trusted("then"), verdicts=(verdict("rules.1", Level.CRITICAL),))
    lines = judged([verdict("rules.1", Level.CRITICAL), *(verdict(f"rules.{n}") for n in (2, 3))], baseline=was)
    text = written(report(lines=lines), "text")
    assert re.search(r"^CRITICAL  rules\.1 .*\(was CRITICAL before\)$", text, re.M), text
    assert re.search(r"^OK +rules +2 more$", text, re.M), text


def test_long_lines_are_broken_between_words_only_on_a_terminal() -> None:
    query = "sum by (route) (rate(http_requests_total[5m])) > " + " + ".join(["0.25"] * 30)
    whole = report((verdict("rules.drift", Level.WARNING, evidence=(trusted(query),)),))
    assert query in written(whole, "text")
    for columns in (60, 80, 200):
        lines = written(whole, "text", columns=columns).splitlines()
        assert all(len(line) <= columns for line in lines), lines
        assert " ".join(query.split()) in " ".join(" ".join(lines).split()), "nothing is lost"
    coloured = written(whole, "text", columns=60, colour=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == written(whole, "text", columns=60)


def test_evidence_that_repeats_the_reason_is_not_told_twice() -> None:
    whole = report((verdict("alerts.response", Level.WARNING, evidence=(trusted("a reason"), trusted("more"))),))
    text = written(whole, "text")
    assert text.count("a reason") == 1
    assert "more" in text
    assert json.loads(written(whole, "json"))["checks"][0]["evidence"] == ["a reason", "more"]


def test_colour_changes_nothing_but_colour() -> None:
    for whole in KINDS.values():
        coloured = written(whole, "text", colour=True)
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == written(whole, "text")


def test_what_follows_from_a_cause_is_one_line_and_counts() -> None:
    cause = verdict("sources.prometheus.ready", Level.UNKNOWN)
    after = [verdict(f"rules.{n}", Level.UNKNOWN, because=cause.id) for n in range(3)]
    loop = [verdict("x.a", Level.WARNING, because="x.b"), verdict("x.b", Level.WARNING, because="x.a")]
    orphan = verdict("y.a", Level.CRITICAL, because="not.there")
    text = written(report((cause, *after, *loop, orphan)), "text")
    assert "and 3 that follow from it: rules.0 UNKNOWN, rules.1 UNKNOWN, rules.2 UNKNOWN" in text
    assert text.splitlines()[-1] == "CRITICAL  7 checks: 1 CRITICAL, 4 UNKNOWN, 2 WARNING"
    many = [verdict(f"rules.{n}", Level.UNKNOWN, because=cause.id) for n in range(40)]
    assert "and 40 that follow from it: 40 of rules UNKNOWN\n" in written(report((cause, *many)), "text")
    for id in ("x.a", "x.b", "y.a"):
        assert re.search(rf"^\S+ +{id} ", text, re.M), f"{id} is a line of its own"


@pytest.mark.parametrize("format", FORMATS)
def test_leniency_is_said_loudly_in_every_format(format: str) -> None:
    text = written(KINDS["lenient"], format)
    if format in ("json", "prometheus"):
        return
    assert re.search(r"UNKNOWN.*counts as OK|UNKNOWN counts as OK|not counted as what they are", text), text


def test_a_schema_unit_for_every_unit() -> None:
    from opsconsole.model.units import UNITS

    assert json.loads(schema())["$defs"]["measure"]["properties"]["unit"]["enum"] == list(UNITS)


def test_levels_of_a_comparison() -> None:
    whole = KINDS["compared"]
    found = {line.verdict.id: (line.change.value if line.change else "", line.counts.name) for line in whole.lines}
    assert found == {
        "sources.prometheus.ready": ("same", "OK"),
        "thresholds.books.latency": ("same", "OK"),
        "thresholds.books.errors": ("new", "OK"),
        "thresholds.books.hits": ("new", "UNKNOWN"),
        "alerts.active": ("same", "OK"),
        "targets.gone": ("vanished", "UNKNOWN"),
    }
    assert whole.level is Level.UNKNOWN
    assert "targets.gone" in written(whole, "text")


def test_structs_are_frozen() -> None:
    with pytest.raises(AttributeError):
        KINDS["usual"].took = 1.0  # type: ignore[misc]
    assert msgspec.structs.replace(KINDS["usual"], took=1.0).took == 1.0
