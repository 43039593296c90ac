"""The keys of `playbook.yaml` and of a runbook's front matter.

The readers hand these tables to `Section.only`, and `opsconsole playbook schema` is made from them.
"""

from __future__ import annotations

from opsconsole.config.keys import (
    Key,
    Table,
    boolean,
    choice,
    date,
    duration,
    free,
    many,
    mapping,
    number,
    text,
    whole,
)
from opsconsole.model.flags import RollbackKind
from opsconsole.model.oncall import SEATS
from opsconsole.model.playbook import PanelKind
from opsconsole.model.severity import Severity
from opsconsole.model.units import UNITS
from opsconsole.model.verdicts import Level

ID_PATTERN = r"[A-Za-z0-9_-]{1,64}"
"""What an id looks like: all of it."""

WORDS = tuple(severity.word for severity in Severity)
"""Every word of a severity, `unknown` among them: an alert whose label is missing has a response time too."""

SEVERITIES = tuple(severity.word for severity in Severity if severity is not Severity.UNKNOWN)
"""The severities that a rule may have."""

ROLLBACKS = {"off": RollbackKind.OFF, "undo": RollbackKind.UNDO}
KINDS = {kind.value: kind for kind in PanelKind}
LEVELS = {"warning": Level.WARNING, "critical": Level.CRITICAL}
EMPTY = ("unknown", "ok", "zero")
MAX_INSTANCES = 100_000
MAX_TOP = 100
MAX_SAMPLES, MAX_FLAGS, MAX_ACTIONS = 100, 20, 60

_FLAGS = many(text(), least=1, unique=True)
_ROLLBACK = choice(ROLLBACKS)
_ID = text(f"^{ID_PATTERN}$")
_UNIT = Key("The unit of the values; bytes, ms and s are shown in readable steps.", choice(UNITS))

THRESHOLD: Table = {
    "level": Key("How bad it is beyond the bound.", choice(LEVELS), required=True),
    "above": Key("The level holds above this value.", number()),
    "below": Key("The level holds below this value.", number()),
    "for": Key("How long it must last before `check` reports it, 0s if left out.", duration(zero=True)),
}

QUERY: Table = {
    "expr": Key("The PromQL expression.", text(), required=True),
    "legend": Key("The name of its line, or a template such as {{route}}.", text()),
}

PANEL: Table = {
    "id": Key("Unique among all panels; annotations and alerts name it.", _ID, required=True),
    "title": Key("The title on the screen, the id if left out.", text()),
    "kind": Key("How it is drawn, line if left out.", choice(KINDS)),
    "unit": _UNIT,
    "range": Key("The time shown, from 1m to 30d, 1h if left out.", duration()),
    "headline": Key(
        "The legend whose latest value is the panel's value and is held against the thresholds, the first "
        "query's if left out.",
        text(),
    ),
    "queries": Key("What is asked.", many(mapping(QUERY), least=1), required=True),
    "thresholds": Key("The bounds of the value.", many(mapping(THRESHOLD, one_of=("above", "below")))),
    "min": Key("The lower end of the scale.", number()),
    "max": Key("The upper end of the scale.", number()),
    "top": Key("The most rows or bars, 10 if left out.", whole(1, MAX_TOP)),
    "empty": Key("What an empty result means, unknown if left out.", choice(EMPTY)),
}

GROUP: Table = {
    "title": Key("The heading of these panels.", text(), required=True),
    "panels": Key("The panels.", many(mapping(PANEL)), required=True),
}

DASHBOARD: Table = {
    "id": Key("Unique among the dashboards.", _ID, required=True),
    "title": Key("The title of its tab, the id if left out.", text()),
    "refresh": Key("How often it is asked again, from 1s to 1h, 5s if left out.", duration()),
    "groups": Key("The groups of panels, the most urgent first.", many(mapping(GROUP)), required=True),
}

JOB: Table = {
    "name": Key("The scrape job.", text(), required=True),
    "instances": Key("How many instances must be up, 1 if left out.", whole(1, MAX_INSTANCES)),
    "interval": Key("How often it must be scraped, from 1s to 1h; any will do if left out.", duration()),
}

