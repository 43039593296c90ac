"""What is wrong with the members of a cluster: the badge, the Status screen and the check say the same."""

from __future__ import annotations

from typing import Any

import pytest
from rich.text import Text

from opsconsole.checks.run import run_checks
from opsconsole.model.members import Difference
from opsconsole.model.reading import Failure, Reading
from opsconsole.model.rules import MemberStatus
from opsconsole.model.verdicts import Level
from opsconsole.render.status import StatusInput, status_line
from opsconsole.state.members import badge, troubles
from opsconsole.state.snapshot import ClusterReading, ContextInfo, MemberReading, Snapshot
from opsconsole.text import trusted
from opsconsole.ui.bars import cluster_status

NOW = 1_800_000_000.0
DIFFERENT = Difference(id="abc", url=trusted("http://b"), what=trusted('{alertname="X"} is missing on http://b'))


def member(url: str, *, status: str = "ready", skew: float | None = 0.5, down: bool = False) -> MemberReading:
    reading = Reading(data=MemberStatus(url=url, cluster_status=trusted(status)), at=NOW, limit=15.0)
    if down:
        reading = reading.failed(Failure(kind="unreachable", message=trusted("connection refused")), NOW)
    return MemberReading(url=trusted(url), status=reading, skew=skew)


def cluster(*members: MemberReading, name: str = "main", **more: Any) -> ClusterReading:
    return ClusterReading(
        name=name,
        alerts=Reading(data=(), at=NOW, limit=15.0),
        silences=Reading(data=(), at=NOW, limit=15.0),
        members=members or (member("http://a"), member("http://b")),
        **more,
    )


@pytest.mark.parametrize(
    ("made", "short", "words"),
    [
        (
            cluster(member("http://a"), member("http://b", down=True)),
            "1 down",
            "http://b: unreachable",
        ),
        (cluster(member("http://a", status="settling")), "settling", "http://a is still settling"),
        (cluster(differences=(DIFFERENT,)), "lists differ", 'silence abc {alertname="X"} is missing on http://b'),
        (cluster(member("http://a", skew=-7.4)), "clock -7s", "the clock of http://a is 7 s behind ours"),
        (cluster(member("http://a", skew=61.0)), "clock +61s", "the clock of http://a is 61 s ahead of ours"),
    ],
)
def test_each_trouble_is_named_everywhere(made: ClusterReading, short: str, words: str) -> None:
    (trouble,) = troubles(made, NOW)
    assert trouble.short == short
    assert trouble.words.startswith(words)
    snapshot = Snapshot(context=ContextInfo(name=trusted("t")), now=NOW, clusters=(made,))
    line = bar(snapshot)
    assert f"AM ● {short}" in line.plain
    (verdict,) = [v for v in run_checks(snapshot) if v.level is Level.WARNING]
    assert words in f"{verdict.reason} {verdict.evidence}"


def bar(snapshot: Snapshot, width: int = 120) -> Text:
    sources = tuple(cluster_status(c, snapshot) for c in snapshot.clusters)
    return status_line(StatusInput(context=trusted("t"), sources=sources), width=width)


def test_a_cluster_that_agrees_is_ok() -> None:
    made = cluster(member("http://a", skew=5.0), member("http://b", skew=None))
    assert troubles(made, NOW) == ()


def test_each_of_several_clusters_has_its_own_badge() -> None:
    east = cluster(member("http://a", status="settling"), name="east")
    snapshot = Snapshot(context=ContextInfo(name=trusted("t")), now=NOW, clusters=(east, cluster(name="west")))
    assert "AM east ● settling" in bar(snapshot).plain
    assert "AM west ✔ 2/2" in bar(snapshot).plain


def test_what_is_wrong_stays_when_the_line_is_narrow() -> None:
    made = cluster(member("http://a", status="settling", skew=60), differences=(DIFFERENT,))
    snapshot = Snapshot(context=ContextInfo(name=trusted("t")), now=NOW, clusters=(made,))
    assert badge(troubles(made, NOW)) == "settling, lists differ, clock +60s"
    assert "AM ● settling, lists differ, clock +60s" in bar(snapshot).plain
    assert "AM ● settling" in bar(snapshot, 30).plain


def test_times_of_a_cluster_are_told_by_its_clock() -> None:
    snapshot = Snapshot(context=ContextInfo(name=trusted("t")), now=NOW, clusters=(cluster(skew=90.0),))
    assert snapshot.now_at("main") == NOW + 90
    assert snapshot.now_at("") == NOW
    assert snapshot.place("main") == ""
