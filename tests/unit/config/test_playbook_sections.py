"""Reviews, severities, probes, on-call turns, escalation and the guard: what they mean, and every problem."""

# ruff: noqa: E501  one case per line: the table is read by columns

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsconsole.config.playbooks import load_playbook
from opsconsole.errors import ConfigError
from opsconsole.model.evidence_windows import Evidence, Share
from opsconsole.model.flags import RollbackKind
from opsconsole.model.guard import Guard, GuardRule
from opsconsole.model.oncall import OnCall, Turn, called, on_duty
from opsconsole.model.playbook import Playbook, Probe
from opsconsole.text import trusted

FULL = """\
system: shop
reviewed: 2026-11-21
deadman: Watchdog
severities: [critical, warning]
prometheus: {retention: 30d, strict: true}
response: {critical: 5m}
acknowledge: {critical: 2m}
probes:
  - {name: liveness, url: 'http://shop:8000/health/liveness?full=1', status: 204, timeout: 2s, latency: 500ms, contains: '"up"'}
  - {name: readiness, url: 'https://shop/'}
oncall:
  length: 7d
  starts: 2026-01-05
  turns:
    - {primary: platform-lead, secondary: engineer, manager: head}
    - {primary: engineer, secondary: platform-lead}
  roles:
    platform-lead: {team: platform, time_zone: America/Los_Angeles}
    engineer: {team: platform}
    head:
    director: {}
escalation:
  - {after: 0m, to: [primary], action: responds}
  - {after: 1h, to: [secondary, director], action: joins}
evidence:
  errors: {title: answered with 5xx, bad: 'sum(increase(e{status=~"5..$"}[$window]))', all: 'sum(increase(r[$window]))'}
  latency: {title: slow, bad: 's[$window]', all: 'r[$window]'}
  evaluations: 'sum by (result) (increase(ff{flag="$flag"}[$window]))'
guard:
  never: [maintenance_banner]
  rules:
    - {id: errors, title: Error ratio, expr: 'a / b', above: 0.05, for: 30s, unit: ratio}
    - {id: hits, expr: c, below: 1}
silences:
  - {name: deploy, title: A deploy, duration: 20m, comment: deploying, matchers: ['job="shop"']}
"""


def load(folder: Path, text: str) -> Playbook:
    (folder / "playbook.yaml").write_text(text)
    return load_playbook(folder)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_every_section(tmp_path: Path) -> None:
    playbook = load(tmp_path, FULL)
    assert playbook.reviewed == "2026-11-21"
    assert playbook.severities == ("critical", "warning")
    assert (playbook.response, playbook.acknowledge) == ({"critical": 300.0}, {"critical": 120.0})
    assert playbook.probes == (
        Probe(
            name="liveness",
            url="http://shop:8000/health/liveness?full=1",
            status=204,
            timeout=2.0,
            latency=0.5,
            contains='"up"',
        ),
        Probe(name="readiness", url="https://shop/", status=200, timeout=5.0),
    )
    assert playbook.deadman == "Watchdog"
    oncall = playbook.oncall
    assert oncall is not None
    assert (oncall.starts, oncall.length) == (at("2026-01-05"), 7 * 86400.0)
    assert oncall.turns == (
        Turn(primary="platform-lead", secondary="engineer", manager="head"),
        Turn(primary="engineer", secondary="platform-lead"),
    )
    lead = oncall.roles["platform-lead"]
    assert (lead.name, lead.team, lead.time_zone) == ("platform-lead", "platform", "America/Los_Angeles")
    assert [(step.after, step.to, step.action) for step in playbook.escalation] == [
        (0.0, ("primary",), "responds"),
        (3600.0, ("secondary", "director"), "joins"),
    ]
    assert playbook.evidence == Evidence(
        errors=Share(
            title=trusted("answered with 5xx"),
            bad='sum(increase(e{status=~"5..$"}[$window]))',
            all="sum(increase(r[$window]))",
        ),
        latency=Share(title=trusted("slow"), bad="s[$window]", all="r[$window]"),
        evaluations='sum by (result) (increase(ff{flag="$flag"}[$window]))',
    )
    assert playbook.guard == Guard(
        never=("maintenance_banner",),
        rules=(
            GuardRule(
                id="errors", title=trusted("Error ratio"), expr="a / b", above=0.05, hold=30.0, unit="ratio"
            ),
            GuardRule(id="hits", title=trusted("hits"), expr="c", below=1.0),
        ),
    )


