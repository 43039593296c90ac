"""A playbook that was written out loads as the same playbook."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.config.playbooks import list_playbooks, load_playbook
from opsconsole.errors import UsageError
from opsconsole.golden.families import facts_of, families_of
from opsconsole.golden.recognise import jobs_of, recognise
from opsconsole.golden.write import playbook_text, write_playbook
from opsconsole.golden.yamltext import WIDTH
from opsconsole.model.flags import RollbackKind
from opsconsole.model.guard import Guard, GuardRule
from opsconsole.model.playbook import (
    AlertGuide,
    Dashboard,
    JobSpec,
    Panel,
    PanelGroup,
    PanelKind,
    PanelQuery,
    Playbook,
    Threshold,
)
from opsconsole.model.series import Series
from opsconsole.model.units import UNITS
from opsconsole.model.verdicts import Level
from opsconsole.text import is_safe, safe

PRINTED = st.characters(codec="utf-8", exclude_categories=("C", "Z"))
PLAIN = st.text(PRINTED, min_size=1, max_size=12).filter(is_safe)
TEXT = st.text(min_size=1, max_size=12).map(safe).filter(lambda text: text.strip() and len(text) <= 80)
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
SECONDS = st.integers(60, 86_000).map(float)
NUMBERS = st.floats(-1e9, 1e9)
EXPRS = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=60).filter(
    lambda text: text == text.strip()
)


@st.composite
def thresholds(draw: st.DrawFn) -> Threshold:
    bound, upward = draw(NUMBERS), draw(st.booleans())
    return Threshold(
        level=draw(st.sampled_from([Level.WARNING, Level.CRITICAL])),
        above=bound if upward else None,
        below=None if upward else bound,
        hold=draw(st.one_of(st.just(0.0), SECONDS)),
    )


@st.composite
def panels(draw: st.DrawFn, id: str) -> Panel:
    queries = tuple(
        PanelQuery(expr=expr, legend=safe(legend))
        for expr, legend in draw(st.lists(st.tuples(EXPRS, st.one_of(st.just(""), TEXT)), min_size=1, max_size=3))
    )
    scale = draw(st.one_of(st.just((None, None)), st.tuples(st.just(-1.5), st.floats(0, 1e20))))
    return Panel(
        id=id,
        title=draw(TEXT),
        kind=draw(st.sampled_from(PanelKind)),
        unit=draw(st.sampled_from(sorted(UNITS))),
        queries=queries,
        thresholds=tuple(draw(st.lists(thresholds(), max_size=2))),
        headline=draw(st.sampled_from([safe(""), *(query.legend for query in queries)])),
        window=draw(SECONDS),
        minimum=scale[0],
        maximum=scale[1],
        top=draw(st.integers(1, 100)),
        empty=draw(st.sampled_from(["unknown", "ok", "zero"])),
    )


@st.composite
def playbooks(draw: st.DrawFn) -> Playbook:
    ids = draw(st.lists(IDS, unique=True, min_size=1, max_size=4))
    groups = tuple(PanelGroup(title=draw(TEXT), panels=(draw(panels(id)),)) for id in ids)
    dashboards = (Dashboard(id=draw(IDS), title=draw(TEXT), refresh=draw(SECONDS) / 60, groups=groups),)
    refresh = float(round(dashboards[0].refresh) + 1)
    return Playbook(
        system=draw(PLAIN),
        title=draw(TEXT),
        folder="",
        dashboards=(msgspec.structs.replace(dashboards[0], refresh=refresh),),
        jobs=tuple(
            JobSpec(
                name=name,
                instances=draw(st.integers(1, 1000)),
                interval=float(draw(st.sampled_from([0, 15, 90, 3600]))),
            )
            for name in draw(st.lists(PLAIN, unique=True, max_size=3))
        ),
        response=draw(st.dictionaries(st.sampled_from(["critical", "high", "warning"]), SECONDS)),
        alerts={
            name: AlertGuide(name=name, response=draw(SECONDS), panel=draw(st.sampled_from(ids)))
            for name in draw(st.lists(PLAIN, unique=True, max_size=2))
        },
        flag_panel=draw(st.sampled_from(["", *ids])),
        owner=safe(draw(PLAIN)),
    )


def there_and_back(playbook: Playbook) -> Playbook:
    with tempfile.TemporaryDirectory() as folder:
        write_playbook(Path(folder) / "new", playbook.system, playbook)
        found = load_playbook(Path(folder) / "new", runbooks=False)
    return msgspec.structs.replace(found, folder=playbook.folder)


@given(playbooks())
def test_any_playbook_loads_as_what_was_written(playbook: Playbook) -> None:
    assert there_and_back(playbook) == playbook


@pytest.mark.parametrize("folder", list_playbooks(), ids=lambda folder: folder.name)
def test_the_shipped_playbooks_load_as_what_was_written(folder: Path) -> None:
    loaded = load_playbook(folder, runbooks=False)
    # What other files of the folder say is not written.
    playbook = msgspec.structs.replace(loaded, rules=(), runbook_names=frozenset())
    assert there_and_back(playbook) == playbook


@given(
    st.lists(
        st.tuples(
            st.text(max_size=100),
            st.sampled_from(["http_requests_total", "redis_up", "pg_up", "x_errors_total", "job_queue_depth"]),
            st.sampled_from(["200", "5xx", "failed"]),
        ),
        min_size=1,
    )
)
def test_what_was_found_loads_as_what_was_written(seen: list[tuple[str, str, str]]) -> None:
    families = families_of([name for _, name, _ in seen], {})
    facts = facts_of(
        families, [Series({"__name__": n, "job": job, "status": s}, (0.0,), (1.0,)) for job, n, s in seen]
    )
    playbook = recognise(facts)
    assert playbook is not None
    playbook = msgspec.structs.replace(playbook, jobs=jobs_of(playbook, facts))
    assert there_and_back(playbook) == playbook


def test_it_reads_well(tmp_path: Path) -> None:
    families = families_of(["http_requests_total"], {})
    facts = facts_of(
        families, [Series({"__name__": "http_requests_total", "job": "shop", "code": "200"}, (0.0,), (1.0,))]
    )
    playbook = recognise(facts)
    assert playbook is not None
    lines = playbook_text(playbook).splitlines()
    assert lines[:2] == ["system: found", "title: Found in Prometheus"]
    assert "          - id: shop_request_rate" in lines
    assert "              - {level: warning, above: 0.05, for: 5m}" in lines
    assert all(len(line) <= WIDTH for line in lines if "expr" not in line)


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "playbook.yaml").write_text("mine")
    with pytest.raises(UsageError, match="there already"):
        write_playbook(tmp_path, "x", Playbook(system="x", title=safe("x"), folder=""))
    assert (tmp_path / "playbook.yaml").read_text() == "mine"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        write_playbook(tmp_path / "file" / "x", "x", Playbook(system="x", title=safe("x"), folder=""))


def test_every_key_of_the_guard_is_written() -> None:
    guard = Guard(
        rules=(
            GuardRule(id="e", title=safe("E"), expr="a / b", above=0.05, traffic="b", min_traffic=0.5, alert="A"),
        ),
        never=("kill",),
        only=("new_*", "tag:canary"),
        kind=RollbackKind.UNDO,
        interval=5.0,
        samples=4,
        clear_ratio=0.5,
        clear_for=120.0,
        look_back=3600.0,
        max_flags=3,
        max_actions=4,
        cooldown=7200.0,
        blind_after=90.0,
    )
    playbook = Playbook(system="x", title=safe("x"), folder="", guard=guard)
    assert there_and_back(playbook).guard == guard
