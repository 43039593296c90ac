"""Reading what a playbook counts before and after the change of a flag."""

from __future__ import annotations

import re
from collections.abc import Callable

from opsconsole.config import playbook_keys as keys
from opsconsole.config.reader import Section
from opsconsole.model.evidence_windows import FLAG, WINDOW, Evidence, Share
from opsconsole.text import safe

_PLACEHOLDER = re.compile(r"\$[A-Za-z_]\w*")
_SHAPE = "{errors: {title: …, bad: …, all: …}, latency: …, evaluations: …}"

Panel = Callable[[Section, str], str]
"""Reads the id of a panel under a key."""


def read_evidence(root: Section, panel: Panel) -> Evidence | None:
    """The queries of the evidence; None when the playbook has none."""
    section = root.section("evidence", _SHAPE)
    if section is None:
        return None
    section.only(keys.EVIDENCE)
    evaluations = _expression(section, "evaluations", flag=True) if section.has("evaluations") else ""
    return Evidence(
        errors=_share(section, "errors", panel), latency=_share(section, "latency", panel), evaluations=evaluations
    )


def _share(evidence: Section, name: str, panel: Panel) -> Share | None:
    section = evidence.section(name, "{title: answered with 5xx, bad: …, all: …}")
    if section is None:
        return None
    section.only(keys.SHARE)
    return Share(
        title=safe(section.text("title", required=True, outside=True), 40),
        bad=_expression(section, "bad"),
        all=_expression(section, "all"),
        panel=panel(section, "panel"),
    )


def _expression(section: Section, name: str, *, flag: bool = False) -> str:
    """An expression with its placeholders: they stand where they can be filled safely, and nowhere else."""
    expr = section.text(name, required=True, outside=True).strip()
    if not expr:
        return ""
    if WINDOW not in expr:
        section.problem(f"counts over no {WINDOW}", f"for instance sum(increase(requests_total{WINDOW}))", at=name)
    if flag and FLAG not in expr:
        section.problem("does not choose the flag", f"for instance evaluations_total{{flag_name{FLAG}}}", at=name)
    rest = expr.replace(WINDOW, "").replace(FLAG, "" if flag else FLAG)
    found = _PLACEHOLDER.search(rest)
    if found is not None:
        hint = {
            "$window": f"$window stands for a range only: {WINDOW}",
            "$flag": f"$flag stands for a whole value only: flag_name{FLAG}"
            if flag
            else "only `evaluations` chooses a flag",
        }.get(found[0], "there are $window and, in evaluations, $flag")
        section.problem(f"`{safe(found[0], 40)}` cannot stand there", hint, at=name)
    return expr