def test_every_key_of_the_guard(tmp_path: Path) -> None:
    text = """\
system: shop
guard:
  only: ['new_*', tag:canary, type:release]
  kind: undo
  interval: 5s
  samples: 4
  clear_ratio: 0.5
  clear_for: 2m
  look_back: 1h
  max_flags: 3
  max_actions: 4
  cooldown: 2h
  blind_after: 90s
  rules:
    - {id: errors, expr: a / b, above: 0.05, traffic: b, min_traffic: 0.5, alert: HighErrors}
"""
    rule = GuardRule(
        id="errors",
        title=trusted("errors"),
        expr="a / b",
        above=0.05,
        traffic="b",
        min_traffic=0.5,
        alert="HighErrors",
    )
    assert load(tmp_path, text).guard == Guard(
        rules=(rule,),
        only=("new_*", "tag:canary", "type:release"),
        kind=RollbackKind.UNDO,
        interval=5.0,
        samples=4,
        clear_ratio=0.5,
        clear_for=120.0,
        look_back=3600.0,
        max_flags=3,
        max_actions=4,
        cooldown=7200.0,
        blind_after=90.0,
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("kind: revert", "`revert` is not a kind of rollback"),
        ("interval: 500ms", "must be from 1 s to 300 s"),
        ("samples: 1", "must be a whole number from 2 to 100"),
        ("clear_ratio: 1.1", "must be above 0 and at most 1"),
        ("clear_ratio: 0", "must be above 0 and at most 1"),
        ("clear_for: 2h", "must be from 0 s to 3600 s"),
        ("look_back: 2d", "must be from 60 s to 86400 s"),
        ("max_flags: 0", "must be a whole number from 1 to 20"),
        ("max_actions: 0", "must be a whole number from 1 to 60"),
        ("cooldown: 0s", "must be from 60 s to 604800 s"),
        ("blind_after: 1s", "must be from 10 s to 3600 s"),
        ("only: []", "is empty"),
        ("only: ['tag:']", "names no tag"),
        ("only: [a, a]", "the flag a is here twice"),
        ("rules: [{id: e, expr: a, above: 1, traffic: b}]", "does nothing without min_traffic"),
        ("rules: [{id: e, expr: a, above: 1, min_traffic: 1}]", "does nothing without traffic"),
        ("rules: [{id: e, expr: a, above: 1, traffic: b, min_traffic: -1}]", "may not be negative"),
        ("sample: 3", "is not a known key"),
    ],
)
def test_a_bad_value_of_the_guard_is_refused_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    rules = "" if line.startswith("rules") else "  rules: [{id: e, expr: a, above: 1}]\n"
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"system: shop\nguard:\n  {line}\n{rules}")
    assert [p.line for p in caught.value.problems] == [3], caught.value
    assert said in str(caught.value)


def test_every_section_is_optional(tmp_path: Path) -> None:
    playbook = load(tmp_path, "system: s\n")
    assert (playbook.reviewed, playbook.severities, playbook.acknowledge, playbook.probes) == ("", (), {}, ())
    assert (playbook.oncall, playbook.escalation, playbook.guard) == (None, (), None)


@pytest.mark.parametrize(
    ("now", "number", "start", "end"),
    [
        ("2026-01-05T00:00:00", 1, "2026-01-05", "2026-01-12"),
        ("2026-01-11T23:59:59", 1, "2026-01-05", "2026-01-12"),
        ("2026-01-12T00:00:00", 2, "2026-01-12", "2026-01-19"),
        ("2026-01-19T00:00:00", 1, "2026-01-19", "2026-01-26"),
        ("2027-01-05T12:00:00", 1, "2027-01-04", "2027-01-11"),
    ],
)
def test_who_is_on_call(tmp_path: Path, now: str, number: int, start: str, end: str) -> None:
    oncall = load(tmp_path, FULL).oncall
    assert oncall is not None
    duty = on_duty(oncall, at(now))
    assert duty is not None
    assert (duty.number, duty.start, duty.end) == (number, at(start), at(end))
    assert duty.turn == oncall.turns[number - 1]