PROMETHEUS: Table = {
    "retention": Key("How long it must keep what it has, from 1h to 100y.", duration()),
    "strict": Key("Whether alerts that no playbook knows are a warning, no if left out.", boolean()),
}

BY_SEVERITY: Table = {word: Key(f"For alerts of severity {word}, from 1s to 7d.", duration()) for word in WORDS}

ALERT: Table = {
    "response": Key("The time to the first response, that of its severity if left out.", duration()),
    "panel": Key("The id of the panel that shows it.", text()),
    "runbook": Key("Its runbook, a file of runbooks/.", text()),
    "distinguish": Key("The labels that tell two alerts of this name apart.", many(text())),
}

PROBE: Table = {
    "name": Key("What the probe asks for, for instance liveness.", _ID, required=True),
    "url": Key("The http or https URL to get, without user name.", text(r"^https?://[^@/?#]+([/?][^#]*)?$"), True),
    "status": Key("The HTTP status that it must answer with, 200 if left out.", whole(100, 599)),
    "timeout": Key("How long to wait, from 100ms to 1m, 5s if left out.", duration()),
    "latency": Key(
        "An answer that takes longer is a warning, from 1ms to the timeout, none if left out.", duration()
    ),
    "contains": Key("A text that the body must have in it.", text()),
}

TURN: Table = {
    seat: Key(f"The role that is {seat} during this turn.", text(), required=seat == SEATS[0]) for seat in SEATS
}

ROLE: Table = {
    "team": Key("The team that the role belongs to.", text()),
    "time_zone": Key("Where it works, an IANA name such as Europe/Berlin.", text()),
}

ONCALL: Table = {
    "length": Key("How long a turn is, from 1h to 1y, 7d if left out.", duration()),
    "starts": Key("The day on which the first turn begins, at 00:00 UTC.", date(), required=True),
    "turns": Key("Who has which seat; after the last turn the first follows.", many(mapping(TURN), least=1), True),
    "roles": Key("The roles by name. Roles, not people: a playbook is shared.", free(mapping(ROLE)), True),
}

STEP: Table = {
    "after": Key(
        "Time since the alert fired, 0m if left out; no step may be earlier than the one before.",
        duration(zero=True),
    ),
    "to": Key("Seats (primary, secondary, manager) or roles of oncall.", many(text(), least=1), required=True),
    "action": Key("What they do.", text(), required=True),
}

GUARD_RULE: Table = {
    "id": Key("Unique among the rules of the guard.", _ID, required=True),
    "title": Key("The rule's title, the id if left out.", text()),
    "expr": Key("The PromQL expression of the value.", text(), required=True),
    "above": Key("The rule holds above this value.", number(0)),
    "below": Key("The rule holds below this value.", number(0)),
    "for": Key("How long it must hold before anything is rolled back, 0s if left out.", duration(zero=True)),
    "unit": _UNIT,
    "traffic": Key("A PromQL expression in requests a second; goes with min_traffic.", text()),
    "min_traffic": Key("With less traffic than this the value does not count.", number(0)),
    "alert": Key(
        "The alert of rules.yaml for the same trouble: the guard's page joins its; found by metrics if left out.",
        text(),
    ),
}

GUARD: Table = {
    "never": Key(
        "Flags that may not be touched, each by its key, a pattern of it (new_*), tag:NAME or type:NAME.",
        many(text(), unique=True),
    ),
    "only": Key("The only flags that may be touched, written like never; all others if left out.", _FLAGS),
    "kind": Key("What a rollback does: turn the flag off, or undo its last change; off if left out.", _ROLLBACK),
    "interval": Key("How often the rules are asked, from 1s to 5m, 10s if left out.", duration()),
    "samples": Key("How many values in a row must be beyond the bound, 3 if left out.", whole(2, MAX_SAMPLES)),
    "clear_ratio": Key("It clears at this share of the bound, above 0 up to 1, 0.8 if left out.", number(0)),
    "clear_for": Key("How long it must be clear, up to 1h, 1m if left out.", duration(zero=True)),
    "look_back": Key(
        "How long before the onset a flag may have changed, from 1m to 1d, 30m if left out.", duration()
    ),
    "max_flags": Key("With more suspects than this a person is asked, 2 if left out.", whole(1, MAX_FLAGS)),
    "max_actions": Key("The most rollbacks within an hour, 3 if left out.", whole(1, MAX_ACTIONS)),
    "cooldown": Key(
        "How long a flag that was rolled back is left alone, from 1m to 7d, 30m if left out.", duration()
    ),
    "blind_after": Key(
        "After how long without a value the guard says so, from 10s to 1h, 1m if left out.", duration()
    ),
    "rules": Key(
        "When flags are to be rolled back: any one of them is enough.",
        many(mapping(GUARD_RULE, one_of=("above", "below")), least=1),
        required=True,
    ),
}

