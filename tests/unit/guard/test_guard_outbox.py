"""The outbox: whatever fails and whenever it is killed, each event reaches each channel at least once and in
order, or is dead with a reason."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, example, given, settings

from opsconsole.clock import ManualClock
from opsconsole.errors import JournalError, NotifyError, OutboxError
from opsconsole.guard.incident import EVENT, NOTIFY, IncidentLog, page_key
from opsconsole.guard.outbox import FIRST_WAIT, LONGEST_WAIT, MAX_AGE, FileOutbox
from opsconsole.guard.outbox_file import Delivery
from opsconsole.guard.ports import Outbox
from opsconsole.journal.store import Journal
from opsconsole.model.guard import GuardEvent
from opsconsole.model.journal import Result
from opsconsole.model.reading import Reading
from opsconsole.model.rules import MemberStatus
from opsconsole.state.snapshot import ClusterReading, MemberReading
from opsconsole.text import safe, safe_block
from tests.support.guard_events import an_event
from tests.support.scripted import Received, Say, ScriptedServer, text_reply


class Killed(BaseException):
    """The process ends here."""


def failure(*, retry: bool, after: float | None = None) -> NotifyError:
    error = NotifyError("said no", hint="ask again" if retry else "never again")
    error.retry, error.retry_after = retry, after
    return error


class FakeChannel:
    """Takes what it is sent, unless `fails` names what happens to it; one of `late` comes once it is taken."""

    def __init__(self, name: str, *, unwanted: Sequence[str] = ()) -> None:
        self.name = name
        self.taken: list[GuardEvent] = []
        self.fails: list[BaseException | None] = []
        self.late: list[BaseException | None] = []
        self._unwanted = unwanted

    def wants(self, event: GuardEvent) -> bool:
        return event.kind not in self._unwanted

    async def send(self, event: GuardEvent) -> None:
        error = self.fails.pop(0) if self.fails else None
        if error is not None:
            raise error
        self.taken.append(event)
        late = self.late.pop(0) if self.late else None
        if late is not None:
            raise late

    async def aclose(self) -> None:
        pass


def numbered(number: int, incident: str = "one", kind: str = "blind") -> GuardEvent:
    return an_event(id=f"{incident}-{number}", incident=incident, kind=kind, labels={"job": "\ud800"})


def ids(channel: FakeChannel) -> list[str]:
    return [event.id for event in channel.taken]


def make(path: Path, clock: ManualClock, *channels: FakeChannel) -> FileOutbox:
    return FileOutbox(path / "outbox.db", channels, clock, chance=lambda: 0.0)


async def test_what_a_channel_wants_is_sent_once_and_in_order(tmp_path: Path) -> None:
    a, b = FakeChannel("a"), FakeChannel("b", unwanted=["recovered"])
    outbox: Outbox = make(tmp_path, ManualClock(), a, b)
    events = [numbered(0), numbered(1), numbered(1), numbered(2, kind="recovered")]
    for event in events:
        outbox.put(event)
    assert outbox.waiting() == 5
    await outbox.deliver()
    await outbox.deliver()
    assert ids(a) == ["one-0", "one-1", "one-2"]
    assert ids(b) == ["one-0", "one-1"]
    assert a.taken[0].timeline == events[0].timeline
    assert a.taken[0].labels == {"job": "\\ud800"}, "half a character does not keep the rest from being told"
    assert outbox.waiting() == 0
    assert (tmp_path / "outbox.db").stat().st_mode & 0o077 == 0


async def test_a_failing_channel_is_tried_less_and_less_and_holds_up_no_other(tmp_path: Path) -> None:
    clock, bad, good = ManualClock(), FakeChannel("bad"), FakeChannel("good")
    outbox = make(tmp_path, clock, bad, good)
    for number in range(3):
        outbox.put(numbered(number))
    bad.fails = [failure(retry=True) for _ in range(9)]
    waits: list[float] = []
    while bad.fails:
        left = len(bad.fails)
        await outbox.deliver()
        assert len(bad.fails) == left - 1, "one try, and not the events behind it"
        (head,) = outbox.file.heads("bad")
        waits.append(head.wait)
        clock.advance(head.wait - 0.001)
        await outbox.deliver()
        assert len(bad.fails) == left - 1, "it was not due"
        clock.advance(0.001)
    assert waits == [min(LONGEST_WAIT, FIRST_WAIT * 2**n) for n in range(9)]
    assert ids(good) == ["one-0", "one-1", "one-2"]
    await outbox.deliver()
    assert ids(bad) == ["one-0", "one-1", "one-2"]


async def test_the_wait_that_a_channel_asks_for_is_kept_and_chance_shortens_ours(tmp_path: Path) -> None:
    clock, channel = ManualClock(), FakeChannel("a")
    outbox = FileOutbox(tmp_path / "o.db", [channel], clock, chance=lambda: 0.5)
    outbox.put(numbered(0))
    channel.fails = [failure(retry=True), failure(retry=True, after=77.0), failure(retry=True, after=1e9)]
    waits = []
    while channel.fails:
        await outbox.deliver()
        (head,) = outbox.file.heads()
        waits.append(head.wait)
        clock.advance(head.wait)
    assert waits == [FIRST_WAIT * 0.75, 77.0, 3600.0]


async def test_a_clock_that_is_set_back_delays_nothing(tmp_path: Path) -> None:
    clock, channel = ManualClock(), FakeChannel("a")
    outbox = make(tmp_path, clock, channel)
    outbox.put(numbered(0))
    channel.fails = [failure(retry=True)]
    await outbox.deliver()
    clock.advance(-86_400.0)
    await outbox.deliver()
    assert ids(channel) == ["one-0"]


async def test_the_dead_are_counted_journalled_and_can_be_revived(tmp_path: Path) -> None:
    clock, channel = ManualClock(), FakeChannel("chat")
    journal = Journal(tmp_path / "j.db", clock)
    log = IncidentLog(journal, user="guard", context="prod")
    outbox = FileOutbox(tmp_path / "o.db", [channel], clock, told=log.told, chance=lambda: 0.0)
    first = numbered(0, kind="rolled-back")
    assert log.record(first) is not None
    assert log.record(first) is None, "a guard that was killed tells it again"
    outbox.put(first)
    outbox.put(numbered(1))
    channel.fails = [failure(retry=False)]
    await outbox.deliver()
    assert ids(channel) == ["one-1"], "what is dead holds up nothing"
    assert outbox.waiting() == 1, "that nobody was told is to be seen"
    clock.advance(3601.0)
    assert outbox.waiting() == 0
    (dead,) = outbox.file.listing(["dead"])
    assert dead.reason == "said no - never again"
    told = journal.entries(action=NOTIFY)
    assert [(e.result, str(e.message)) for e in told] == [
        (Result.DONE, "told chat"),
        (Result.FAILED, "could not tell chat: said no - never again"),
    ]
    (event,) = journal.entries(action=EVENT)
    assert str(event.message).splitlines()[1:] == [
        *(f"  {line}" for line in first.timeline),
        "  next: Watch the recovery: the guard tells whether the value came back.",
        "  next: Tell whoever made the change; find the cause before it is turned on again: nothing does that by"
        " itself.",
        "  next: To undo: opsconsole flags restore --context prod new_parser",
    ]
    assert outbox.file.revive([dead.number], clock.now()) == 1
    await outbox.deliver()
    assert ids(channel) == ["one-1", "one-0"]
    journal.close()


async def test_what_is_too_old_is_given_up_after_a_last_try(tmp_path: Path) -> None:
    clock, channel = ManualClock(), FakeChannel("a")
    outbox = make(tmp_path, clock, channel, FakeChannel("removed"))
    outbox.put(numbered(0))
    outbox = make(tmp_path, clock, channel)
    clock.advance(MAX_AGE + 1)
    channel.fails = [failure(retry=True)]
    await outbox.deliver()
    reasons = {d.channel: str(d.reason) for d in outbox.file.listing()}
    assert reasons == {
        "a": "not taken within 24 h: said no - ask again",
        "removed": "not taken within 24 h: no such channel is configured",
    }


async def test_troubles_of_the_file_and_of_a_channels_code_do_not_end_the_guard(tmp_path: Path) -> None:
    clock, channel = ManualClock(), FakeChannel("a")

    def no_journal(delivery: Delivery) -> None:
        raise JournalError("the disk is full")

    outbox = FileOutbox(tmp_path / "o.db", [channel], clock, told=no_journal)
    outbox.put(numbered(0))
    channel.fails = [ZeroDivisionError()]
    await outbox.deliver()
    (head,) = outbox.file.heads()
    assert "ZeroDivisionError" in head.reason
    clock.advance(LONGEST_WAIT)
    await outbox.deliver()
    assert ids(channel) == ["one-0"]
    assert outbox.problem == "the disk is full"
    (tmp_path / "o.db").write_text("this is not a database, but long enough to be taken for one " * 20)
    await outbox.deliver()
    assert "o.db" in outbox.problem
    with pytest.raises(OutboxError):
        outbox.put(numbered(1))
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    with pytest.raises(OutboxError, match="not an outbox"):
        FileOutbox(other, [channel], clock).put(numbered(1))


async def test_only_one_delivers_at_a_time(tmp_path: Path) -> None:
    clock, channel = ManualClock(), FakeChannel("a")
    outbox = make(tmp_path, clock, channel)
    outbox.put(numbered(0))
    with outbox.file.turn() as ours:
        assert ours
        await make(tmp_path, clock, channel).deliver()
        assert ids(channel) == []
    await outbox.deliver()
    assert ids(channel) == ["one-0"]


def test_the_key_of_a_page() -> None:
    def cluster(*configs: str | None) -> ClusterReading:
        statuses = (None if c is None else MemberStatus(url="", config=safe_block(c)) for c in configs)
        members = tuple(MemberReading(url=safe(""), status=Reading(data=status)) for status in statuses)
        return ClusterReading(name="main", alerts=Reading(), silences=Reading(), members=members)

    paged = "route: {receiver: p, group_by: [alertname]}\nreceivers: [{name: p, pagerduty_configs: [{url: x}]}]"
    labels = {"alertname": "High", "job": "api"}
    own = hashlib.sha256(b'{}:{alertname="High"}').hexdigest()
    ours = "opsconsole/prod/one"
    for found, key in (
        (cluster(paged, None), own),
        (cluster(paged, paged.replace("alertname", "job")), ours),
        (cluster(paged, "unreadable"), ours),
        (cluster(paged.replace("pagerduty", "slack")), ours),
        (cluster(None), ours),
        (None, ours),
    ):
        assert page_key(found, labels, "prod", "one") == key
    assert page_key(cluster(paged), {}, "prod", "one") == ours
    assert len(page_key(None, {}, "prod", "x" * 500)) <= 255


TROUBLES = ("taken", "retry", "retry", "dead", "killed", "taken, then retry", "taken, then killed")

Round = tuple[str, list[str], int, list[str], list[float]]

ROUNDS = st.lists(
    st.tuples(
        st.sampled_from(["one", "two"]),
        st.lists(st.sampled_from(["rolled-back", "recovered"]), max_size=3),
        st.sampled_from([0, 1]),
        st.lists(st.sampled_from(TROUBLES), max_size=4),
        st.lists(st.sampled_from([0.0, 0.0, 6.0, 400.0, -3600.0]), min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=4,
)
"""Events of an incident come, a channel has troubles, and deliveries go by."""


@given(ROUNDS)
@example([("one", ["rolled-back", "recovered"], 0, ["retry"], [0.0, 0.0, 6.0])])
@example([("one", ["rolled-back"], 1, ["taken, then killed"], [0.0, 0.0])])
@example([("one", ["rolled-back", "rolled-back"], 0, ["dead", "killed"], [0.0])])
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_fails_and_whenever_it_is_killed(rounds: list[Round]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        World(Path(folder)).live(rounds)


class World:
    """Two channels, and a guard that is started again whenever it dies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.channels = [FakeChannel("a"), FakeChannel("b", unwanted=["recovered"])]
        self.put: list[GuardEvent] = []
        self.outbox = make(self.folder, self.clock, *self.channels)

    def live(self, rounds: list[Round]) -> None:
        for incident, kinds, channel, troubles, pauses in rounds:
            self.trouble(self.channels[channel], troubles)
            for kind in kinds:
                event = numbered(len(self.put), incident, kind)
                self.put.append(event)
                self.outbox.put(event)
                self.outbox.put(self.put[0])
            for pause in pauses:
                self.deliver(pause)
        for each in self.channels:
            each.fails, each.late = [], []
        for _ in range(2):
            self.deliver(2 * LONGEST_WAIT)
        self.all_is_told()

    def trouble(self, channel: FakeChannel, troubles: list[str]) -> None:
        for trouble in troubles:
            error: BaseException = Killed() if "killed" in trouble else failure(retry=trouble != "dead")
            channel.fails.append(None if trouble.startswith("taken") else error)
            if trouble.startswith("taken"):
                channel.late.append(error if "then" in trouble else None)

    def deliver(self, pause: float) -> None:
        self.clock.advance(pause)
        try:
            asyncio.run(self.outbox.deliver())
        except BaseExceptionGroup as killed:
            rest = killed.split(Killed)[1]
            assert rest is None, rest
            self.outbox = make(self.folder, self.clock, *self.channels)

    def all_is_told(self) -> None:
        assert self.outbox.file.listing(["waiting"]) == (), "something waits although all channels work"
        dead = {(d.channel, d.event.id): d.reason for d in self.outbox.file.listing(["dead"])}
        for channel in self.channels:
            for event in filter(channel.wants, self.put):
                told = event.id in ids(channel) or dead.get((channel.name, event.id))
                assert told, f"{event.id} never reached {channel.name}, and is not dead with a reason"
            for incident in ("one", "two"):
                first = dict.fromkeys(e.id for e in channel.taken if e.incident == incident)
                order = [e.id for e in self.put if e.id in first]
                assert list(first) == order, f"{channel.name} heard of {incident} in another order"


