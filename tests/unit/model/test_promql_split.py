"""Rule expressions split into value and bound."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from opsconsole.model.promql import split_comparison

REPO = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("up < 1", ("up", "<", 1.0)),
        ("up == 0", ("up", "==", 0.0)),
        ("1 <= rate(x[5m])", ("rate(x[5m])", ">=", 1.0)),
        ("x > bool 0.5", ("x", ">", 0.5)),
        ("0.5 < bool x", ("x", ">", 0.5)),
        ("x > -1e3", ("x", ">", -1000.0)),
        ("x > (90)", ("x", ">", 90.0)),
        ("((x) > 2)", ("(x)", ">", 2.0)),
        ("(a) / (b) > 2", ("(a) / (b)", ">", 2.0)),
        ("x > 0x10", ("x", ">", 16.0)),
        ("x > +Inf", ("x", ">", math.inf)),
        ('x{a=~"(>",b!="1 > 2",c=`"`} >= 3', ('x{a=~"(>",b!="1 > 2",c=`"`}', ">=", 3.0)),
        ("sum(x > 1) by (job) > 4", ("sum(x > 1) by (job)", ">", 4.0)),
        ("x > 1 # more > 2", None),
        ("# why > 1\nx > 1", ("# why > 1\nx", ">", 1.0)),
        ("x * 100 > 95.5", ("x * 100", ">", 95.5)),
        ("x offset 5m != 0", ("x offset 5m", "!=", 0.0)),
        ("x > 1 and y < 2", None),
        ("x > 1 and on(job) y", None),
        ("a > 1 or b", None),
        ("a > b", None),
        ("a > 1 * 2", None),
        ("up", None),
        ("", None),
        ("> 1", None),
        ("x >", None),
        ("x{ > 1", None),
        ('x{a="} > 1', None),
        ("x) > 1", None),
        ("[/var/log] > 1", ("[/var/log]", ">", 1.0)),
    ],
)
def test_split(expr: str, expected: tuple[str, str, float] | None) -> None:
    assert split_comparison(expr) == expected


def test_every_rule_of_the_accubooks_playbook_splits() -> None:
    rules = yaml.safe_load((REPO / "playbooks/accubooks/rules.yaml").read_text())
    expressions = [r["expr"] for g in rules["groups"] for r in g["rules"] if "alert" in r]
    assert len(expressions) >= 9
    assert [e for e in expressions if split_comparison(e) is None] == []
