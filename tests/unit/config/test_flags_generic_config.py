"""`provider: http` and `provider: exec` in a configuration file."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsconsole.config.discover import Resolution
from opsconsole.config.load import read_config
from opsconsole.config.schema import FlagCall, FlagsConfig
from opsconsole.config.show import describe
from opsconsole.errors import ConfigError
from opsconsole.model.flags import Capabilities, Swap

HTTP = "provider: http\nurl: https://f.example/api/\n"
LIST = "requests:\n  list: {path: /flags}\n"
EXEC = "provider: exec\n"


def read(tmp_path: Path, body: str) -> FlagsConfig:
    file = tmp_path / "c.yaml"
    lines = "".join(f"      {line}\n" for line in body.rstrip("\n").split("\n"))
    file.write_text("contexts:\n  a:\n    flags:\n" + lines)
    flags = read_config(file, tmp_path / "home").contexts["a"].flags
    assert flags is not None
    return flags


def test_http_with_everything(tmp_path: Path) -> None:
    flags = read(
        tmp_path,
        HTTP + "token_file: t\n"
        "fields:\n"
        "  {key: name, enabled: {path: state, on: [ACTIVE, 1], off: [PAUSED, 0]}, rollout: a.b, version: rev}\n"
        "ignore: [/updated_at]\n"
        "requests:\n"
        "  list: {path: '/flags?all=1', items: data.flags, total: page.total}\n"
        "  get: {path: '/flags/{key}', items: /data}\n"
        "  off: {path: '/flags/{key}/off', body: {n: 1, why: 'x {reason}'}, expect: 200, approval: [202]}\n"
        "  restore: {method: PUT, path: '/flags/{key}', headers: {If-Match: '{version}'}, body: '{definition}'}\n"
        "  changes: {path: '/log?since={since}', items: e, fields: {key: f, after: new, version: rev}}\n"
        "capabilities: {swap: version, propagation: 30s, rate_limit: 60}\n",
    )
    generic = flags.generic
    assert generic is not None
    assert flags.endpoint is not None
    assert flags.endpoint.url == "https://f.example/api"
    assert flags.endpoint.http.authorization is not None
    assert (generic.on, generic.off, generic.ignore) == (("ACTIVE", 1), ("PAUSED", 0), ("/updated_at",))
    off = FlagCall(
        method="POST",
        path="/flags/{key}/off",
        body={"n": 1, "why": "x {reason}"},
        expect=(200,),
        approval=(202,),
        sets={"state": "PAUSED"},
    )
    assert generic.calls["off"] == off
    assert generic.calls["restore"].headers == {"If-Match": "{version}"}
    assert generic.calls["changes"].fields == {"key": "f", "at": "at", "after": "new", "version": "rev"}
    assert generic.capabilities == Capabilities(
        swap=Swap.VERSION,
        change_log=True,
        revert=True,
        partial=True,
        reason=True,
        approvals=True,
        propagation=30.0,
        rate_limit=60.0,
    )


def test_exec_says_of_itself_only_what_is_described(tmp_path: Path) -> None:
    flags = read(
        tmp_path, EXEC + "timeout: 3s\ncommands: {list: [./bin/flagctl, list], off: [flagctl, off, '{key}']}"
    )
    generic = flags.generic
    assert generic is not None
    assert generic.calls["list"].argv == (f"{tmp_path}/bin/flagctl", "list")
    assert generic.calls["off"].argv == ("flagctl", "off", "{key}")
    assert generic.calls["off"].sets == {"enabled": False}
    assert (generic.timeout, generic.folder) == (3.0, tmp_path)
    assert generic.capabilities == Capabilities(swap=Swap.REREAD, undo=False)
    only_list = read(tmp_path, EXEC + "commands: {list: [~/flagctl]}").generic
    assert only_list is not None
    assert only_list.capabilities == Capabilities(swap=Swap.REREAD, undo=False, off=False)
    assert only_list.calls["list"].argv == (f"{tmp_path}/home/flagctl",)


PROBLEMS = [
    (HTTP, 3, "requests", "is missing"),
    (HTTP + "requests: {off: {path: /x}}", 6, "requests.list", "is missing"),
    (HTTP + LIST + "commands: {}", 8, "commands", "is not supported"),
    (HTTP + LIST + "  of: {path: /x}", 8, "requests.of", "is not a known key"),
    (HTTP + LIST + "  off: {path: 'flags/{key}'}", 8, "requests.off.path", "is not a path"),
    (HTTP + LIST + "  off: {path: '/flags/{id}'}", 8, "requests.off.path", "{id} stands for nothing here"),
    (HTTP + LIST + "  off: {path: '/x/{definition}'}", 8, "requests.off.path", "{definition} stands for nothing"),
    (HTTP + LIST + "  off: {path: /x, body: {a: ['{kee}']}}", 8, "requests.off.body", "{kee} stands for nothing"),
    (HTTP + LIST + "  off: {method: DROP, path: /x}", 8, "requests.off.method", "`DROP` is not a method"),
    (
        HTTP + LIST + "  off: {path: /x, expect: 99}",
        8,
        "requests.off.expect",
        "must be a whole number from 200 to 599",
    ),
    (HTTP + LIST + "  get: {path: '/{key}', body: {a: 1}}", 8, "requests.get.body", "a GET has no body"),
    (
        HTTP + LIST + "  off: {path: /x, headers: {Authorization: x}}",
        8,
        "requests.off.headers.Authorization",
        "set here",
    ),
    (HTTP + LIST + "fields: {enabled: a..b}", 8, "fields.enabled", "has an empty name"),
    (HTTP + LIST + "fields: {enabled: {path: s, on: [A], off: [A]}}", 8, "fields.enabled.off", "is among"),
    (HTTP + LIST + "fields: {enabled: {path: s, on: []}}", 8, "fields.enabled.on", "names no value"),
    (HTTP + LIST + "capabilities: {undo: yes}", 8, "capabilities.undo", "cannot be with this description"),
    (HTTP + LIST + "capabilities: {revert: yes}", 8, "capabilities.revert", "cannot be with this description"),
    (HTTP + LIST + "capabilities: {swap: magic}", 8, "capabilities.swap", "`magic` is not"),
    (HTTP + LIST + "capabilities: {rate_limit: 0}", 8, "capabilities.rate_limit", "must be above 0"),
    (HTTP + LIST + "token: hunter2", 8, "token", "is not supported"),
    (HTTP + LIST + "safe_variants: {}", 8, "safe_variants", "is not supported"),
    (EXEC + "commands: {list: flagctl list}", 5, "commands.list", "must be a mapping"),
    (EXEC + "commands: {list: {run: flagctl list}}", 5, "commands.list.run", "must be a list: no shell reads it"),
    (EXEC + "commands: {list: []}", 5, "commands.list", "names no program"),
    (EXEC + "commands: {list: [a, '{key}']}", 5, "commands.list", "{key} stands for nothing here"),
    (EXEC + "commands: {list: [a], off: [sh, -c, 'off {key}']}", 5, "commands.off", "has a word in braces in it"),
    (EXEC + "commands: {list: [a], off: ['{key}']}", 5, "commands.off", "has a word in braces in it"),
    (EXEC + "commands: {list: [a], off: {run: [a], expect: 0}}", 5, "commands.off.expect", "is not a known key"),
    (EXEC + "url: http://x\ncommands: {list: [a]}", 5, "url", "is not a known key"),
]


@pytest.mark.parametrize(("body", "line", "key", "message"), PROBLEMS)
def test_problems_name_their_line(tmp_path: Path, body: str, line: int, key: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, body)
    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (line, f"contexts.a.flags.{key}")
    assert message in problem.message
    assert "hunter2" not in str(caught.value)


def test_both_are_shown(tmp_path: Path) -> None:
    for body, shown in (
        (EXEC + "commands: {list: [flagctl, list, hunter2]}", "flags: exec, flagctl"),
        (HTTP + LIST, "flags: http, https://f.example/api"),
    ):
        read(tmp_path, body)
        context = read_config(tmp_path / "c.yaml", tmp_path).contexts["a"]
        text = describe(Resolution(context=context, origins={}))
        assert shown in text.splitlines()
        assert "hunter2" not in text
