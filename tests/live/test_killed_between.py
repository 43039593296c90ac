"""A command is killed with -9 at each point between its intent and its outcome: the next start says what became of
it, and nothing is written again."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from opsconsole.actions.found import LATE_SECONDS
from opsconsole.actions.runner import Runner
from opsconsole.clients.alertmanager import AlertmanagerCluster
from opsconsole.clients.transport import Transport
from opsconsole.clock import SystemClock
from opsconsole.config.schema import Endpoint
from opsconsole.journal.store import Journal
from opsconsole.model.journal import Outcome, Result
from tests.support.cli_process import Cli
from tests.support.consoles import LaterClock
from tests.support.fault_proxy import SILENCE_WRITE, Fault, FaultProxy, How, Point
from tests.support.servers import Alertmanager, http

pytestmark = pytest.mark.live

EXPIRY = b"DELETE /api/v2/silence/"
READ_BACK = b"GET /api/v2/silence/"
NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Case:
    """`written`: whether the server has carried it out by then."""

    action: str
    fault: Fault
    written: bool

    def __str__(self) -> str:
        return f"{self.action} killed {self.fault}"


def at(action: str, point: Point, how: How, after: int = 0) -> Case:
    on = EXPIRY if action == "expire" else SILENCE_WRITE
    return Case(action, Fault(point, how, after, on=on), point is Point.ANSWER)


CHOSEN = (
    at("silence", Point.ANSWER, How.DROP, 20),
    at("edit", Point.ANSWER, How.HOLD),
    at("expire", Point.CONNECT, How.DROP),
)
EVERY = (
    *(
        at(action, *where)
        for action in ("silence", "extend", "edit", "expire")
        for where in (
            (Point.CONNECT, How.DROP),
            (Point.REQUEST, How.DROP, 30),
            (Point.ANSWER, How.HOLD),
            (Point.ANSWER, How.DROP, 20),
        )
    ),
    # The answer has come, and it is being read back.
    Case("silence", Fault(Point.CONNECT, How.DROP, on=READ_BACK), written=True),
)


@pytest.fixture
async def proxy(alertmanager: Alertmanager) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(alertmanager.port) as made:
        yield made


@pytest.mark.parametrize("case", CHOSEN, ids=str)
async def test_the_next_start_says_what_became_of_it(
    case: Case, alertmanager: Alertmanager, proxy: FaultProxy, tmp_path: Path
) -> None:
    await killed(case, alertmanager, proxy, tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("case", EVERY, ids=str)
async def test_the_next_start_says_what_became_of_it_everywhere(
    case: Case, alertmanager: Alertmanager, proxy: FaultProxy, tmp_path: Path
) -> None:
    await killed(case, alertmanager, proxy, tmp_path)


async def killed(case: Case, server: Alertmanager, proxy: FaultProxy, folder: Path) -> None:
    cli, name = Cli(folder, proxy), f"KilledBetween{next(NUMBERS)}"
    before = "" if case.action == "silence" else await asyncio.to_thread(made, server, name)
    argv = {
        "silence": ("silence", "add", f"alertname={name}", "--comment=deploy", "--yes"),
        "extend": ("silence", "extend", before, "30m", "--yes"),
        "edit": ("silence", "edit", before, f"alertname={name}", "part=a", "--yes"),
        "expire": ("silence", "expire", before, "--yes"),
    }[case.action]
    await cli.killed(case.fault, *argv)
    assert await cli.states() == [(case.action, "open")]
    stood = standing(server, name)
    expected = {"silence": (0, 1), "expire": (1, 0)}.get(case.action, (1, 1))[case.written]
    assert len(stood) == expected, stood
    outcome = await next_start(cli, server)
    assert outcome.result is (Result.DONE if case.written else Result.FAILED), outcome
    assert "cut off at" in outcome.message
    assert case.written or "not repeated" in outcome.message, outcome
    assert standing(server, name) == stood, "settling wrote something"
    assert await cli.states() == [(case.action, "done" if case.written else "failed")]
    code, _, err = await cli.run("journal", "verify")
    assert code == 0, err


async def next_start(cli: Cli, server: Alertmanager) -> Outcome:
    """Start again a minute later, when nothing of the killed process can come any more."""
    journal = Journal(next(cli.state.glob("**/*.db")), SystemClock())
    (intent,) = journal.open_intents()
    process = intent.detail["process"]
    assert isinstance(process, dict)
    cluster = AlertmanagerCluster("main", [Transport(Endpoint(url=server.url), clock=SystemClock())])
    runner = Runner(
        clusters={str(_cluster_of(intent.detail)): cluster},
        flags=None,
        journal=journal,
        clock=LaterClock(LATE_SECONDS + 1),
        user=intent.user,
        host=str(process["host"]),
        context=intent.context,
        read_only=False,
        refresh=lambda: None,
    )
    (outcome,) = await runner.settle()
    await cluster.aclose()
    journal.close()
    return outcome


def _cluster_of(detail: dict[str, object]) -> object:
    silence = detail["silence"]
    assert isinstance(silence, dict)
    return silence["cluster"]


def made(server: Alertmanager, name: str) -> str:
    """The id of a silence that someone else made."""
    now = datetime.now(UTC).timestamp()
    times = {"startsAt": now, "endsAt": now + 3600}
    body = {
        "matchers": [{"name": "alertname", "value": name, "isRegex": False, "isEqual": True}],
        **{key: datetime.fromtimestamp(value, UTC).isoformat() for key, value in times.items()},
        "createdBy": "someone",
        "comment": "x",
    }
    return str(json.loads(http("POST", f"{server.url}/api/v2/silences", body))["silenceID"])


def standing(server: Alertmanager, name: str) -> list[dict[str, Any]]:
    """What is in force under an alert name, without what changes by itself."""
    found = json.loads(http("GET", f"{server.url}/api/v2/silences?filter=alertname%3D{name}"))
    return [silence for silence in found if silence["status"]["state"] != "expired"]
