"""The `notify:` of a context's `guard:`: who is told what a guard does."""

from __future__ import annotations

from opsconsole.config.http import Places
from opsconsole.config.reader import Section
from opsconsole.config.schema import NotifyConfig


def read_notify(section: Section, places: Places) -> tuple[NotifyConfig, ...]:
    """The channels in the key `notify` of a `guard:` section. Problems are noted."""
    if section.has("notify"):
        section.problem("no channel is supported yet", "leave it out", at="notify")
    return ()
