"""Are the playbooks and their runbooks in order?"""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.checks.base import Check
from opsconsole.checks.doubt import unknown
from opsconsole.checks.words import count
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import safe, trusted

_EVIDENCE = 20


def check_runbooks(snapshot: Snapshot) -> Iterator[Verdict]:
    """A verdict for each playbook: what `opsconsole playbook lint` finds is WARNING. Nobody is woken by a dead
    link, but who is woken needs it."""
    for book in snapshot.playbooks:
        reading = snapshot.linted.get(book.system)
        if reading is None:
            continue
        id, title = f"runbooks.{safe(book.system, 60)}", trusted(f"The playbook of {book.title} is in order")
        if not reading.known(snapshot.now) or reading.data is None:
            yield unknown(id, title, reading, snapshot.now)
            continue
        wrong = [finding.line for finding in reading.data if not finding.warning]
        notes = [finding.line for finding in reading.data if finding.warning]
        yield Verdict(
            id=id,
            title=title,
            level=Level.WARNING if wrong else Level.OK,
            reason=trusted(f"{count(len(wrong), 'finding')}: {wrong[0]}" if wrong else "no finding"),
            evidence=tuple((*wrong, *notes)[:_EVIDENCE]),
            hint=trusted(f"opsconsole playbook lint {safe(book.folder, 200)}" if wrong else ""),
        )


CHECKS = (
    Check(
        id="runbooks",
        group="runbooks",
        title=trusted("Playbooks are in order"),
        explains="What `opsconsole playbook lint` finds in each playbook's folder, its runbooks above all, is "
        "WARNING. The result is kept in the user's cache until a file changes.",
        needs=frozenset({"lint"}),
        run=check_runbooks,
    ),
)
