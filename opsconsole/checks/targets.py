"""Are the scrape targets up?"""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.checks.base import Check
from opsconsole.checks.sources import unknown
from opsconsole.model.rules import Target
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import safe, trusted


def check_targets(snapshot: Snapshot) -> Iterator[Verdict]:
    """A verdict for each job that a playbook names; without one, for each job that Prometheus scrapes."""
    reading = snapshot.targets
    if reading is None:
        return
    if not reading.known(snapshot.now) or reading.data is None:
        yield unknown("targets", trusted("Targets are up"), reading, snapshot.now)
        return
    by_job: dict[str, list[Target]] = {}
    for target in reading.data:
        by_job.setdefault(target.job, []).append(target)
    wanted = {job.name: job.instances for book in snapshot.playbooks for job in book.jobs}
    for job in wanted or dict.fromkeys(by_job, 1):
        yield _job(job, by_job.get(job, []), wanted.get(job, 1))


def _job(job: str, targets: list[Target], expected: int) -> Verdict:
    name = safe(job, 60)
    id, title = f"targets.{name}", trusted(f"Job {name} is up")
    down = [t for t in targets if t.health == "down"]
    unasked = [t for t in targets if t.health not in ("up", "down")]
    up = len(targets) - len(down) - len(unasked)
    evidence = tuple(trusted(f"{safe(t.instance, 80)}: {t.health} {t.last_error}") for t in down + unasked)
    if not targets:
        return Verdict(
            id=id,
            title=title,
            level=Level.UNKNOWN,
            reason=trusted(f"Prometheus scrapes no target of job {name}"),
            hint=trusted("the scrape configuration or the service discovery lacks it"),
        )
    if down:
        level = Level.CRITICAL if up == 0 else Level.WARNING
        reason = trusted(f"{len(down)} of {len(targets)} down: {safe(down[0].instance, 80)}")
        return Verdict(id=id, title=title, level=level, reason=reason, evidence=evidence)
    if unasked:
        reason = trusted(f"{len(unasked)} of {len(targets)} not scraped yet")
        return Verdict(id=id, title=title, level=Level.UNKNOWN, reason=reason, evidence=evidence)
    if up < expected:
        reason = trusted(f"{up} up, the playbook expects {expected}")
        return Verdict(id=id, title=title, level=Level.WARNING, reason=reason)
    return Verdict(id=id, title=title, level=Level.OK, reason=trusted(f"{up} up"))


CHECKS = (
    Check(
        id="targets",
        group="targets",
        title=trusted("Targets are up"),
        explains="Each job that a playbook names (without one: each job that Prometheus scrapes) has its "
        "instances up. WARNING when some are down, CRITICAL when all are, UNKNOWN when none is known.",
        needs=frozenset({"targets"}),
        run=check_targets,
    ),
)
