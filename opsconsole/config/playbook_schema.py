"""The JSON Schema of `playbook.yaml`, made from the tables that the reader uses."""

from __future__ import annotations

from typing import Any

from opsconsole.config.keys import mapping
from opsconsole.config.playbook_keys import ROOT, RUNBOOK

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def playbook_schema() -> dict[str, Any]:
    """The schema of a playbook (draft 2020-12); `$defs.runbook` is that of a runbook's front matter.

    It says what each key may hold. What only a look at several keys can tell (a panel that is not there, a role
    that nobody has) is left to the reader and to `opsconsole playbook lint`.
    """
    return {
        "$schema": DIALECT,
        "title": "opsconsole playbook",
        "description": "What to watch, what alerts and who is called, for one system.",
        **mapping(ROOT),
        "$defs": {"runbook": {"description": "The front matter of a runbook.", **mapping(RUNBOOK)}},
    }
