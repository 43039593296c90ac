"""The flag servers that other tests stand on."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.flag_servers import Redis, Unleash, rollout
from tests.support.servers import wait_for

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("flags")]

HOLD = """
import sys, time
from pathlib import Path
from tests.support.flag_servers import PostgreSQL, Redis
servers = [PostgreSQL(Path(sys.argv[1]) / "p"), Redis(Path(sys.argv[1]) / "r")]
for server in servers:
    server.start()
print(servers[0].folder, *(server.pid for server in servers), flush=True)
time.sleep(600)
"""


def test_the_sdk_sees_what_another_user_does(unleash: Unleash) -> None:
    name = unleash.create_flag("seen-by-the-sdk", strategies={"production": [rollout(0)]}, on=["production"])
    with unleash.sdk() as serves:
        assert not serves(name)
        unleash.set_rollout(name, 100)
        wait_for(lambda: serves(name), 30, "flag that is on in the SDK")
        unleash.turn_off(name)
        wait_for(lambda: not serves(name), 30, "flag that is off in the SDK")
    assert not unleash.is_on(name)
    assert [event["createdBy"] for event in unleash.events(name)] == [unleash.someone] * 5


def test_servers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        folder, *pids = holder.stdout.readline().split()
        assert len(pids) == 2, "the servers did not start"
        assert all(_runs(pid) for pid in pids)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    wait_for(lambda: not any(_runs(pid) for pid in pids), 30, "end of the servers")
    shutil.rmtree(folder, ignore_errors=True)


def test_redis_keeps_nothing_on_disk(redis_server: Redis) -> None:
    import redis

    with redis.Redis.from_url(redis_server.url) as client:
        client.hset("servers-test", "flag", "on")
        assert client.hgetall("servers-test") == {b"flag": b"on"}
        assert client.config_get("save") == {"save": ""}


def _runs(pid: str) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