_GUARD = """
import asyncio, sys
from pathlib import Path
from opsconsole.clients.notify import make_channels
from opsconsole.clock import SystemClock
from opsconsole.config.schema import Endpoint, NotifyConfig
from opsconsole.guard.outbox import FileOutbox
from opsconsole.model.reading import Reading
from opsconsole.model.rules import MemberStatus
from opsconsole.state.snapshot import ClusterReading, MemberReading
from opsconsole.text import safe, safe_block
from tests.support.guard_events import an_event

async def run():
    config = NotifyConfig(name="hook", kind="webhook", endpoint=Endpoint(url=sys.argv[2]))
    outbox = FileOutbox(Path(sys.argv[1]), make_channels([config], SystemClock()), SystemClock())
    outbox.put(an_event())
    await outbox.deliver()
    print(outbox.waiting())

asyncio.run(run())
"""


async def test_a_guard_that_is_killed_while_sending_sends_the_same_again(tmp_path: Path) -> None:
    killed: list[int] = []
    running: list[subprocess.Popen[bytes]] = []

    def kill(received: Received) -> Say:
        os.kill(running[-1].pid, signal.SIGKILL)
        killed.append(running[-1].pid)
        return text_reply("too late")

    async with ScriptedServer() as server:
        server.on("/hook", kill, text_reply("ok"))
        for _ in range(3):
            argv = [sys.executable, "-c", _GUARD, str(tmp_path / "o.db"), f"{server.url}/hook"]
            running.append(subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]))
            said, _ = await asyncio.to_thread(running[-1].communicate, timeout=60)
            if len(killed) == len(running):
                assert running[-1].returncode == -signal.SIGKILL
            else:
                assert said.strip() == b"0", "something still waits"
        keys = [request.headers["idempotency-key"] for request in server.asked("/hook")]
    assert len(killed) == 1
    assert keys == [an_event().id] * 2, "sent again once, and not a third time"
