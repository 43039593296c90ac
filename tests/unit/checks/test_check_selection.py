"""Which checks globs select, and what of their verdicts is kept."""

from __future__ import annotations

import pytest

from opsconsole.checks.base import Check
from opsconsole.checks.select import Selection, covers
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.text import trusted


def check(id: str) -> Check:
    return Check(
        id=id,
        group=id.split(".")[0],
        title=trusted(id),
        explains="It checks.",
        needs=frozenset(),
        run=lambda snapshot: iter(()),
    )


def verdict(id: str, level: Level = Level.OK) -> Verdict:
    return Verdict(id=id, title=trusted(""), level=level, reason=trusted(""))


CATALOG = tuple(map(check, ["sources.prometheus", "sources.flags", "targets", "alerts.active", "thresholds"]))


def chosen(*only: str, skip: tuple[str, ...] = ()) -> list[str]:
    return [c.id for c in Selection(only=only, skip=skip).checks(CATALOG)]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ((), ["sources.prometheus", "sources.flags", "targets", "alerts.active", "thresholds"]),
        (("sources",), ["sources.prometheus", "sources.flags"]),
        (("sources.*",), ["sources.prometheus", "sources.flags"]),
        (("sources.prom*",), ["sources.prometheus"]),
        (("sources.prometheus.ready",), ["sources.prometheus"]),
        (("targets.api", "alerts"), ["targets", "alerts.active"]),
        (("thresholds.books.*",), ["thresholds"]),
        (("source",), []),
        (("targets.api?",), ["targets"]),
    ],
)
def test_only_what_may_yield_a_wanted_verdict_runs(only: tuple[str, ...], expected: list[str]) -> None:
    assert chosen(*only) == expected


def test_a_glob_that_begins_anywhere_runs_all() -> None:
    assert len(chosen("*.latency")) == len(CATALOG)


def test_only_a_whole_check_is_skipped_before_it_runs() -> None:
    assert chosen("sources", skip=("sources.flags",)) == ["sources.prometheus"]
    assert "thresholds" in chosen(skip=("thresholds.books.latency",))


@pytest.mark.parametrize(
    ("glob", "id", "level", "kept"),
    [
        ("thresholds.books", "thresholds.books.latency", Level.OK, True),
        ("thresholds.*.latency", "thresholds.books.latency", Level.OK, True),
        ("*latency", "thresholds.books.latency", Level.OK, True),
        ("thresholds.books.latency", "thresholds.books.errors", Level.OK, False),
        ("thresholds.books.latency", "thresholds.books.errors", Level.UNKNOWN, False),
        ("targets.api", "targets", Level.UNKNOWN, True),
        ("targets.api", "targets", Level.OK, False),
        ("targets.ap", "targets.api", Level.OK, False),
        ("thresholds.books.latency", "thresholds.internal", Level.UNKNOWN, True),
        ("*latency", "thresholds.internal", Level.UNKNOWN, True),
        ("*latency", "targets", Level.UNKNOWN, False),
    ],
)
def test_what_is_kept(glob: str, id: str, level: Level, kept: bool) -> None:
    """An UNKNOWN that stands for what was asked for is never filtered away."""
    assert Selection(only=(glob,)).keeps(verdict(id, level)) is kept


def test_skipping_wins() -> None:
    selection = Selection(only=("thresholds",), skip=("*.latency",))
    assert not selection.keeps(verdict("thresholds.books.latency", Level.CRITICAL))
    assert selection.keeps(verdict("thresholds.books.errors", Level.CRITICAL))
    assert not selection.names("thresholds.books.latency")
    assert selection.names("thresholds.books.errors")


def test_globs_that_match_nothing() -> None:
    assert Selection(only=("targets", "nonsense")).unmatched(CATALOG) == "nonsense"
    assert Selection(skip=("targetts",)).unmatched(CATALOG) == "targetts"
    assert Selection(only=("targets.api",), skip=("alerts.*",)).unmatched(CATALOG) is None


def test_globs_that_met_no_verdict() -> None:
    made = [verdict("targets.api"), verdict("thresholds", Level.UNKNOWN)]
    assert Selection(only=("targets.web",)).unmet(CATALOG, made) == "targets.web"
    assert Selection(only=("thresholds.books.x",)).unmet(CATALOG, made) is None, "it may be there: it is not known"
    assert Selection(only=("sources.flags",)).unmet(CATALOG, made) is None, "it has nothing to judge"
    assert Selection(only=("targets.*",), skip=("alerts.active.main",)).unmet(CATALOG, made) is None


def test_a_glob_covers_what_is_below() -> None:
    assert covers("a", "a.b.c")
    assert covers("a.b", "a.b.c")
    assert not covers("a.c", "a.b.c")
    assert not covers("a.b.c.d", "a.b.c")
