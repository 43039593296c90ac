"""Do the probes of the playbooks get the answers that they should?"""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.checks.base import Check
from opsconsole.checks.doubt import unknown
from opsconsole.model.playbook import Probe
from opsconsole.model.probes import ProbeAnswer
from opsconsole.model.reading import Reading
from opsconsole.model.verdicts import Level, Measure, Range, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted


def check_probes(snapshot: Snapshot) -> Iterator[Verdict]:
    """A verdict for each probe. A target that was reached and does not answer as it should is CRITICAL; one that
    cannot be reached from here is UNKNOWN."""
    for book in snapshot.playbooks:
        for probe in book.probes:
            reading = snapshot.probes.get(f"{book.system}/{probe.name}") or Reading[ProbeAnswer]()
            id = f"probes.{safe(book.system, 40)}.{safe(probe.name, 64)}"
            title = safe(f"{book.title} answers the probe {probe.name}", 160)
            if not reading.known(snapshot.now) or reading.data is None:
                yield unknown(id, title, reading, snapshot.now)
            else:
                yield _judged(id, title, probe, reading.data)


def _judged(id: str, title: SafeText, probe: Probe, answer: ProbeAnswer) -> Verdict:
    url = safe(probe.url, 200)
    level, reason = _found(probe, answer)
    evidence = [trusted(f"GET {url}")]
    if level is not Level.OK and answer.start:
        evidence.append(trusted(f"the answer begins: {answer.start}"))
    return Verdict(
        id=id,
        title=title,
        level=level,
        reason=trusted(reason if level is Level.OK else f"{url} {reason}"),
        evidence=tuple(evidence),
        hint=trusted("" if level is Level.OK else "look at the application itself, and at what stands before it"),
        measure=Measure(
            value=answer.seconds if answer.status else None,
            unit="s",
            warning=Range(high=probe.latency) if probe.latency else None,
        ),
    )


def _found(probe: Probe, answer: ProbeAnswer) -> tuple[Level, str]:
    if not answer.status:
        return Level.CRITICAL, f"does not answer: {answer.failure}"
    if answer.status != probe.status:
        return Level.CRITICAL, f"answers {answer.status}, not {probe.status}"
    if not answer.contains:
        return Level.CRITICAL, f"answers {answer.status} without `{safe(probe.contains, 80)}` in the body"
    took = f"{answer.seconds * 1000:.0f} ms"
    if probe.latency and answer.seconds > probe.latency:
        return Level.WARNING, f"answers {answer.status} after {took}, more than {probe.latency * 1000:.0f} ms"
    return Level.OK, f"answers {answer.status} in {took}"


CHECKS = (
    Check(
        id="probes",
        group="probes",
        title=trusted("Probes get their answers"),
        explains="Each HTTP probe of a playbook is answered with its status and text (else CRITICAL) and as "
        "quickly as it says (else WARNING). UNKNOWN when the target cannot be reached from here.",
        needs=frozenset({"probes"}),
        run=check_probes,
    ),
)
