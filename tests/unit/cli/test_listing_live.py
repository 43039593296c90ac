"""`opsconsole alerts`, `silences` and `flags` against a real Alertmanager, held against what it says itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import Alertmanager, http, wait_for
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.live

ALERTS = (
    {"alertname": "ListedDown", "severity": "critical", "listing": "yes", "instance": "a:1"},
    {"alertname": "ListedDown", "severity": "critical", "listing": "yes", "instance": "b:1"},
    {"alertname": "ListedSlow", "severity": "warning", "listing": "yes", "route": "/api/forecast"},
    {"alertname": "ListedQuiet", "severity": "info", "listing": "yes"},
)


def api(server: Alertmanager, path: str) -> Any:
    return json.loads(http("GET", f"{server.url}/api/v2/{path}"))


@pytest.fixture(scope="module")
def listed(alertmanager: Alertmanager) -> tuple[Alertmanager, str]:
    """A server with the alerts, one of them acknowledged; and the id of the ack."""
    alertmanager.post_alerts([{"labels": labels, "annotations": {"summary": "it is"}} for labels in ALERTS])
    now = datetime.now(UTC)
    posted = http(
        "POST",
        f"{alertmanager.url}/api/v2/silences",
        {
            "matchers": [{"name": n, "value": v, "isRegex": False, "isEqual": True} for n, v in ALERTS[0].items()],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "primary-a",
            "comment": "ACK! primary-a: looking [op=abc]",
        },
    )
    silence: str = json.loads(posted)["silenceID"]

    def settled() -> bool:
        found = api(alertmanager, "alerts?filter=listing%3Dyes")
        return len(found) == 4 and sum(a["status"]["state"] == "suppressed" for a in found) == 1

    wait_for(settled, 10, "alerts with one of them silenced")
    return alertmanager, silence


@pytest.fixture
def at(listed: tuple[Alertmanager, str]) -> str:
    return f"--alertmanager={listed[0].url}"


async def test_alerts_table(run: Run, at: str) -> None:
    ended = await run("alerts", "listing=yes", at)
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0].split() == ["severity", "alert", "labels", "since", "state"]
    words = [line.split() for line in lines[1:]]
    assert [(w[0], w[1]) for w in words] == [
        ("critical", "ListedDown"),
        ("warning", "ListedSlow"),
        ("info", "ListedQuiet"),
    ]
    assert words[0][2] == "instance=b:1"
    assert "route=/api/forecast" in words[1]
    assert words[0][-1] == "active"


async def test_alerts_with_those_that_somebody_has(run: Run, at: str) -> None:
    ended = await run("alerts", "ListedDown", "--all", at)
    lines = ended.out.splitlines()[1:]
    assert len(lines) == 2
    acked = next(line for line in lines if "instance=a:1" in line)
    assert acked.rstrip().endswith("acked by primary-a")


@pytest.mark.parametrize(
    ("matchers", "count"),
    [
        ('alertname="ListedDown"', 2),
        ('{alertname=~"Listed.*",severity!="critical"}', 2),
        ("listeddown b:1", 1),
        ('alertname="ListedNothing"', 0),
        ('listing="yes"', 4),
    ],
)
async def test_filters_are_those_of_alertmanager(run: Run, at: str, matchers: str, count: int) -> None:
    ended = await run("alerts", matchers, "--all", "--json", at)
    assert ended.code == 0
    assert len(json.loads(ended.out)) == count


async def test_alerts_json_has_the_api_fields(run: Run, at: str, listed: tuple[Alertmanager, str]) -> None:
    ended = await run("alerts", 'listing="yes"', "--all", "--json", at)
    ours = {a["fingerprint"]: a for a in json.loads(ended.out)}
    theirs = {a["fingerprint"]: a for a in api(listed[0], "alerts?filter=listing%3Dyes")}
    assert ours.keys() == theirs.keys()
    for key, their in theirs.items():
        our = ours[key]
        for field in ("labels", "annotations", "generatorURL", "fingerprint", "receivers"):
            assert our[field] == their.get(field, ""), field
        assert our["status"]["state"] == their["status"]["state"]
        assert our["status"]["silencedBy"] == their["status"]["silencedBy"]
        for field in ("startsAt", "endsAt", "updatedAt"):
            assert datetime.fromisoformat(our[field]) == datetime.fromisoformat(their[field])


async def test_silences(run: Run, at: str, listed: tuple[Alertmanager, str]) -> None:
    ended = await run("silences", at)
    line = next(line for line in ended.out.splitlines() if listed[1] in line)
    assert "active" in line
    assert "primary-a" in line
    assert "{alertname=" in line, "the matchers; a long cell is folded, the whole is in the JSON"
    ended = await run("silences", "--json", at)
    found = next(s for s in json.loads(ended.out) if s["id"] == listed[1])
    theirs = next(s for s in api(listed[0], "silences") if s["id"] == listed[1])
    assert found["status"] == theirs["status"]
    for field in ("comment", "createdBy"):
        assert found[field] == theirs[field]
    assert sorted(found["matchers"], key=str) == sorted(theirs["matchers"], key=str)


async def test_a_bad_filter_is_a_usage_error(run: Run, at: str) -> None:
    ended = await run("alerts", 'alertname=~"["', at)
    assert ended.code == 2
    assert "RE2" in ended.err


async def test_check_sees_the_same(run: Run, at: str) -> None:
    ended = await run("check", "--json", at)
    assert ended.code == 2
    found = {c["id"]: c for c in json.loads(ended.out)["checks"]}
    assert any("ListedDown instance=b:1" in line for line in found["alerts.active"]["evidence"])
    assert not any("a:1" in line for line in found["alerts.active"]["evidence"]), "somebody has it"
    assert found["sources.prometheus.reachable"]["verdict"] == "UNKNOWN"


async def test_flags(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "flags.json"
    pricing = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}
    old = {**pricing, "state": "DISABLED", "defaultVariant": "off"}
    file.write_text(json.dumps({"flags": {"new_pricing": pricing, "old": old}}))
    ended = await run("flags", f"--flags-file={file}")
    assert ended.code == 0
    rows = [line.split() for line in ended.out.splitlines()]
    assert ended.out.startswith("flag         state     serves")
    assert ["new_pricing", "enabled"] in [row[:2] for row in rows]
    assert ["old", "disabled"] in [row[:2] for row in rows]
    found = json.loads((await run("flags", "--json", f"--flags-file={file}")).out)
    assert {f["key"]: f["enabled"] for f in found} == {"new_pricing": True, "old": False}


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["alerts", "--alertmanager=http://127.0.0.1:9"], 1, "connection refused"),
        (["silences", "--alertmanager=http://127.0.0.1:9"], 1, "connection refused"),
        (["flags", "--flags-file=/nowhere/flags.json"], 1, "/nowhere/flags.json"),
        (["flags", "--alertmanager=http://127.0.0.1:9"], 2, "no flag provider"),
        (["alerts"], 2, "nothing to connect to"),
    ],
)
async def test_a_list_that_is_not_known_is_not_printed(run: Run, argv: list[str], code: int, words: str) -> None:
    ended = await run(*argv)
    assert ended.code == code
    assert words in ended.err
    assert ended.out == ""
