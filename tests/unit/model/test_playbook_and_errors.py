"""Small types: playbook lookups, flags, and errors that say what, where and what to do."""

from __future__ import annotations

import pytest

from opsconsole import errors
from opsconsole.errors import ConfigError, ExitCode, OpsError, Problem, SourceError, UsageError
from opsconsole.model.flags import Flag, FlagSet
from opsconsole.model.playbook import (
    AlertGuide,
    Dashboard,
    Panel,
    PanelGroup,
    PanelQuery,
    Playbook,
    Threshold,
)
from opsconsole.model.units import UNITS
from opsconsole.model.verdicts import Level
from opsconsole.text import trusted


def playbook() -> Playbook:
    panels = tuple(Panel(id=i, title=trusted(i), queries=(PanelQuery(expr="x"),)) for i in ("a", "b"))
    groups = tuple(PanelGroup(title=trusted(p.id), panels=(p,)) for p in panels)
    return Playbook(
        system="s",
        title=trusted("S"),
        folder="/nowhere",
        dashboards=(Dashboard(id="d", title=trusted("D"), groups=groups),),
        response={"critical": 300.0},
        alerts={"Now": AlertGuide(name="Now", response=60.0), "Plain": AlertGuide(name="Plain")},
    )


def test_panels_are_found_across_groups() -> None:
    book = playbook()
    assert [p.id for p in book.dashboards[0].panels] == ["a", "b"]
    found = book.panel("b")
    assert found is not None
    assert found.id == "b"
    assert book.panel("c") is None


@pytest.mark.parametrize(
    ("alert", "severity", "seconds"),
    [
        ("Now", "critical", 60.0),
        ("Plain", "critical", 300.0),
        ("New", "critical", 300.0),
        ("Plain", "info", None),
    ],
)
def test_response_times(alert: str, severity: str, seconds: float | None) -> None:
    assert playbook().response_time(alert, severity) == seconds


def test_thresholds_are_strict() -> None:
    above = Threshold(level=Level.WARNING, above=1.0)
    below = Threshold(level=Level.WARNING, below=0.0)
    assert (above.crossed(1.0), above.crossed(1.1), above.bound) == (False, True, 1.0)
    assert (below.crossed(0.0), below.crossed(-0.1), below.bound) == (False, True, 0.0)
    assert not Threshold(level=Level.WARNING).crossed(5.0)


def test_flags_are_found_by_their_raw_key() -> None:
    flag = Flag(key="new\x1b", enabled=True, default_variant=trusted("on"))
    flags = FlagSet(provider="flagd", source=trusted("f"), revision="1", flags=(flag,))
    assert flags.get("new\x1b") is flag
    assert flags.get("new") is None
    assert flag.name == r"new\x1b"


def test_units_have_a_suffix_each() -> None:
    assert UNITS["ratio"] == UNITS["percent"] == "%"


def test_errors_say_where() -> None:
    assert str(OpsError("broken", where="a.yaml:3")) == "a.yaml:3: broken"
    assert str(OpsError("broken")) == "broken"
    assert UsageError("x").exit_code == ExitCode.USAGE


def test_all_problems_of_a_file_are_told_at_once() -> None:
    found = (
        Problem(file="a.yaml", line=3, key="contexts.prod.promethus", message="unknown key", hint="prometheus?"),
        Problem(file="a.yaml", line=0, key="", message="no contexts"),
    )
    error = ConfigError(found)
    assert str(error) == ("a.yaml:3: contexts.prod.promethus: unknown key (prometheus?)\na.yaml: no contexts")
    assert error.problems == found


def test_every_source_error_has_its_own_word() -> None:
    kinds = [cls.kind for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, SourceError)]
    assert len(kinds) == len(set(kinds)) >= 8


def test_check_exit_codes_are_those_of_monitoring_plugins() -> None:
    assert [int(level) for level in (Level.OK, Level.WARNING, Level.CRITICAL, Level.UNKNOWN)] == [
        ExitCode.CHECK_OK,
        ExitCode.CHECK_WARNING,
        ExitCode.CHECK_CRITICAL,
        ExitCode.CHECK_UNKNOWN,
    ]
