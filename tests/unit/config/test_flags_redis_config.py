"""`provider: redis` in a configuration file."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsconsole.config.discover import Resolution
from opsconsole.config.load import read_config
from opsconsole.config.schema import FlagsConfig, RedisSettings
from opsconsole.config.show import describe
from opsconsole.errors import ConfigError

URL = "url: redis://r:6379/1"


def read(tmp_path: Path, body: str) -> FlagsConfig:
    file = tmp_path / "c.yaml"
    file.write_text(
        "contexts:\n  a:\n    flags:\n      provider: redis\n"
        + "".join(f"      {line}\n" for line in body.split("\n"))
    )
    flags = read_config(file, tmp_path).contexts["a"].flags
    assert flags is not None
    return flags


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    flags = read(
        tmp_path,
        "url: rediss://r.example:6380/2/\nkey: '{f}'\nstream: '{f}:log'\nusername: ops\npassword_file: pw\n"
        "timeout: 2s\ntls_config: {ca_file: ca.pem}",
    )
    redis = flags.redis
    assert redis is not None
    assert (redis.url, redis.key, redis.stream) == ("rediss://r.example:6380/2", "{f}", "{f}:log")
    assert (redis.username, redis.password_file, redis.timeout) == ("ops", tmp_path / "pw", 2.0)
    assert redis.tls_config.ca_file == tmp_path / "ca.pem"


def test_only_the_url_is_needed_and_the_stream_goes_by_the_key(tmp_path: Path) -> None:
    assert read(tmp_path, URL).redis == RedisSettings(url="redis://r:6379/1")
    redis = read(tmp_path, URL + "\nkey: ff").redis
    assert redis is not None
    assert redis.stream == "ff:changes"


PROBLEMS = [
    ("key: f", 3, "url", "is missing"),
    ("url: http://r", 5, "url", "is not a redis or rediss URL"),
    ("url: redis://ops:hunter2@r/0", 5, "url", "has a user name or password in the URL"),
    ("url: redis://:hunter2@r/0", 5, "url", "has a user name or password in the URL"),
    ("url: redis://r/zero", 5, "url", "does not end in the number of a database"),
    ("url: redis://r:x/0", 5, "url", "is not a URL"),
    ("url: redis:///0", 5, "url", "names no host"),
    ("url: redis://r/0?password=hunter2", 5, "url", "has a query or fragment"),
    (URL + "\npassword: hunter2", 6, "password", "is not supported"),
    (URL + "\npassword_file: a\npassword_command: b", 7, "password_command", "cannot both be given"),
    (URL + "\nusername: ops", 6, "username", "needs password_file or password_command"),
    (URL + "\ntls_config: {ca_file: ca}", 6, "tls_config", "is for rediss:// only"),
    ("url: rediss://r\ntls_config: {server_name: x}", 6, "tls_config", "server_name is not supported"),
    (URL + "\nkey: f\nstream: f", 7, "stream", "is the key of the flags"),
    (URL + "\nsafe_variants: {f: off}", 6, "safe_variants", "is not supported"),
    (URL + "\nkee: f", 6, "kee", "is not a known key"),
]


@pytest.mark.parametrize(("body", "line", "key", "message"), PROBLEMS)
def test_problems_name_their_line(tmp_path: Path, body: str, line: int, key: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, body)
    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (line, f"contexts.a.flags.{key}")
    assert message in problem.message
    assert "hunter2" not in str(caught.value)


def test_it_is_shown_without_secrets(tmp_path: Path) -> None:
    read(tmp_path, URL + "\nusername: ops\npassword_command: [pass, show, hunter2]")
    context = read_config(tmp_path / "c.yaml", tmp_path).contexts["a"]
    shown = describe(Resolution(context=context, origins={}))
    assert "flags: redis, redis://r:6379/1\n" in shown
    assert "  key: flags, changes in flags:changes\n  username: ops, password from the command pass" in shown
    assert "hunter2" not in shown