_NO_OTHER = r"[^$]|\$(?![A-Za-z_])|(?<=\[)\$window(?=\])"
_COUNT = text(rf"^(?=[\s\S]*\[\$window\])(?:{_NO_OTHER})*$")
_RESULTS = text(rf'^(?=[\s\S]*\[\$window\])(?=[\s\S]*="\$flag")(?:{_NO_OTHER}|(?<==")\$flag(?="))*$')

SHARE: Table = {
    "title": Key("What the bad ones are, such as `answered with 5xx`.", text(), required=True),
    "bad": Key("How many were bad within [$window], one number.", _COUNT, required=True),
    "all": Key("How many there were within [$window], one number.", _COUNT, required=True),
    "panel": Key("The id of the panel that shows it.", text()),
}

EVIDENCE: Table = {
    "errors": Key("What failed.", mapping(SHARE)),
    "latency": Key("What was slow, counted by the buckets of a histogram.", mapping(SHARE)),
    "evaluations": Key(
        'How often each result of the flag was given within [$window]; ="$flag" is filled with its name.', _RESULTS
    ),
}

SILENCE: Table = {
    "name": Key("Unique among the templates, for instance deploy.", _ID, required=True),
    "title": Key("What it is for, the name if left out.", text()),
    "duration": Key("How long the silence lasts, from 1m to 30d, 1h if left out.", duration()),
    "comment": Key("The comment; {{placeholders}} are filled when it is used.", text(), required=True),
    "matchers": Key(
        'The matchers, each as amtool reads it; a placeholder in a value, such as instance="{{instance}}", is '
        "filled with the label of that name or by a person.",
        many(text(), least=1),
        required=True,
    ),
}

ROOT: Table = {
    "system": Key("The system that this playbook is for: its name in one word.", text(), required=True),
    "title": Key("The name on the screen, the system's if left out.", text()),
    "owner": Key("The team that keeps this playbook.", text()),
    "reviewed": Key("The day on which it was last reviewed.", date()),
    "severities": Key("What `severity` its rules may have.", many(choice(SEVERITIES), least=1, unique=True)),
    "deadman": Key("The alert that must always fire, to show that alerts arrive, such as Watchdog.", text()),
    "jobs": Key("The scrape jobs that must be up.", many(mapping(JOB))),
    "prometheus": Key("What its Prometheus must be like.", mapping(PROMETHEUS)),
    "response": Key("The time to the first response by severity.", mapping(BY_SEVERITY)),
    "acknowledge": Key("The time to the acknowledgement by severity.", mapping(BY_SEVERITY)),
    "flag_panel": Key("The id of the panel shown on the Flags screen.", text()),
    "evidence": Key("What is counted before and after the change of a flag.", mapping(EVIDENCE)),
    "alerts": Key("What the playbook says about its alerts, by their names.", free(mapping(ALERT))),
    "dashboards": Key("The pages of panels.", many(mapping(DASHBOARD))),
    "probes": Key("HTTP checks.", many(mapping(PROBE))),
    "oncall": Key("Who is on call when.", mapping(ONCALL)),
    "escalation": Key("Who is called when, in order of time.", many(mapping(STEP))),
    "guard": Key("When flags are rolled back without a person.", mapping(GUARD)),
    "silences": Key("Templates of silences.", many(mapping(SILENCE))),
}

RUNBOOK: Table = {
    "alerts": Key("The alerts that it is for.", many(text())),
    "title": Key("Its title, the first heading if left out.", text()),
    "owner": Key("Who keeps it.", text()),
    "reviewed": Key("The day on which it was last reviewed.", date()),
}
"""The front matter of a runbook."""
