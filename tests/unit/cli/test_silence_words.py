"""amtool's arguments as matchers, and the commands that are printed instead of acting."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime

import pytest

from opsconsole.cli.silence_words import matchers_of
from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matcher, parse_matcher
from opsconsole.model.silences import Silence
from opsconsole.render.silence_commands import add_commands, expire_commands
from opsconsole.text import safe, safe_block
from tests.support.hostile import PAYLOADS, acting, marked

URL = "http://am.example:9093/prefix"


def draft(*matchers: Matcher, comment: str = "why", author: str = "me") -> Silence:
    return Silence(
        matchers=matchers,
        starts_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        ends_at=datetime(2026, 1, 2, 4, 4, 5, tzinfo=UTC),
        created_by=safe(author),
        comment=safe_block(comment),
    )


def words_of(printed: str) -> tuple[list[str], list[str]]:
    """What a shell makes of the two commands."""
    words = shlex.split(printed)
    at = words.index("curl")
    return words[:at], words[at:]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["Disk full"], [Matcher("alertname", "Disk full")]),
        (["X", "a=b"], [Matcher("alertname", "X"), Matcher("a", "b")]),
        (["a=b c", "a=b c"], [Matcher("a", "b c")]),
        (["a=~x{2,3}"], [Matcher("a", "x{2,3}", is_regex=True)]),
        (["a!~x"], [Matcher("a", "x", is_regex=True, is_equal=False)]),
        (['a="b",c=~"d"'], [Matcher("a", "b"), Matcher("c", "d", is_regex=True)]),
        (['{a="b", c!="d"}'], [Matcher("a", "b"), Matcher("c", "d", is_equal=False)]),
        (['"a label"="b"'], [Matcher("a label", "b")]),
        (['a="b,c=d"'], [Matcher("a", "b,c=d")]),
        ([], []),
    ],
)
def test_arguments(arguments: list[str], found: list[Matcher]) -> None:
    assert matchers_of(arguments) == tuple(found)


@pytest.mark.parametrize("arguments", [[""], ["a=b", " "], ["a=b", "word"], ["a=b,c=d"], ["a=~["], ["a=\udcff"]])
def test_what_is_no_matcher_is_refused(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        matchers_of(arguments)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_hostile_values_are_quoted(payload: str) -> None:
    text = marked(payload) + "' ; touch x #"
    name = Matcher("alertname", text)
    printed = add_commands(draft(name, Matcher("a", "b"), comment=text, author=text), URL)
    assert acting(printed.replace("\n", "")) == []
    amtool, curl = words_of(printed)
    assert amtool[:4] == ["amtool", f"--alertmanager.url={URL}", "silence", "add"]
    assert f"--author={safe(text)}" in amtool
    assert f"--comment={safe_block(text)}" in amtool
    assert "--end=2026-01-02T04:04:05Z" in amtool
    first, second = (parse_matcher(word, utf8=False) for word in amtool[-2:])
    assert (first.matches({"alertname": text}), first.matches({"alertname": f"{text}x"})) == (True, False)
    assert second == Matcher("a", "b")
    assert curl[-1] == f"{URL}/api/v2/silences"
    body = json.loads(curl[curl.index("--data-raw") + 1])
    assert body["matchers"][0] == {"name": "alertname", "value": text, "isRegex": False, "isEqual": True}
    assert (body["createdBy"], body["comment"]) == (safe(text), safe_block(text))


def test_regular_expressions_with_what_must_not_be_printed() -> None:
    pattern = "a\u202e[\x1b\x7f]\\\x1b\\\\\x1b\\.x"
    printed = add_commands(draft(Matcher("a", pattern, is_regex=True)), URL)
    assert acting(printed.replace("\n", "")) == []
    amtool, curl = words_of(printed)
    same = parse_matcher(amtool[-1])
    value = "a\u202e\x7f\x1b\\\x1b.x"
    assert Matcher("a", pattern, is_regex=True).matches({"a": value})
    assert same.matches({"a": value})
    assert json.loads(curl[curl.index("--data-raw") + 1])["matchers"][0]["value"] == pattern


@pytest.mark.parametrize("matcher", [Matcher("a\u202e", "b"), Matcher("a", "\\Q\u202e\\E", is_regex=True)])
def test_what_cannot_be_written_for_amtool_is_left_to_curl(matcher: Matcher) -> None:
    printed = add_commands(draft(matcher), URL)
    assert acting(printed.replace("\n", "")) == []
    assert printed.startswith("# amtool: ")
    curl = shlex.split(printed.split("\n", 1)[1])
    assert json.loads(curl[curl.index("--data-raw") + 1])["matchers"][0]["value"] == matcher.value


def test_expire() -> None:
    amtool, curl = words_of(expire_commands(["a/../b'; x"], URL))
    assert amtool[-2:] == ["expire", "a/../b'; x"]
    assert curl[-3:] == ["--request", "DELETE", f"{URL}/api/v2/silence/a%2F..%2Fb%27%3B%20x"]
