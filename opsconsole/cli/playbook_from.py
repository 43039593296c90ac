"""`opsconsole playbook new NAME --from-prometheus`: what is recognised, as a playbook to edit."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from opsconsole.errors import SourceError, TimedOut, UsageError
from opsconsole.text import safe

if TYPE_CHECKING:
    from opsconsole.config.discover import Options
    from opsconsole.model.playbook import Playbook

LIMIT = 60.0
"""Seconds for everything that is asked."""


def new_from_prometheus(name: str, folder: Path, options: Options) -> str:
    """Write the playbook `name` into `folder` from what the Prometheus of the options has. Returns what to tell.

    Raises UsageError (no Prometheus, the file is there), ConfigError and SourceError.
    """
    from opsconsole.golden.write import FILE, write_playbook

    if (folder / FILE).exists():
        raise UsageError(f"{safe(str(folder / FILE))} is there already", hint="name another folder")
    playbook = asyncio.run(_find(options))
    write_playbook(folder, name, playbook)
    panels = sum(len(dashboard.panels) for dashboard in playbook.dashboards)
    return f"{safe(str(folder / FILE))}: {len(playbook.dashboards)} dashboards, {panels} panels"


async def _find(options: Options) -> Playbook:
    import msgspec

    from opsconsole.cli.wiring import resolve
    from opsconsole.clients.sources import Sources
    from opsconsole.clock import SystemClock
    from opsconsole.golden.recognise import jobs_of
    from opsconsole.state.found import find_with_facts
    from opsconsole.text import trusted

    sources = Sources(resolve(options), SystemClock())
    try:
        if sources.prometheus is None:
            raise SourceError("this context has no Prometheus", hint="name one with --prometheus URL")
        async with asyncio.timeout(LIMIT):
            playbook, facts = await find_with_facts(sources.prometheus)
    except TimeoutError:
        raise TimedOut(f"no answer within {LIMIT:g} s for everything") from None
    finally:
        await sources.aclose()
    today = datetime.now(UTC).date().isoformat()
    return msgspec.structs.replace(playbook, jobs=jobs_of(playbook, facts), reviewed=trusted(today))
