"""Are the scrape targets up, scraped in time and with samples?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from opsconsole.checks.base import Check
from opsconsole.checks.doubt import CLOCK, MAX_SKEW, follows, skew_of
from opsconsole.model.durations import duration_text, seconds_of
from opsconsole.model.playbook import JobSpec
from opsconsole.model.rules import Target
from opsconsole.model.serverfacts import Extreme
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted

READ = "targets.read"
ASKED = "targets.asked"
_FLAPPED = 3
"""Changes within the window that are flapping: it went away twice."""


def check_read(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether Prometheus tells its targets at all."""
    title, reading = trusted("Prometheus tells its targets"), snapshot.targets
    if reading is None:
        return
    if not reading.known(snapshot.now) or reading.data is None:
        yield follows(READ, title, reading, snapshot, what="its targets")
    else:
        yield Verdict(id=READ, title=title, level=Level.OK, reason=trusted(f"{len(reading.data)} targets"))


def check_asked(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether it tells how scraping them went."""
    title, reading = trusted("Prometheus tells how its scrapes went"), snapshot.scrapes
    if reading is None:
        return
    if not reading.known(snapshot.now) or reading.data is None:
        yield follows(ASKED, title, reading, snapshot, what="how its scrapes went")
    else:
        jobs = {*reading.data.samples, *reading.data.changes}
        yield Verdict(id=ASKED, title=title, level=Level.OK, reason=trusted(f"of {len(jobs)} jobs"))


def wanted_jobs(snapshot: Snapshot) -> dict[str, JobSpec]:
    """The jobs that the playbooks name; without any, those that Prometheus scrapes. Of a job that several name,
    the most instances and the shortest interval count."""
    found: dict[str, JobSpec] = {}
    for job in (job for book in snapshot.playbooks for job in book.jobs):
        old = found.get(job.name, job)
        intervals = [one.interval for one in (old, job) if one.interval]
        instances = max(old.instances, job.instances)
        found[job.name] = JobSpec(name=job.name, instances=instances, interval=min(intervals, default=0.0))
    if found or snapshot.targets is None:
        return found
    return {target.job: JobSpec(name=target.job) for target in snapshot.targets.data or ()}


def _by_job(snapshot: Snapshot) -> Mapping[str, list[Target]] | None:
    """The targets by job, None when they may not be believed."""
    reading = snapshot.targets
    if reading is None or not reading.known(snapshot.now) or reading.data is None:
        return None
    found: dict[str, list[Target]] = {}
    for target in reading.data:
        found.setdefault(target.job, []).append(target)
    return found


def check_up(snapshot: Snapshot) -> Iterator[Verdict]:
    """A verdict for each job."""
    by_job = _by_job(snapshot)
    for job in wanted_jobs(snapshot).values():
        name = safe(job.name, 60)
        id, title = f"targets.up.{name}", trusted(f"Job {name} is up")
        if by_job is None:
            assert snapshot.targets is not None
            yield follows(id, title, snapshot.targets, snapshot, READ, "its targets")
        else:
            yield _up(id, title, name, by_job.get(job.name, []), job.instances)


def _up(id: str, title: SafeText, name: SafeText, targets: list[Target], expected: int) -> Verdict:
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


def check_interval(snapshot: Snapshot) -> Iterator[Verdict]:
    """A verdict for each job whose interval a playbook names."""
    by_job = _by_job(snapshot)
    for job in wanted_jobs(snapshot).values():
        name = safe(job.name, 60)
        id, title = f"targets.interval.{name}", trusted(f"Job {name} is scraped in time")
        if not job.interval:
            continue
        if by_job is None:
            assert snapshot.targets is not None
            yield follows(id, title, snapshot.targets, snapshot, READ, "its targets")
        elif not by_job.get(job.name):
            reason, because = trusted(f"Prometheus scrapes no target of job {name}"), f"targets.up.{name}"
            yield Verdict(id=id, title=title, level=Level.UNKNOWN, reason=reason, because=because)
        else:
            yield _interval(id, title, name, by_job[job.name], job.interval, snapshot)


def _interval(
    id: str, title: SafeText, name: SafeText, targets: list[Target], wanted: float, snapshot: Snapshot
) -> Verdict:
    said = duration_text(wanted)
    other = [t for t in targets if seconds_of(t.scrape_interval) not in (None, wanted)]
    unsaid = [t for t in targets if seconds_of(t.scrape_interval) is None]
    skew = skew_of(snapshot)
    now = snapshot.now + skew
    late = [t for t in targets if now - t.last_scrape.timestamp() > max(3 * wanted, 15.0)]
    if other:
        return Verdict(
            id=id,
            title=title,
            level=Level.WARNING,
            reason=trusted(f"{name} is scraped every {other[0].scrape_interval}, the playbook says {said}"),
            evidence=tuple(trusted(f"{safe(t.instance, 80)}: every {t.scrape_interval}") for t in other),
            hint=trusted("correct scrape_interval, or the playbook"),
        )
    if late:
        return Verdict(
            id=id,
            title=title,
            level=Level.UNKNOWN,
            reason=trusted(f"{safe(late[0].instance, 80)} was not scraped within three times {said}"),
            evidence=tuple(trusted(f"{safe(t.instance, 80)}: last at {t.last_scrape:%H:%M:%S} UTC") for t in late),
            because=CLOCK if abs(skew) > MAX_SKEW else "",
        )
    if unsaid:
        reason = trusted(f"Prometheus does not tell how often it scrapes {name}")
        return Verdict(id=id, title=title, level=Level.UNKNOWN, reason=reason)
    return Verdict(id=id, title=title, level=Level.OK, reason=trusted(f"every {said}"))


def check_samples(snapshot: Snapshot) -> Iterator[Verdict]:
    """A verdict for each job: its last scrapes gave samples."""
    for job, id, title, found in _scraped(snapshot, "samples", "gives samples"):
        if isinstance(found, Verdict):
            yield found
            continue
        none = not found.value > 0
        instance = safe(found.instance, 80)
        yield Verdict(
            id=id,
            title=title,
            level=Level.UNKNOWN if none else Level.OK,
            reason=trusted(
                f"the last scrape of {instance} gave no sample" if none else "every scrape gives samples"
            ),
            hint=trusted("its metrics path may be wrong, or everything is dropped by relabelling" if none else ""),
            because=f"targets.up.{job}" if none and _down(snapshot, job) else "",
        )


def check_flapping(snapshot: Snapshot) -> Iterator[Verdict]:
    """A verdict for each job: none of its targets went away twice within the hour."""
    for _, id, title, found in _scraped(snapshot, "changes", "stays up"):
        if isinstance(found, Verdict):
            yield found
            continue
        flapped = found.value >= _FLAPPED
        instance = safe(found.instance, 80)
        yield Verdict(
            id=id,
            title=title,
            level=Level.WARNING if flapped else Level.OK,
            reason=trusted(
                f"{instance} went up or down {found.value:.0f} times in the last hour" if flapped else "steady"
            ),
            hint=trusted("it restarts again and again, or its scrapes time out" if flapped else ""),
        )


def _scraped(
    snapshot: Snapshot, kind: str, words: str
) -> Iterator[tuple[SafeText, str, SafeText, Extreme | Verdict]]:
    """For each job its name, and what is known of its scrapes or the verdict that nothing is."""
    reading = snapshot.scrapes
    if reading is None:
        return
    check = "samples" if kind == "samples" else "flapping"
    for job in wanted_jobs(snapshot):
        name = safe(job, 60)
        id, title = f"targets.{check}.{name}", trusted(f"Job {name} {words}")
        if not reading.known(snapshot.now) or reading.data is None:
            yield name, id, title, follows(id, title, reading, snapshot, ASKED, "how its scrapes went")
            continue
        known: Mapping[str, Extreme] = getattr(reading.data, kind)
        found = known.get(job)
        reason = trusted(f"there is no {'scrape_samples_scraped' if kind == 'samples' else 'up'} of job {name}")
        # Without a target there cannot be any; with one that is up it is a finding of its own.
        gone = _by_job(snapshot) is None or not (_by_job(snapshot) or {}).get(job)
        because = f"targets.up.{name}" if gone else ""
        missing = Verdict(id=id, title=title, level=Level.UNKNOWN, reason=reason, because=because)
        yield name, id, title, missing if found is None or found.value != found.value else found


def _down(snapshot: Snapshot, name: SafeText) -> bool:
    by_job = _by_job(snapshot) or {}
    return any(t.health != "up" for job, targets in by_job.items() if safe(job, 60) == name for t in targets)


CHECKS = (
    Check(
        id=READ,
        group="targets",
        title=trusted("Prometheus tells its targets"),
        explains="Prometheus lists its targets. The checks of targets follow from it.",
        needs=frozenset({"targets"}),
        run=check_read,
    ),
    Check(
        id=ASKED,
        group="targets",
        title=trusted("Prometheus tells how its scrapes went"),
        explains="Prometheus answers a query for the samples of the last scrapes and for the changes of `up`.",
        needs=frozenset({"scrapes"}),
        run=check_asked,
    ),
    Check(
        id="targets.up",
        group="targets",
        title=trusted("Targets are up"),
        explains="Each job that a playbook names (without one: each job that Prometheus scrapes) has its "
        "instances up. WARNING when some are down, CRITICAL when all are, UNKNOWN when none is known.",
        needs=frozenset({"targets"}),
        run=check_up,
    ),
    Check(
        id="targets.interval",
        group="targets",
        title=trusted("Targets are scraped in time"),
        explains="Each job for which a playbook names an interval is scraped at that (else WARNING), and was "
        "scraped within three times that (else UNKNOWN).",
        needs=frozenset({"targets"}),
        run=check_interval,
    ),
    Check(
        id="targets.samples",
        group="targets",
        title=trusted("Targets give samples"),
        explains="The last scrape of every target of a job gave samples, else UNKNOWN.",
        needs=frozenset({"targets", "scrapes"}),
        run=check_samples,
    ),
    Check(
        id="targets.flapping",
        group="targets",
        title=trusted("Targets stay up"),
        explains="No target of a job went up and down three times or more within the last hour, else WARNING.",
        needs=frozenset({"targets", "scrapes"}),
        run=check_flapping,
    ),
)
