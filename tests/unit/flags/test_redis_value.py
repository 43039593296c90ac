"""What a value of the Redis hash means, and that switching it off touches one member of it."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.clients.flags.redis_hash import RedisProvider
from opsconsole.clients.flags.redis_link import INSTALL
from opsconsole.clients.flags.redis_value import as_flag, read_value, turned_off, value_hash
from opsconsole.config.schema import RedisSettings
from opsconsole.errors import FlagError, FlagUnavailable

SERVES = [
    ('{"enabled": true}', "on 100 %", False, 100.0),
    ('{"enabled": true, "rollout": 12.5}', "on 12.5 %", False, 12.5),
    ('{"enabled": true, "rollout": 0}', "on 0 %", True, 0.0),
    ('{"enabled": true, "rollout": 0, "targeting": {"a": 1}}', "on 0 %, with targeting", False, None),
    ('{"enabled": false, "rollout": 50}', "off", True, 0.0),
    ("true", "unknown: not a JSON object", False, None),
    ("", "unknown: not JSON", False, None),
    ('{"enabled": 1}', "unknown: `enabled` is not true or false", False, None),
    ("{}", "unknown: it has no `enabled`", False, None),
    ('{"enabled": true, "rollout": 101}', "unknown: `rollout` is not a number", False, None),
    ('{"enabled": true, "rollout": true}', "unknown: `rollout` is not a number", False, None),
    ('{"enabled": true, "rollout": NaN}', "unknown: not JSON", False, None),
    ('{"enabled": true, "enabled": false}', "unknown: not JSON", False, None),
    ('{"enabled": true, "tags": "a"}', "unknown: `tags`", False, None),
    ('{"enabled": true, "type": 5}', "unknown: `type`", False, None),
]


@pytest.mark.parametrize(("text", "serves", "off", "rollout"), SERVES)
def test_what_a_value_means(text: str, serves: str, off: bool, rollout: float | None) -> None:
    flag = as_flag("f", text)
    assert flag.serves.startswith(serves)
    assert (flag.off, flag.rollout) == (off, rollout)
    if serves.startswith("unknown"):
        assert flag.enabled, "nobody knows that it is off"


def test_only_one_member_moves() -> None:
    text = '\n{ "a":{"enabled" : true}, "\\u0065nabled" :\ttrue ,"rollout":1.50,"x":"\\u00e9é"} '
    assert turned_off(text) == text.replace("\ttrue", "\tfalse")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_any_value_is_switched_off_and_nothing_else(rest: dict[str, Any], indent: Any, ascii_only: bool) -> None:
    data = {"rollout": 5, **rest, "enabled": True, "type": "t", "tags": []} | {"rollout": 5}
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    changed = turned_off(text)
    assert json.loads(changed) == {**data, "enabled": False}
    assert len(changed) == len(text) + 1
    assert read_value(changed).off


def test_spaces_make_no_other_version_but_any_word_does() -> None:
    assert value_hash('{"enabled":true}') == value_hash('{ "enabled" : true }')
    assert value_hash("x") != value_hash("y")
    assert value_hash('"x"') != value_hash("x")


async def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("redis", "redis.asyncio"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(FlagError) as caught:
        await RedisProvider(RedisSettings(url="redis://127.0.0.1:1/0")).read()
    assert "not installed" in caught.value.message
    assert caught.value.hint == INSTALL


REPLIES = [
    (b"-MOVED 3999 127.0.0.1:7001", FlagError, "node of a Redis Cluster"),
    (b"-MISCONF Redis is configured to save RDB snapshots, but", FlagError, "cannot save them"),
    (b"-OOM command not allowed when used memory > 'maxmemory'.", FlagError, "no memory left"),
    (b"-LOADING Redis is loading the dataset in memory", FlagUnavailable, "cannot serve this now"),
    (b"-BUSY Redis is busy running a script.", FlagUnavailable, "cannot serve this now"),
    (b"-ERR \x1b[31mevil", FlagError, r"\\x1b\[31mevil"),
]


@pytest.mark.parametrize(("reply", "kind", "message"), REPLIES)
async def test_what_a_server_answers_becomes_words(reply: bytes, kind: type[FlagError], message: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await reader.read(65536):
            for _ in range(asked.count(b"CLIENT") or 1):
                writer.write((b"+OK" if b"CLIENT" in asked else reply) + b"\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    provider = RedisProvider(RedisSettings(url=f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"))
    try:
        with pytest.raises(kind, match=message) as caught:
            await provider.read()
        assert not caught.value.sent
    finally:
        await provider.aclose()
        server.close()
