"""What a described system may answer, and what of a flag reaches it."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.clients.flags.generic import GenericProvider
from opsconsole.clients.flags.generic_exec import ExecChannel
from opsconsole.clients.flags.generic_http import HttpChannel, filled_body, filled_path
from opsconsole.clients.flags.generic_words import Words, filled
from opsconsole.clients.flags.paths import Missing, find, with_value, without
from opsconsole.clock import SystemClock
from opsconsole.config.schema import Endpoint, FlagCall, GenericSettings
from opsconsole.errors import (
    ApprovalRequired,
    Conflict,
    FlagError,
    FlagNotFound,
    FlagRateLimited,
    FlagUnauthorised,
    FlagUnavailable,
    FlagUnsupported,
)
from opsconsole.model.flags import Capabilities, RollbackKind, Swap
from opsconsole.text import trusted
from tests.support.scripted import ScriptedServer, json_reply

OFF = FlagCall(argv=("off",), sets={"enabled": False})


class Told:
    """A system that answers what a test says, and keeps what it is told."""

    source = trusted("told")

    def __init__(self, **answers: Any) -> None:
        self.answers, self.told = answers, list[tuple[str, Words]]()

    async def ask(self, name: str, words: Words) -> str:
        answer = self.answers[name]
        return answer if isinstance(answer, str) else json.dumps(answer)

    async def tell(self, name: str, words: Words) -> None:
        self.told.append((name, words))

    async def aclose(self) -> None:
        pass


def provider(answer: Any, *, log: Any = None, listed: FlagCall | None = None, **settings: Any) -> GenericProvider:
    calls = {"list": listed or FlagCall(), "off": OFF, "restore": FlagCall()}
    if log is not None:
        fields = {"key": "key", "at": "at", "before": "old", "after": "new", "who": "who"}
        calls["changes"] = FlagCall(fields=fields)
    usual: dict[str, Any] = {"calls": calls, "fields": {"key": "key", "enabled": "enabled", "rollout": "percent"}}
    return GenericProvider("http", GenericSettings(**(usual | settings)), Told(list=answer, changes=log))


ITEMS = FlagCall(items="data.flags", total="n")
BAD_LISTS = [
    ("nope", None, "the answer to `list` is no JSON"),
    ('{"a": {}, "a": {}}', None, "given twice"),
    ('{"a": NaN}', None, "NaN"),
    ("5", None, "neither a list nor a mapping"),
    ({"data": {}}, ITEMS, "has no `data.flags`"),
    ({"data": {"flags": []}}, ITEMS, "has no `n`"),
    ({"data": {"flags": [{"key": "a", "enabled": True}]}, "n": 2}, ITEMS, "1 of 2: not all are there"),
    ([{"enabled": True}], None, "flag 0 has no `key`"),
    ([{"key": 5, "enabled": True}], None, "flag 0: `key` is not a text"),
    ([{"key": "a", "enabled": True}] * 2, None, "flag a twice"),
    ({"a": {}}, None, "flag a has no `enabled`"),
    ({"a": {"enabled": "yes"}}, None, "neither as on nor off"),
    ({"a": {"enabled": 1}}, None, "neither as on nor off"),
    ({"a": {"enabled": True, "percent": 101}}, None, "`percent` is not a number from 0 to 100"),
    ({"a": True}, None, "flag a has no `enabled`"),
]


@pytest.mark.parametrize(("answer", "listed", "message"), BAD_LISTS)
async def test_an_answer_without_what_the_description_says(answer: Any, listed: Any, message: str) -> None:
    with pytest.raises(FlagError) as caught:
        await provider(answer, listed=listed).read()
    assert message in caught.value.message
    assert not caught.value.sent


async def test_a_percentage_that_is_not_told_is_unknown() -> None:
    flag = (await provider({"a": {"enabled": True}}).read()).flags[0]
    assert (flag.serves, flag.rollout, flag.off) == ("on", None, False)


async def test_a_mapping_of_plain_values_will_do() -> None:
    made = provider(
        {"a": True, "b": False},
        fields={"key": "key", "enabled": ""},
        calls={"list": FlagCall(), "off": FlagCall(sets={"": False})},
    )
    assert [(flag.key, flag.enabled) for flag in (await made.read()).flags] == [("a", True), ("b", False)]
    plan = await made.plan_off("a")
    assert (plan.original, plan.replacement) == ("true", "false")
    with pytest.raises(FlagUnsupported, match="no `restore`"):
        await made.plan_to("b", "true", RollbackKind.UNDO)


async def test_what_is_ignored_makes_no_other_version_and_is_not_written_back() -> None:
    fields = {"key": "key", "enabled": "enabled", "version": "rev"}
    old = provider(
        {"a": {"enabled": True, "rev": 1, "seen": {"at": 5, "n": 1}}}, ignore=("seen.at",), fields=fields
    )
    new = provider(
        {"a": {"enabled": True, "rev": 2, "seen": {"at": 6, "n": 1}}}, ignore=("seen.at",), fields=fields
    )
    before, after = (await old.read()), (await new.read())
    assert before.revision == after.revision
    assert [flag.version for flag in (*before.flags, *after.flags)] == ["1", "2"]
    assert await new.definition("a") == '{"enabled": true, "seen": {"n": 1}}'


async def test_off_that_does_not_make_it_off_is_found_before_it_is_done() -> None:
    calls = {"list": FlagCall(), "off": FlagCall(sets={"other": 1})}
    with pytest.raises(FlagError, match="would not be off"):
        await provider({"a": {"enabled": True}}, calls=calls).plan_off("a")
    calls["off"] = FlagCall(sets={"x.y": 1})
    with pytest.raises(FlagError, match=r"has no `x\.y`, which `off` sets"):
        await provider({"a": {"enabled": True}}, calls=calls).plan_off("a")


async def test_what_is_told_with_a_write() -> None:
    fields = {"key": "key", "enabled": "enabled", "version": "rev"}
    made = provider({"a": {"enabled": True, "rev": 7}}, fields=fields)
    await made.apply(await made.plan_off("a"), "line\nbreak")
    ((name, words),) = made._channel.told  # type: ignore[attr-defined]
    assert (name, words.key, words.version, words.reason) == ("off", "a", "7", "line\\nbreak")
    assert (words.expected, words.definition) == ('{"enabled": true}', '{"enabled": false}')


LOGS = [
    ({}, "is no list"),
    ([{"at": 5}], "change 0 has no `key`"),
    ([{"key": "a"}], "change 0 has no `at`"),
    ([{"key": "a", "at": "yesterday"}], "change 0 has no `at`"),
    ([{"key": "a", "at": "2026-01-01T00:00:00"}], "a time with its zone"),
    ([{"key": "a", "at": True}], "change 0 has no `at`"),
]


@pytest.mark.parametrize(("log", "message"), LOGS)
async def test_a_log_without_what_the_description_says(log: Any, message: str) -> None:
    with pytest.raises(FlagError, match=message):
        await provider({}, log=log).changes(0)


async def test_times_and_definitions_of_a_log() -> None:
    on, off = {"enabled": True, "percent": 5}, {"enabled": False}
    log = [
        {"key": "a", "at": "2026-01-01T01:00:00+01:00", "old": json.dumps(on), "new": off, "who": "ann"},
        {"key": "a", "at": 1767225601000, "old": "not JSON", "new": {"odd": 1}},
        {"key": "b", "at": 1767225602},
    ]
    made = provider({}, log=log)
    newest, second, first = await made.changes(0)
    assert [newest.at, second.at, first.at] == [1767225602.0, 1767225601.0, 1767225600.0]
    assert (first.summary, first.off, first.who) == ("on 5 % -> off", True, "ann")
    assert first.before_hash == made.content_hash(json.dumps(on))
    assert (second.summary, second.off, second.before, second.after) == ("changed", None, "", '{"odd": 1}')
    assert [change.key for change in await made.changes(1767225601.5)] == ["b"]


# Paths


def test_paths() -> None:
    data = {"a": [{"b/c": 1}], "": 2}
    assert find(data, "/a/0/b~1c") == 1
    assert find(data, "") is data
    assert with_value(data, "a.0.x", 5)["a"][0] == {"b/c": 1, "x": 5}
    assert without(data, "/a/0/b~1c") == {"a": [{}], "": 2}
    assert data == {"a": [{"b/c": 1}], "": 2}
    for path in ("a.1", "a.-1", "a.b", "x", "a.0.b/c.d", "a.²"):
        with pytest.raises(Missing):
            find(data, path)


# HTTP


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1))
def test_no_key_leaves_its_place_in_a_path(key: str) -> None:
    try:
        path = filled_path("/flags/{key}/off?x={key}", Words(key=key), trusted("w"))
    except FlagError:
        assert key in (".", "..")
        return
    assert path.isascii()
    before, _, query = path.partition("?")
    assert before.count("/") == 3
    assert not set("#&?\r\n ") & set(before + query)


@pytest.mark.parametrize("key", ["", ".", "..", "\ud800"])
def test_keys_that_no_path_can_have(key: str) -> None:
    with pytest.raises(FlagError, match="cannot be a part of"):
        filled_path("/flags/{key}", Words(key=key), trusted("w"))


def test_bodies_are_filled_as_values_and_only_once() -> None:
    words = Words(key='"}{reason}', reason="{key}", definition='{"a": [1]}')
    body = {"k": "{key}", "r": ["why: {reason}"], "d": "{definition}", "t": "as text {definition}", "n": 5}
    assert filled_body(body, words) == {
        "k": '"}{reason}',
        "r": ["why: {key}"],
        "d": {"a": [1]},
        "t": 'as text {"a": [1]}',
        "n": 5,
    }
    assert filled("{unknown}", words) == "{unknown}"
    assert filled_body("{expected}", words) is None


STATUSES: list[tuple[int, dict[str, Any], type[Exception], bool]] = [
    (201, {"expect": (200,)}, FlagError, True),
    (202, {"approval": (202,)}, ApprovalRequired, False),
    (423, {"approval": (423,)}, ApprovalRequired, False),
    (401, {}, FlagUnauthorised, False),
    (409, {}, Conflict, False),
    (429, {}, FlagRateLimited, False),
    (500, {}, FlagUnavailable, True),
]


@pytest.mark.parametrize(("status", "call", "kind", "sent"), STATUSES)
async def test_what_a_status_means(
    scripted: ScriptedServer, status: int, call: dict[str, Any], kind: type[Exception], sent: bool
) -> None:
    scripted.on("*", json_reply({"error": "no"}, status=status))
    calls = {name: FlagCall(method="POST", path=f"/{name}", **call) for name in ("off", "list")}
    channel = HttpChannel(Endpoint(url=scripted.url), calls, SystemClock())
    try:
        with pytest.raises(kind) as caught:
            await channel.tell("off", Words(key="a"))
        assert getattr(caught.value, "sent", False) == sent
        with pytest.raises(FlagError) as asked:
            await channel.ask("list", Words())
        assert not asked.value.sent, "a question changes nothing"
    finally:
        await channel.aclose()
    assert len(scripted.requests) == 2, "nothing is sent twice"


async def test_what_is_sent(scripted: ScriptedServer) -> None:
    scripted.on("*", json_reply({}))
    call = FlagCall(method="PUT", path="/f/{key}?by={who}", headers={"If-Match": "{version}"}, body={"k": "{key}"})
    channel = HttpChannel(Endpoint(url=scripted.url), {"off": call}, SystemClock())
    try:
        await channel.tell("off", Words(key='a/b?"', who="a&b", version="v7"))
        with pytest.raises(FlagError) as caught:
            await channel.tell("off", Words(key="a", version="x\r\nX-Evil: 1"))
        assert not caught.value.sent
    finally:
        await channel.aclose()
    (sent,) = scripted.requests
    assert (sent.method, sent.path, sent.query) == ("PUT", "/f/a%2Fb%3F%22", (("by", "a&b"),))
    assert (sent.headers["if-match"], json.loads(sent.body)) == ("v7", {"k": 'a/b?"'})


# Commands


def script(tmp_path: Path, body: str, *arguments: str, timeout: float = 20.0) -> ExecChannel:
    """A shell script that is asked and told."""
    file = tmp_path / "flagctl"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o700)
    call = FlagCall(argv=(str(file), *arguments))
    return ExecChannel({"list": call, "off": call}, timeout=timeout, folder=tmp_path)


EXITS: list[tuple[str, type[Exception], bool, str]] = [
    ("exit 3", Conflict, False, "status 3"),
    ("exit 4", FlagNotFound, False, "status 4"),
    ("exit 5", FlagUnauthorised, False, "status 5"),
    ("exit 6", ApprovalRequired, False, "status 6"),
    ("exit 7", FlagRateLimited, False, "status 7"),
    ("exit 8", FlagUnavailable, False, "status 8"),
    ("echo first >&2; printf 'no\\033[1m luck\\n' >&2; exit 1", FlagError, True, r"status 1: no\x1b[1m luck"),
    ("exit 124", FlagUnavailable, True, "timed out"),
    ("kill -9 $$", FlagUnavailable, True, "signal 9"),
    ("yes; true", FlagUnavailable, True, "more than 4 MB"),
    ("head -c 5000000 /dev/zero", FlagUnavailable, True, "more than 4 MB"),
]


@pytest.mark.parametrize(("body", "kind", "sent", "message"), EXITS)
async def test_what_an_exit_status_means(
    tmp_path: Path, body: str, kind: type[Exception], sent: bool, message: str
) -> None:
    channel = script(tmp_path, body)
    with pytest.raises(kind) as caught:
        await channel.tell("off", Words(key="a"))
    assert message in str(caught.value)
    assert getattr(caught.value, "sent", False) == sent
    with pytest.raises(FlagError) as asked:
        await channel.ask("list", Words())
    assert not asked.value.sent


async def test_a_command_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    channel = script(tmp_path, "sleep 300 & echo $! > child; wait", timeout=3.0)
    with pytest.raises(FlagUnavailable, match="did not end within 3 s") as caught:
        await channel.tell("off", Words(key="a"))
    assert caught.value.sent
    child = int((tmp_path / "child").read_text())
    end = time.monotonic() + 30
    while _runs(child):
        assert time.monotonic() < end, "the command's child still runs"


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_command_is_told_by_its_environment_and_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAG_VERSION", "left by somebody")
    monkeypatch.setenv("MINE", "kept")
    channel = script(tmp_path, 'printf "%s|" "$1" "$FLAG_KEY" "$FLAG_VERSION" "$MINE" "$(cat)"; pwd', "{key}")
    words = Words(key="$(touch evil); `x` 'y", definition='{"a": "\\u00e9"}')
    answer = await channel.ask("list", words)
    assert answer == f"{words.key}|{words.key}||kept|{words.definition}|{tmp_path}\n"
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("key", ["--all", "-rf", ""])
async def test_a_key_is_no_option(tmp_path: Path, key: str) -> None:
    with pytest.raises(FlagError, match="might take that for an option"):
        await script(tmp_path, "touch ran", "{key}").tell("off", Words(key=key))
    assert not (tmp_path / "ran").exists()


async def test_a_large_definition_comes_on_the_input_alone(tmp_path: Path) -> None:
    channel = script(tmp_path, 'printf "%s" "$FLAG_DEFINITION" | wc -c; wc -c')
    answer = await channel.ask("list", Words(definition=json.dumps("x" * 300_000)))
    assert answer.split() == ["0", "300002"]


@pytest.mark.parametrize("key", ["a\0b", "\ud800"])
async def test_a_key_that_no_environment_holds(tmp_path: Path, key: str) -> None:
    with pytest.raises(FlagError, match="cannot be run") as caught:
        await script(tmp_path, "touch ran").tell("off", Words(key=key))
    assert not caught.value.sent
    assert not (tmp_path / "ran").exists()


async def test_what_a_command_leaves_running_holds_nothing_up(tmp_path: Path) -> None:
    channel = script(tmp_path, "setsid sleep 300 & echo $! > child; echo done")
    try:
        assert await channel.ask("list", Words()) == "done\n"
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


async def test_a_command_that_reads_nothing_is_fine(tmp_path: Path) -> None:
    assert (
        await script(tmp_path, "exec 0<&-; echo ok").ask("list", Words(definition='"' + "x" * 900_000 + '"'))
        == "ok\n"
    )


def test_capabilities_are_those_of_the_description() -> None:
    told = Capabilities(swap=Swap.VERSION, propagation=60)
    assert provider({}, capabilities=told).capabilities is told
