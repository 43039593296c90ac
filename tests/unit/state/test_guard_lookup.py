"""Where a guard is looked for: by its file here, else by its metrics in Prometheus."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import msgspec
import pytest

from opsconsole.clients.guardfile import GuardFiles
from opsconsole.clients.prometheus import PrometheusClient
from opsconsole.errors import BadReply, SourceError, Unreachable
from opsconsole.model.guard import GuardStatus
from opsconsole.model.guardstatus import ASKED, PART, SEEN, GuardSeen, encode_status, status_name
from opsconsole.model.series import QueryResult, Series
from opsconsole.state.guard_polls import look_for_guard
from opsconsole.state.told import Told
from opsconsole.text import safe, trusted

NOW = 1_767_225_600.0
WELL = GuardStatus(context="prod", host=safe("h"), pid=7, at=NOW - 5, started=NOW - 60, interval=10.0)


class Prometheus:
    def __init__(self, *series: Series, error: SourceError | None = None) -> None:
        self.asked: list[str] = []
        self._series = series
        self._error = error

    async def query(self, expr: str) -> QueryResult:
        self.asked.append(expr)
        if self._error is not None:
            raise self._error
        return QueryResult("vector", self._series, (trusted("a store did not answer"),))


def gone(context: str, ago: float) -> Series:
    return Series({"context": context, PART: SEEN}, (NOW,), (NOW - ago,))


def write(folder: Path, status: GuardStatus) -> None:
    folder.mkdir(exist_ok=True)
    (folder / status_name(status.host, status.pid)).write_bytes(encode_status(status))


async def look(folder: Path, prometheus: Prometheus | None, *, expected: bool = True) -> Told:
    files = GuardFiles(folder, "prod", expected=expected)
    return await look_for_guard(files, cast("PrometheusClient | None", prometheus), NOW)


async def test_one_that_runs_here_is_enough(tmp_path: Path) -> None:
    prometheus = Prometheus()
    write(tmp_path, msgspec.structs.replace(WELL, pid=8, at=NOW - 500))
    write(tmp_path, WELL)
    told = await look(tmp_path, prometheus)
    assert told == Told(GuardSeen(status=WELL, where=trusted("on this machine"), expected=True))
    assert prometheus.asked == []


async def test_none_anywhere(tmp_path: Path) -> None:
    prometheus = Prometheus(gone("staging", 10.0))
    told = await look(tmp_path / "no such folder", prometheus, expected=False)
    assert told == Told(GuardSeen(where=trusted("nowhere"), others=(safe("staging"),)))
    assert prometheus.asked == [ASKED]
    assert (await look(tmp_path, None)).data == GuardSeen(where=trusted("nowhere"), expected=True)


async def test_a_partial_answer_does_not_say_that_there_is_none(tmp_path: Path) -> None:
    assert (await look(tmp_path, Prometheus())).warnings == ("a store did not answer",)


async def test_one_that_stopped_here_may_run_elsewhere_or_have_stopped_there_later(tmp_path: Path) -> None:
    write(tmp_path, msgspec.structs.replace(WELL, at=NOW - 900))
    told = (await look(tmp_path, Prometheus(gone("prod", 300.0)))).data
    assert isinstance(told, GuardSeen)
    assert told.status is not None
    assert told.status.at == NOW - 900, "of two that stopped, the one that may have acted"


async def test_prometheus_that_fails_is_no_reason_to_forget_what_is_here(tmp_path: Path) -> None:
    old = msgspec.structs.replace(WELL, at=NOW - 900)
    write(tmp_path, old)
    told = (await look(tmp_path, Prometheus(error=Unreachable("refused")))).data
    assert told == GuardSeen(status=old, where=trusted("on this machine"), expected=True)
    with pytest.raises(Unreachable):
        await look(tmp_path / "empty", Prometheus(error=Unreachable("refused")))


async def test_a_damaged_file_is_not_none(tmp_path: Path) -> None:
    (tmp_path / "status-h-1.json").write_text("{")
    with pytest.raises(BadReply, match="cannot be understood"):
        await look(tmp_path, None)
    with pytest.raises(BadReply, match="cannot be understood"):
        await look(tmp_path, Prometheus())
    with pytest.raises(BadReply, match="cannot be understood"):
        await look(tmp_path, Prometheus(error=Unreachable("refused")))
    write(tmp_path, WELL)
    told = (await look(tmp_path, None)).data
    assert isinstance(told, GuardSeen)
    assert told.status == WELL


async def test_a_file_that_is_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "status-h-1.json").mkdir()
    with pytest.raises(BadReply, match="cannot be read"):
        await look(tmp_path, None)


async def test_the_guard_of_another_context_in_the_same_folder_is_not_ours(tmp_path: Path) -> None:
    write(tmp_path, msgspec.structs.replace(WELL, context="staging"))
    told = (await look(tmp_path, None)).data
    assert isinstance(told, GuardSeen)
    assert told.status is None
