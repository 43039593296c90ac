"""`opsconsole playbook new --from-prometheus`: a folder from what Prometheus has."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from opsconsole.cli.playbook_from import new_from_prometheus
from opsconsole.config.discover import Options
from opsconsole.config.playbook_starter import MODELINE, SCHEMA_FILE, fresh_folder, schema_text
from opsconsole.config.playbooks import FILE


def write_found(name: str, target: Path, config: Path | None, context: str | None, prometheus: str | None) -> str:
    """Write the playbook `name` as the folder `target`, with its schema; what to tell. The options count before
    those that stand before the command. Raises UsageError, ConfigError and SourceError."""
    root = click.get_current_context().find_root().obj
    before = root if isinstance(root, Options) else Options()
    options = msgspec.structs.replace(
        before,
        config=config or before.config,
        context=context or before.context,
        prometheus=prometheus or before.prometheus,
    )
    with fresh_folder(target) as place:
        told = new_from_prometheus(name, place, options)
        file = place / FILE
        file.write_text(MODELINE + file.read_text(encoding="utf-8"), encoding="utf-8")
        (place / SCHEMA_FILE).write_text(schema_text(), encoding="utf-8")
    return f"recognised {told.rpartition(': ')[2]}"
