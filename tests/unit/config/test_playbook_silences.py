"""The templates of silences in a playbook: read with every problem named, and true of the shipped ones."""

# ruff: noqa: E501  one case per line: the table is read by columns

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from opsconsole.config.playbook_schema import playbook_schema
from opsconsole.config.playbooks import list_playbooks, load_playbook
from opsconsole.errors import ConfigError, Problem
from opsconsole.model.matchers import Matcher, match_all
from opsconsole.model.playbook import Playbook

HEAD = "system: s\nsilences:\n  - "
GOOD = {"name": "deploy", "comment": "x", "matchers": "['a=\"b\"']"}


def written(**more: str) -> str:
    fields = {**GOOD, **more}
    return HEAD + "\n    ".join(f"{name}: {value}" for name, value in fields.items() if value) + "\n"


def load(folder: Path, text: str) -> Playbook:
    (folder / "playbook.yaml").write_text(text)
    return load_playbook(folder)


def test_a_template_is_read(tmp_path: Path) -> None:
    matchers = "['job=\"shop\"', 'pod=~\"{{ pod }}-.*\"', 'instance={{instance}}', env!=dev]"
    text = written(title="A deploy", duration="20m", comment="deploying {{version}}", matchers=matchers)
    (template,) = load(tmp_path, text).silences
    assert (template.name, template.title, template.duration) == ("deploy", "A deploy", 1200.0)
    assert template.matchers == (
        Matcher("job", "shop"),
        Matcher("pod", "{{pod}}-.*", is_regex=True),
        Matcher("instance", "{{instance}}"),
        Matcher("env", "dev", is_equal=False),
    )
    assert template.placeholders == ("pod", "instance", "version")
    (plain,) = load(tmp_path, written()).silences
    assert (plain.title, plain.duration) == ("deploy", 3600.0)


# fmt: off
PROBLEMS = [
    (written(name=""), 3, "silences[0].name", "is missing", ""),
    (written(comment=""), 3, "silences[0].comment", "is missing", ""),
    (written(comment="'  '"), 4, "silences[0].comment", "may not be blank", ""),
    (written(comment="'{{a b}}'"), 4, "silences[0].comment", "has braces that are no placeholder", 'write a placeholder as "{{ticket}}"'),
    (written(matchers=""), 3, "silences[0].matchers", "is missing", "['job=\"shop\"', 'instance=\"{{instance}}\"']"),
    (written(matchers="[]"), 5, "silences[0].matchers", "is empty", "a silence needs a matcher"),
    (written(matchers="job"), 5, "silences[0].matchers", "must be a list, not `job`", "['job=\"shop\"']"),
    (written(matchers="\n      - a=\"b\"\n      - 'c=~\"(\"'"), 7, "silences[0].matchers[1]", "bad regular expression (: missing ): ^(?:()$", "the dialect is RE2: no look-ahead and no back-references"),
    (written(matchers="['a=\"{{b\"']"), 5, "silences[0].matchers[0]", "has braces that are no placeholder", 'write a placeholder as "{{instance}}"'),
    (written(matchers="['{{a}}=\"b\"']"), 5, "silences[0].matchers[0]", "the name of a label cannot be a placeholder", "only its value can"),
    (written(matchers="['a=~\".*\"']"), 5, "silences[0].matchers", "these matchers match every alert there is", ""),
    (written(matchers="['a!=\"b\"']"), 5, "silences[0].matchers", "these matchers match every alert there is but those that they leave out", ""),
    (written(duration="10s"), 6, "silences[0].duration", "must be from 60 s to 2.592e+06 s", ""),
    (written(duration="soon"), 6, "silences[0].duration", "must be a duration, not `soon`", "write it as Prometheus does: 30s, 5m, 1h30m"),
    (written(**{"for": "1h"}), 6, "silences[0].for", "is not supported", "it is called duration"),
    (written(titel="x"), 6, "silences[0].titel", "is not a known key", "did you mean title?"),
    (written() + "  - {name: deploy, comment: x, matchers: [a=b]}\n", 6, "silences[1].name", "there are two templates with the name deploy", ""),
]
# fmt: on
UNSEEN = (
    "there are two",
    "braces",
    "must be from",
    "every alert",
    "bad regular",
    "cannot be a placeholder",
    "blank",
)
"""Parts of the problems that a schema cannot see."""


@pytest.mark.parametrize(("text", "line", "key", "message", "hint"), PROBLEMS, ids=[p[3] for p in PROBLEMS])
def test_every_problem_has_line_key_and_hint(
    tmp_path: Path, text: str, line: int, key: str, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    (found,) = caught.value.problems
    file = str(tmp_path / "playbook.yaml")
    assert (found.file, found.line, found.key, found.message) == (file, line, key, message)
    assert found.hint == hint or not hint
    assert isinstance(found, Problem)
    if not any(part in message for part in UNSEEN):
        assert not Draft202012Validator(playbook_schema()).is_valid(yaml.safe_load(text))


def alerts_shown(folder: Path) -> list[dict[str, str]]:
    """The labels of every alert that the rules' tests show firing."""
    tests: Any = yaml.safe_load((folder / "rules.test.yaml").read_text())
    return [
        {"alertname": case["alertname"], **{k: str(v) for k, v in alert["exp_labels"].items()}}
        for test in tests["tests"]
        for case in test.get("alert_rule_test", ())
        for alert in case.get("exp_alerts") or ()
    ]


@pytest.mark.parametrize("folder", list_playbooks(), ids=lambda folder: folder.name)
def test_each_shipped_template_filled_from_an_alert_hides_it(folder: Path) -> None:
    playbook, shown = load_playbook(folder), alerts_shown(folder)
    assert len(playbook.silences) >= 3
    for template in playbook.silences:
        hidden = []
        for labels in shown:
            values = {name: labels.get(name, f"some {name}") for name in template.placeholders}
            matchers, comment = template.fill(values)
            assert comment.strip()
            hidden += [labels] if match_all(matchers, labels) else []
        assert hidden, f"{folder.name}: {template.name} hides none of {len(shown)} alerts"
