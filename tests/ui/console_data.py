"""A snapshot with every screen full, made from the shipped playbook."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import msgspec
from fakes import NOW, at, make_silence, make_snapshot

from opsconsole.config.playbooks import find_playbook, load_playbook
from opsconsole.model.flags import Flag, FlagChange, FlagSet
from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.model.panels import PanelData, step_of
from opsconsole.model.playbook import Panel, PanelKind, Playbook
from opsconsole.model.reading import Failure, Reading
from opsconsole.model.rules import BuildInfo, MemberStatus, Rule, RuleGroup, Target
from opsconsole.model.series import QueryResult, Series
from opsconsole.state.snapshot import MemberReading, Snapshot
from opsconsole.text import safe, trusted

REFUSED = Failure(
    kind="unreachable", message=trusted("connection refused"), hint=trusted("is it running?"),
    where=trusted("http://am.example"),
)  # fmt: skip


@lru_cache(maxsize=1)
def playbook() -> Playbook:
    """The shipped accubooks playbook."""
    return load_playbook(find_playbook("accubooks"))


def panel_data(panel: Panel, *, bad: bool = False, now: float = NOW) -> PanelData:
    """Data of the right shape: a wave that jumps over the worst threshold in the last tenth when `bad`."""
    top = max([1.0, *(t.bound for t in panel.thresholds)])
    return PanelData(tuple(_result(panel, index, top, bad, now) for index in range(len(panel.queries))))


def _result(panel: Panel, index: int, top: float, bad: bool, now: float) -> QueryResult:
    if panel.kind in (PanelKind.LINE, PanelKind.NUMBER):
        step = step_of(panel.window)
        end = math.floor(now / step) * step
        times = tuple(end - panel.window + step * i for i in range(int(panel.window / step) + 1))
        low = top * (0.2 + 0.05 * index)
        values = [low * (1 + 0.2 * math.sin(i / 9 + index)) for i in range(len(times))]
        if panel.thresholds and panel.thresholds[0].below is not None:
            values = [top * 1.2 for _ in times]
        if bad:
            values[-len(times) // 10 :] = [top * 1.4] * (len(times) // 10 + 1)
        return QueryResult("matrix", (Series({}, times, tuple(values[: len(times)])),))
    if panel.kind is PanelKind.GAUGE:
        return QueryResult("vector", (Series({}, (now,), (top * (1.1 if bad else 0.6),)),))
    names = ("/api/forecast", "/api/invoices", "/login")
    series = tuple(
        Series({"route": name, "status_code": str(200 + i)}, (now,), (top * (3 - i),))
        for i, name in enumerate(names)
    )
    return QueryResult("vector", series)


def panels(book: Playbook, *, bad: tuple[str, ...] = (), now: float = NOW) -> dict[str, Reading[PanelData]]:
    """Readings of every panel."""
    return {
        f"{book.system}/{panel.id}": Reading(
            data=panel_data(panel, bad=panel.id in bad, now=now), at=now, limit=15.0
        )
        for dashboard in book.dashboards
        for panel in dashboard.panels
    }


def flagset() -> FlagSet:
    """Two flags."""
    on, off = trusted("on"), trusted("off")
    return FlagSet(
        provider="flagd",
        source=trusted("/etc/flagd/flags.json"),
        revision="r1",
        flags=(
            Flag(key="dark_mode", enabled=True, default_variant=on, variants=(on, off), serves=trusted("on 100 %"),
                 content_hash="a"),
            Flag(key="new_pricing", enabled=True, default_variant=on, variants=(on, off),
                 serves=trusted("on 100 %"), safe_variant=off, content_hash="b"),
        ),
    )  # fmt: skip


def change(key: str = "new_pricing", ago: float = 600.0, *, exact: bool = True) -> FlagChange:
    """A change `ago` seconds before NOW."""
    return FlagChange(key=key, at=NOW - ago, summary=trusted("default off -> on"), who=trusted("release-bot"),
                      exact=exact)  # fmt: skip


def entry(seq: int, action: str, phase: Phase, result: Result, ago: float, **detail: object) -> Entry:
    """An entry of the journal."""
    return Entry(
        seq=seq, at=NOW - ago, op=str(detail.pop("op", f"op{seq}")), phase=phase, action=action,
        subject=safe(str(detail.get("key", "HighErrorRate"))), user=trusted("primary-a"), context=trusted("prod"),
        result=result, message=trusted(f"{action} message {seq}"), detail=detail,
    )  # fmt: skip


def rules() -> tuple[RuleGroup, ...]:
    """A healthy rule and a broken one."""
    return (
        RuleGroup(
            name=trusted("accubooks"),
            rules=(
                Rule(name=trusted("HighErrorRate"), health=trusted("ok"), last_evaluation=at(-5)),
                Rule(name=trusted("BrokenRule"), health=trusted("err"), last_error=trusted("parse error"),
                     last_evaluation=at(-5)),
            ),
        ),
    )  # fmt: skip


def member(url: str, **more: Any) -> MemberReading:
    """A member that answers, or what `more` says of its reading."""
    status = MemberStatus(url=url, version=trusted("0.27.0"), cluster_status=trusted("ready"), peers=2)
    return MemberReading(url=safe(url), status=Reading(data=status, at=NOW, limit=15.0, **more))


def full(*, bad: tuple[str, ...] = ("latency", "error_rate"), now: float = NOW, **more: Any) -> Snapshot:
    """Everything there is, fresh, in the middle of an incident."""
    book = playbook()
    ours = {"alertname": "DatabasePoolExhaustion", "severity": "critical", "pool": "primary"}
    silences = [
        make_silence("s-1", ours, comment="ACK! primary-a: looking [op=n1]"),
        make_silence("s-2", {"alertname": "HighLatency"}, comment="deploying 1.4.2", by="release-bot", left=7200),
        make_silence("s-3", {"alertname": "Old"}, comment="long ago", state="expired", left=-3600, ago=9000),
    ]
    wanted: dict[str, Any] = {
        "silences": silences,
        "rules": rules(),
        "playbooks": (book,),
        "panels": panels(book, bad=bad, now=now),
        "flags": flagset(),
        "changes": (change(),),
        "journal": (
            entry(1, "ack", Phase.INTENT, Result.OPEN, 90, op="o1"),
            entry(2, "ack", Phase.OUTCOME, Result.DONE, 89, op="o1"),
        ),
        "prometheus": Reading(data=BuildInfo(version=trusted("2.53.3")), at=now, limit=15.0),
        "targets": Reading(
            data=(
                Target(labels={"job": "accubooks", "instance": "10.0.3.4:9100"}, health="up", last_scrape=at(-3)),
                Target(labels={"job": "accubooks", "instance": "10.0.3.5:9100"}, health="down",
                       last_error=trusted("connection refused"), last_scrape=at(-3)),
            ),
            at=now,
        ),
    }  # fmt: skip
    made = make_snapshot(now=now, **{**wanted, **more})
    cluster = msgspec.structs.replace(
        made.clusters[0], members=(member("http://am-0.example"), member("http://am-1.example"))
    )
    return msgspec.structs.replace(made, clusters=(cluster,))