def test_nobody_is_on_call_before_the_first_turn_or_without_turns(tmp_path: Path) -> None:
    oncall = load(tmp_path, FULL).oncall
    assert oncall is not None
    assert on_duty(oncall, at("2026-01-04T23:59:59")) is None
    assert on_duty(OnCall(starts=0.0, length=60.0, turns=()), 5.0) is None


def test_whom_a_step_calls(tmp_path: Path) -> None:
    playbook = load(tmp_path, FULL)
    assert playbook.oncall is not None
    duty = on_duty(playbook.oncall, at("2026-01-12"))
    assert called(playbook.escalation[1], duty) == ("platform-lead", "director")
    assert called(playbook.escalation[1], None) == ("secondary", "director")


@pytest.mark.parametrize(("value", "crossed"), [(0.051, True), (0.05, False), (float("nan"), False)])
def test_when_a_guard_rule_holds(value: float, crossed: bool) -> None:
    rule = GuardRule(id="r", title=trusted("r"), expr="e", above=0.05)
    assert rule.crossed(value) is crossed
    assert GuardRule(id="r", title=trusted("r"), expr="e", below=-0.05).crossed(-value) is crossed


def oncall(body: str) -> str:
    """A playbook whose on-call section has the lines `body` from line 3 on."""
    return "system: s\noncall:\n" + "".join(f"  {line}\n" for line in body.splitlines())


def evidence(body: str) -> str:
    """A playbook whose evidence has the line `body` as line 3."""
    return f"system: s\nevidence:\n  {body}\n"


STARTS = "starts: 2026-01-05\n"
TURNS = "turns: [{primary: a}]\n"
ROLES = "roles: {a: {}, lead: {}}\n"
EXACTLY = "needs exactly one of above and below"

