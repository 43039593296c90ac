"""Which runbook belongs to an alert."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from opsconsole.model.playbook import Playbook
from opsconsole.model.runbook import Runbook

_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_WORD = re.compile(r"[^a-z0-9]+")


def kebab(name: str) -> str:
    """`HighErrorRate` and `high_error_rate` as `high-error-rate`."""
    return _NOT_WORD.sub("-", _WORD_ENDS.sub("-", name).lower()).strip("-")


def camel(stem: str) -> str:
    """`high-error-rate` as `HighErrorRate`."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[-_ .]+", stem))


def runbook_for(playbook: Playbook, alertname: str, runbook_url: str = "") -> Runbook | None:
    """The playbook's runbook for an alert: by its name (the playbook's entry, a front matter or the file's
    name), else by the `runbook_url` annotation when it maps to one of the files."""
    known = playbook.runbooks.get(alertname) or _stems(playbook).get(kebab(alertname))
    return known or runbook_by_url(playbook, runbook_url)


def _stems(playbook: Playbook) -> dict[str, Runbook]:
    stems: dict[str, Runbook] = {}
    for runbook in playbook.runbooks.values():
        stems.setdefault(PurePosixPath(runbook.path).stem.lower(), runbook)
    return stems


def runbook_by_url(playbook: Playbook, url: str) -> Runbook | None:
    """The playbook's runbook that a `runbook_url` leads to: the same file, or one whose name is its last part."""
    stems = _stems(playbook)
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    if parts.scheme not in ("", "file", "http", "https"):
        return None
    path = PurePosixPath(unquote(parts.path))
    if parts.scheme in ("", "file"):
        exact = next((r for r in playbook.runbooks.values() if PurePosixPath(r.path) == path), None)
        if exact is not None:
            return exact
    segment = path.name.removesuffix(".md")
    return stems.get(segment.lower()) or stems.get(kebab(segment)) if segment else None


def leads_to_runbook(url: str, names: Iterable[str]) -> bool:
    """Whether the last part of a `runbook_url` is the name of one of the runbooks `names` (without `.md`)."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    segment = PurePosixPath(unquote(parts.path)).name.removesuffix(".md")
    known = {name.lower() for name in names}
    usable = parts.scheme in ("", "file", "http", "https") and bool(segment)
    return usable and (segment.lower() in known or kebab(segment) in known)
