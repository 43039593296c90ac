"""Asked only once, an alert that a time interval mutes does not count, whichever answer comes first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from opsconsole.checks.run import run_checks
from opsconsole.model.verdicts import Level
from opsconsole.state.engine import Engine
from tests.support.backends import Backends, api_alert
from tests.support.scripted import Say, json_reply

MUTING = "route: {receiver: on-call, routes: [{mute_time_intervals: [nights]}]}"
PLAIN = "route: {receiver: on-call}"


def status(config: str) -> dict[str, Any]:
    return {
        "cluster": {"status": "ready", "peers": []},
        "versionInfo": {"version": "0.27.0"},
        "config": {"original": config},
        "uptime": "2026-01-01T00:00:00Z",
    }


async def once(engine: Engine) -> Level:
    """The verdict on firing alerts after one round."""
    try:
        found = run_checks(await engine.collect({"alerts", "silences", "members"}))
    finally:
        await engine.aclose()
    return {verdict.id: verdict.level for verdict in found}["alerts.active"]


@pytest.mark.parametrize(
    ("config", "late", "level", "asked"),
    [
        (MUTING, "/api/v2/status", Level.OK, 2),
        (MUTING, "/api/v2/alerts", Level.OK, 2),
        (PLAIN, "/api/v2/status", Level.CRITICAL, 1),
    ],
)
async def test_a_muted_alert_does_not_count(config: str, late: str, level: Level, asked: int) -> None:
    async with Backends() as backends:
        alert = api_alert(at=backends.clock.now())
        muted = {**alert, "status": {**alert["status"], "mutedBy": ["nights"]}}
        group = {"labels": {}, "receiver": {"name": "on-call"}, "alerts": [muted]}
        answers = {
            "/api/v2/alerts": json_reply([alert]),
            "/api/v2/status": json_reply(status(config)),
            "/api/v2/alerts/groups": json_reply([group]),
        }
        for path, reply in answers.items():
            backends.alertmanager.on(path, delayed(reply, 0.1 if path == late else 0.0))
        assert await once(backends.engine(())) is level
        assert len(backends.alertmanager.asked("/api/v2/alerts")) <= asked


def delayed(reply: Say, seconds: float) -> Say:
    return replace(reply, delay=seconds)