# fmt: off
PROBLEMS = [
    ("system: s\nreviewed: last week\n", 2, "reviewed", "`last week` is not a date", "write it as 2026-11-01"),
    ("system: s\nreviewed: 20261101\n", 2, "reviewed", "`20261101` is not a date", "write it as 2026-11-01"),
    ("system: s\nreviewed: 2026-02-30\n", 2, "reviewed", "`2026-02-30` is not a date", "write it as 2026-11-01"),
    ("system: s\nseverities: [critcal]\n", 2, "severities[0]", "`critcal` is not a severity", "did you mean critical?"),
    ("system: s\nseverities: [unknown]\n", 2, "severities[0]", "`unknown` is not a severity", "known: critical, high, info, warning"),
    ("system: s\nseverities: [high, high]\n", 2, "severities[1]", "the severity high is here twice", "keep one"),
    ("system: s\nseverities: []\n", 2, "severities", "is empty", "[critical, high, warning, info]"),
    ("system: s\nseverities: high\n", 2, "severities", "must be a list, not `high`", "[critical, high, warning, info]"),
    ("system: s\nacknowledge: {critcal: 2m}\n", 2, "acknowledge.critcal", "is not a known key", "did you mean critical?"),
    ("system: s\nacknowledge: {high: 0s}\n", 2, "acknowledge.high", "must be from 1 s to 604800 s", ""),
    ("system: s\nprobes: [{name: a}]\n", 2, "probes[0].url", "is missing", "write it as http://host:port/path"),
    ("system: s\nprobes: [{url: 'http://a'}]\n", 2, "probes[0].name", "is missing", ""),
    ("system: s\nprobes:\n- {name: a, url: 'http://a'}\n- {name: a, url: 'http://b'}\n", 4, "probes[1].name", "there are two probes with the name a", "the first is on line 3"),
    ("system: s\nprobes: [{name: a, url: 'ftp://a'}]\n", 2, "probes[0].url", "is not an http or https URL", "write it as http://host:port"),
    ("system: s\nprobes: [{name: a, url: 'http://me:pw@a/?x'}]\n", 2, "probes[0].url", "has a user name or password in the URL", "use basic_auth with password_file"),
    ("system: s\nprobes: [{name: a, url: 'http://a/?x#y'}]\n", 2, "probes[0].url", "has a fragment", "leave out everything from the #"),
    ("system: s\nprobes: [{name: a, url: 'http://a/?x y'}]\n", 2, "probes[0].url", "has characters that a URL cannot have", ""),
    ("system: s\nprobes: [{name: a, url: 'http://a', status: 99}]\n", 2, "probes[0].status", "must be a whole number from 100 to 599, not `99`", ""),
    ("system: s\nprobes: [{name: a, url: 'http://a', timeout: 0s}]\n", 2, "probes[0].timeout", "must be from 0.1 s to 60 s", ""),
    ("system: s\nprobes: [{name: a, url: 'http://a', timeout: 1s, latency: 2s}]\n", 2, "probes[0].latency", "must be from 0.001 s to 1 s", ""),
    ("system: s\nprobes: [{name: a, url: 'http://a', body: ok}]\n", 2, "probes[0].body", "is not supported", "use contains"),
    ("system: s\nprobes: [{name: a, url: 'http://a', expect: 200}]\n", 2, "probes[0].expect", "is not supported", "use status"),
    (oncall(STARTS + TURNS), 2, "oncall.roles", "is missing", "platform-lead: {team: platform, time_zone: Europe/Berlin}"),
    (oncall(TURNS + ROLES), 2, "oncall.starts", "is missing", ""),
    (oncall(STARTS + ROLES), 2, "oncall.turns", "is missing", "- {primary: …, secondary: …}"),
    (oncall(STARTS + ROLES + "turns: []"), 5, "oncall.turns", "is empty", "- {primary: …, secondary: …}"),
    (oncall(STARTS + TURNS + ROLES + "lenght: 7d"), 6, "oncall.lenght", "is not a known key", "did you mean length?"),
    (oncall(STARTS + TURNS + ROLES + "length: 1m"), 6, "oncall.length", "must be from 3600 s to 3.1536e+07 s", ""),
    (oncall("starts: monday\n" + TURNS + ROLES), 3, "oncall.starts", "`monday` is not a date", "write it as 2026-11-01"),
    (oncall(STARTS + ROLES + "turns:\n  - {primary: b}"), 6, "oncall.turns[0].primary", "there is no role `b`", "known: a, lead"),
    (oncall(STARTS + ROLES + "turns:\n  - {secondary: a}"), 6, "oncall.turns[0].primary", "is missing", ""),
    (oncall(STARTS + ROLES + "turns:\n  - {primary: a, secondry: a}"), 6, "oncall.turns[0].secondry", "is not a known key", "did you mean secondary?"),
    (oncall(STARTS + TURNS + "roles:\n  a: {teem: x}"), 6, "oncall.roles.a.teem", "is not a known key", "did you mean team?"),
    (oncall(STARTS + TURNS + "roles:\n  a: {time_zone: Europe/Berln}"), 6, "oncall.roles.a.time_zone", "`Europe/Berln` is not a time zone", "did you mean Europe/Berlin?"),
    (oncall(STARTS + TURNS + "roles:\n  a: {time_zone: ../x}"), 6, "oncall.roles.a.time_zone", "`../x` is not a time zone", "an IANA name such as Europe/Berlin"),
    (oncall(STARTS + TURNS + "roles:\n  a:\n  primary: {}"), 7, "oncall.roles.primary", "primary is the name of a seat", "give the role another name"),
    ("system: s\nescalation: [{to: [primary]}]\n", 2, "escalation[0].action", "is missing", ""),
    ("system: s\nescalation: [{action: x}]\n", 2, "escalation[0].to", "is missing", "[primary]"),
    ("system: s\nescalation: [{to: [], action: x}]\n", 2, "escalation[0].to", "is empty", "[primary]"),
    ("system: s\nescalation: [{to: [primry], action: x}]\n", 2, "escalation[0].to[0]", "`primry` is neither a seat nor a role", "did you mean primary?"),
    (oncall(STARTS + TURNS + ROLES) + "escalation:\n- {to: [leed], action: x}\n", 7, "escalation[0].to[0]", "`leed` is neither a seat nor a role", "did you mean lead?"),
    (oncall(STARTS + TURNS + ROLES) + "escalation:\n- {to: [manager], action: x}\n", 7, "escalation[0].to[0]", "no turn has a manager", "give one in oncall.turns"),
    ("system: s\nescalation:\n- {after: 5m, to: [primary], action: x}\n- {after: 1m, to: [primary], action: x}\n", 4, "escalation[1].after", "is earlier than the step before it", "put the steps in order of time"),
    (evidence("errors: {title: a, all: '[$window]'}"), 3, "evidence.errors.bad", "is missing", ""),
    (evidence("errors: {bad: '[$window]', all: '[$window]'}"), 3, "evidence.errors.title", "is missing", ""),
    (evidence("errors: {title: a, bad: b, all: '[$window]'}"), 3, "evidence.errors.bad", "counts over no [$window]", "for instance sum(increase(requests_total[$window]))"),
    (evidence("errors: {title: a, bad: 'b[$window] > $window', all: '[$window]'}"), 3, "evidence.errors.bad", "`$window` cannot stand there", "$window stands for a range only: [$window]"),
    (evidence("latency: {title: a, bad: 'b[$window]', all: 'c{x=\"$flag\"}[$window]'}"), 3, "evidence.latency.all", "`$flag` cannot stand there", "only `evaluations` chooses a flag"),
    (evidence("latency: {title: a, bad: '[$window]', all: '[$window]', panel: p}"), 3, "evidence.latency.panel", "there is no panel `p`", ""),
    (evidence("evaluations: 'c[$window]'"), 3, "evidence.evaluations", "does not choose the flag", 'for instance evaluations_total{flag_name="$flag"}'),
    (evidence("evaluations: 'c{x=\"$flag\",y=~\"$flag\"}[$window]'"), 3, "evidence.evaluations", "`$flag` cannot stand there", '$flag stands for a whole value only: flag_name="$flag"'),
    (evidence("evaluations: 'c{x=\"$flag\",y=\"$env\"}[$window]'"), 3, "evidence.evaluations", "`$env` cannot stand there", "there are $window and, in evaluations, $flag"),
    (evidence("slow: {}"), 3, "evidence.slow", "is not a known key", "known: errors, evaluations, latency"),
    ("system: s\nguard: {never: [a]}\n", 2, "guard.rules", "is missing", "- {id: …, expr: …, above: …}"),
    ("system: s\nguard: {rules: []}\n", 2, "guard.rules", "is empty", "give at least one"),
    ("system: s\nguard: {never: [a, a], rules: [{id: a, expr: a, above: 1}]}\n", 2, "guard.never[1]", "the flag a is here twice", "keep one"),
    ("system: s\nguard: {rules: [{id: a, expr: a}]}\n", 2, "guard.rules[0]", EXACTLY, "for instance {id: error_rate, above: 0.05}"),
    ("system: s\nguard: {rules: [{id: a, expr: a, above: 1, below: 2}]}\n", 2, "guard.rules[0]", EXACTLY, "for instance {id: error_rate, above: 0.05}"),
    ("system: s\nguard: {rules: [{id: a, expr: a, above: -1}]}\n", 2, "guard.rules[0].above", "may not be negative", ""),
    ("system: s\nguard: {rules: [{id: a, above: 1}]}\n", 2, "guard.rules[0].expr", "is missing", ""),
    ("system: s\nguard: {rules: [{id: a, expr: a, above: 1, unit: percents}]}\n", 2, "guard.rules[0].unit", "`percents` is not a unit", "did you mean percent?"),
    ("system: s\nguard:\n  rules:\n  - {id: a, expr: a, above: 1}\n  - {id: a, expr: b, above: 1}\n", 5, "guard.rules[1].id", "there are two rules with the id a", "the first is on line 4"),
]
# fmt: on


@pytest.mark.parametrize(("text", "line", "key", "message", "hint"), PROBLEMS)
def test_every_problem_has_file_line_key_and_hint(
    tmp_path: Path, text: str, line: int, key: str, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    found = [(p.file, p.line, p.key, p.message, p.hint) for p in caught.value.problems]
    assert found == [(str(tmp_path / "playbook.yaml"), line, key, message, hint)]
