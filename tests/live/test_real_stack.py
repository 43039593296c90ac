"""The real stack comes up, tells the story and leaves nothing behind; the embedded Alertmanager answers as
the real one does."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from opsconsole.clock import SystemClock
from opsconsole.config.playbooks import find_playbook, load_playbook
from opsconsole.demo import real
from opsconsole.demo.embedded import DemoEndpoints, EmbeddedDemo
from opsconsole.demo.evaluate import Evaluator
from opsconsole.demo.exposition import history
from opsconsole.demo.expr import parse
from opsconsole.demo.real import RealStack
from opsconsole.demo.rulebook import load_rules
from opsconsole.demo.vectors import Column, Frame, Vector
from opsconsole.demo.world import World
from opsconsole.errors import OpsError, UsageError
from tests.support.servers import Alertmanager, Prometheus, Server

pytestmark = pytest.mark.live

Starter = Callable[[Server], Server]

ERRORS = 'sum(rate(http_requests_total{status_code=~"5.."}[30s])) / sum(rate(http_requests_total[30s])) * 100'


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def eventually(condition: Callable[[], bool], limit: float, what: str) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"no {what} within {limit:g} s"
        time.sleep(0.2)


@pytest.fixture
def stack() -> Iterator[tuple[RealStack, DemoEndpoints]]:
    stack = RealStack(release_after=0.0)
    with stack as endpoints:
        yield stack, endpoints


def query(endpoints: DemoEndpoints, expr: str) -> list[tuple[dict[str, str], float]]:
    reply = httpx.post(f"{endpoints.prometheus_url}/api/v1/query", data={"query": expr}, trust_env=False).json()
    return [(s["metric"], float(s["value"][1])) for s in reply["data"]["result"]]


def test_the_real_stack_tells_the_story_and_ends(stack: tuple[RealStack, DemoEndpoints]) -> None:
    running, endpoints = stack
    pids = running.pids
    assert len(pids) == 3
    eventually(lambda: query(endpoints, "up") != [], 20, "scrape")
    assert query(endpoints, "count_over_time(up[6h])")[0][1] > 100
    assert max(v for _, v in query(endpoints, "resets(http_requests_total[6h])")) == 0
    eventually(lambda: any(v > 1 for _, v in query(endpoints, ERRORS)), 40, "errors")

    def firing() -> set[str]:
        reply = httpx.get(f"{endpoints.alertmanager_url}/api/v2/alerts", trust_env=False).json()
        return {alert["labels"]["alertname"] for alert in reply}

    def notified(what: str) -> float:
        text = httpx.get(f"{endpoints.alertmanager_url}/metrics", trust_env=False).text
        found = re.findall(rf'^alertmanager_{what}{{integration="webhook"}} (.+)$', text, re.M)
        return sum(float(value) for value in found)

    eventually(lambda: "HighErrorRate" in firing(), 90, "HighErrorRate")
    eventually(lambda: notified("notifications_total") > 0, 30, "a notification")
    assert notified("notification_requests_failed_total") == 0
    content = json.loads(endpoints.flags_file.read_text())
    content["flags"]["new_pricing"]["defaultVariant"] = "off"
    endpoints.flags_file.write_text(json.dumps(content))
    eventually(lambda: "HighErrorRate" not in firing(), 120, "recovery")
    running.stop()
    assert not [pid for pid in pids if is_alive(pid)]
    assert not endpoints.directory.exists()


def test_a_child_that_fails_leaves_nothing(tmp_path: Path) -> None:
    playbook = tmp_path / "playbook"
    playbook.mkdir()
    for name in ("rules.yaml", "playbook.yaml"):
        (playbook / name).write_text((find_playbook("accubooks") / name).read_text())
    (playbook / "alertmanager.yaml").write_text("route: {receiver: nobody-there}\n")
    stack = RealStack(playbook=playbook, backfill=False)
    with pytest.raises(OpsError, match="alertmanager ended with code"):
        stack.start()
    assert stack.pids == ()


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert real.missing_programs() == ("prometheus", "promtool", "prometheus-alertmanager")
    with pytest.raises(UsageError) as caught:
        RealStack().start()
    assert "apt install prometheus prometheus-alertmanager" in caught.value.hint


_PARENT = """
import sys
from opsconsole.demo.real import RealStack
stack = RealStack(backfill=False)
stack.start()
print(*stack.pids, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's parent-death signal")
def test_a_killed_parent_takes_its_children_along(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    )
    with parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 3
        parent.kill()
    eventually(lambda: not any(is_alive(pid) for pid in pids), 20, "end of the children")


@pytest.fixture
async def both(alertmanager: Alertmanager, tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """The base URLs of a real Alertmanager and of the demo's."""
    demo = EmbeddedDemo(clock=SystemClock(), directory=tmp_path)
    endpoints = await demo.start()
    yield alertmanager.url, endpoints.alertmanager_url
    await demo.stop()


def stamp(offset: float) -> str:
    return datetime.fromtimestamp(time.time() + offset, UTC).isoformat()


def silence(**changes: Any) -> dict[str, Any]:
    matcher = {"name": "alertname", "value": "DemoDifferential", "isRegex": False, "isEqual": True}
    base = {"matchers": [matcher], "startsAt": stamp(0), "endsAt": stamp(3600)}
    return {**base, "createdBy": "me", "comment": "c", **changes}


def matcher(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "a", "value": "b", "isRegex": False, "isEqual": True, **changes}]


UNKNOWN = "11111111-1111-4111-8111-111111111111"
BODIES = {
    "good": silence(),
    "no-isEqual": silence(matchers=[{"name": "a", "value": "b", "isRegex": False}]),
    "backwards": silence(startsAt=stamp(100), endsAt=stamp(50)),
    "past": silence(startsAt=stamp(-100), endsAt=stamp(-50)),
    "no-matchers": silence(matchers=[]),
    "matches-everything": silence(matchers=matcher(value="")),
    "bad-regex": silence(matchers=matcher(value="(", isRegex=True)),
    "bad-name": silence(matchers=matcher(name="a-b")),
    "no-isRegex": silence(matchers=[{"name": "a", "value": "b"}]),
    "unknown-id": silence(id=UNKNOWN),
    "odd-id": silence(id="nope"),
    "bad-time": silence(startsAt="zzz"),
    "empty": {},
    "wrong-type": {**silence(), "comment": 5},
}


@pytest.mark.parametrize("name", BODIES)
async def test_posted_silences_get_the_same_status(both: tuple[str, str], name: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        replies = [await http.post(f"{url}/api/v2/silences", json=BODIES[name]) for url in both]
    assert replies[0].status_code == replies[1].status_code
    if replies[0].status_code in (400, 404) and isinstance(replies[0].json(), str):
        assert replies[1].json().partition(": error parsing")[0] in replies[0].json()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v2/alerts"),
        ("GET", "/api/v2/alerts?filter=a%3D%22b%22"),
        ("GET", "/api/v2/alerts?filter=a%20b"),
        ("GET", "/api/v2/alerts?filter=%7Ba%3D%22b%22%7D"),
        ("GET", "/api/v2/alerts?filter=a%3D~%22(%22"),
        ("GET", "/api/v2/alerts?receiver=("),
        ("GET", "/api/v2/alerts/groups"),
        ("GET", "/api/v2/silences?filter=a%3D%22b%22"),
        ("GET", "/api/v2/status"),
        ("GET", "/api/v2/receivers"),
        ("GET", "/-/ready"),
        ("GET", "/nope"),
        ("GET", "/api/v2/nope"),
        ("PUT", "/api/v2/silences"),
        ("GET", f"/api/v2/silence/{UNKNOWN}"),
        ("GET", "/api/v2/silence/nope"),
        ("DELETE", "/api/v2/silence/nope"),
        ("DELETE", f"/api/v2/silence/{UNKNOWN}"),
    ],
)
async def test_requests_get_the_same_status(both: tuple[str, str], method: str, path: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        replies = [await http.request(method, f"{url}{path}") for url in both]
    assert replies[0].status_code == replies[1].status_code
    kinds = [reply.headers.get("content-type", "") for reply in replies]
    assert kinds[0] == kinds[1]


async def _life(http: httpx.AsyncClient, url: str) -> list[object]:
    """What happens to one silence through its life, ids left aside."""
    story: list[object] = []

    async def post(**changes: Any) -> str:
        reply = await http.post(f"{url}/api/v2/silences", json=silence(**changes))
        story.append(reply.status_code)
        found: str = reply.json()["silenceID"]
        return found

    async def read(silence_id: str) -> dict[str, Any]:
        reply = await http.get(f"{url}/api/v2/silence/{silence_id}")
        body: dict[str, Any] = reply.json()
        story.append((body["status"]["state"], body["comment"], body["matchers"], sorted(body)))
        return body

    first = await post(startsAt=stamp(-60))
    known = await read(first)
    same = await post(id=first, startsAt=known["startsAt"], endsAt=stamp(7200), comment="longer")
    story.append(same == first)
    await read(first)
    other_start = await post(id=first, startsAt=stamp(600), endsAt=stamp(7200))
    story.append(other_start == first)
    await read(first)
    await read(other_start)
    moved = await post(id=other_start, startsAt=stamp(900), endsAt=stamp(7200))
    story.append(moved == other_start)
    changed = await post(id=moved, matchers=matcher(value="DemoOther"))
    story.append(changed == moved)
    await read(moved)
    for _ in range(2):
        story.append((await http.delete(f"{url}/api/v2/silence/{changed}")).status_code)
        await read(changed)
    again = await post(id=changed, matchers=matcher(value="DemoOther"))
    story.append(again == changed)
    await http.delete(f"{url}/api/v2/silence/{again}")
    return story


async def test_a_silence_lives_the_same_life(both: tuple[str, str]) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        stories = await asyncio.gather(*(_life(http, url) for url in both))
    assert stories[0] == stories[1]


def _series(result: Vector | Column) -> dict[tuple[tuple[str, str], ...], float]:
    frames = [f for f in result if isinstance(f, Frame)]
    return {tuple(sorted(f.labels.items())): f.values[0] for f in frames if f.values[0] is not None}


def test_the_embedded_prometheus_computes_as_the_real_one(tmp_path: Path, started: Starter) -> None:
    start = time.time() // 120 * 120 - 7200
    world = World(seed=7, start=start)
    world.switch(start + 60, 1.0)
    world.advance(start + 2700)
    source = tmp_path / "history.om"
    source.write_text("\n".join(history(world)) + "\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(source)]
    folder = tmp_path / "prometheus"
    subprocess.run([*command, str(folder / "data")], check=True, capture_output=True)
    server = started(Prometheus(folder))
    playbook = load_playbook(find_playbook("accubooks"))
    queries = [q.expr for d in playbook.dashboards for panel in d.panels for q in panel.queries]
    queries += [r.query for g in load_rules(find_playbook("accubooks") / "rules.yaml", 1.0)[:-1] for r in g.rules]
    evaluator = Evaluator(world, compress=1.0)
    at = start + 2400
    for query in queries:
        form = {"query": query, "time": str(at)}
        reply = httpx.post(f"{server.url}/api/v1/query", data=form, trust_env=False).json()
        real_one = {tuple(sorted(s["metric"].items())): float(s["value"][1]) for s in reply["data"]["result"]}
        # Samples lie close after the start and far apart before it: the demo's mean of a day weighs by time.
        near = 0.2 if "avg_over_time" in query and "[24h]" in query else 0.02
        assert _series(evaluator.run(parse(query), [at])) == pytest.approx(real_one, rel=near, abs=1e-6), query
