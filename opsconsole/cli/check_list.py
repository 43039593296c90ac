"""`opsconsole check --list`: what each check is about."""

from __future__ import annotations

import msgspec

from opsconsole.checks.catalog import CATALOG
from opsconsole.cli.check_options import Wanted
from opsconsole.errors import UsageError


def listed(wanted: Wanted) -> str:
    """The selected checks as a table or JSON. Raises UsageError for another format."""
    checks = wanted.selection.checks(CATALOG)
    if wanted.format == "json":
        rows = [
            {"id": c.id, "group": c.group, "title": c.title, "explains": c.explains, "asks": sorted(c.needs)}
            for c in checks
        ]
        return msgspec.json.format(msgspec.json.encode(rows)).decode() + "\n"
    if wanted.format != "text":
        raise UsageError("--list writes text or json")
    import shutil
    import textwrap

    width = max((len(c.id) for c in checks), default=0) + 2
    room = max(40, min(shutil.get_terminal_size((100, 24)).columns, 120) - width)
    lines = []
    for check in checks:
        for index, line in enumerate(textwrap.wrap(check.explains, room)):
            lines.append(f"{check.id if index == 0 else '':<{width}}{line}")
    return "\n".join(lines) + "\n"
