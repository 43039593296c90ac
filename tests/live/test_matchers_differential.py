"""Generated matchers, read by us and by a real Alertmanager and amtool: no disagreement.

Debian's Alertmanager is 0.25, which knows the classic grammar alone. What only the newer grammar reads (>= 0.27)
is therefore held against it in one way: it must be refused there, and we must say so when asked for `utf8=False`.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import urllib.parse
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import re2
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from opsconsole.errors import UsageError
from opsconsole.model.matchers import (
    Matcher,
    Matchers,
    format_matchers,
    match_all,
    parse_matcher,
    parse_matchers,
)
from tests.support.matcher_cases import ALERTS, TELLING, TELLING_LISTS, posted, routes, several, single
from tests.support.servers import Alertmanager, Server, require, wait_for

pytestmark = pytest.mark.live

ANY = Matcher("alertname", ".+", is_regex=True)
"""Beside every matcher of a silence, as one that matches the empty label set alone is refused."""

FROM_GO_1_22 = re.compile(r"\(\?<[A-Za-z0-9_]+>")
"""`(?<name>…)`: Alertmanagers built with an older Go, as Debian's is, refuse it."""


class Api:
    """One Alertmanager with the alerts of the cases, over one connection."""

    def __init__(self, server: Alertmanager) -> None:
        server.post_alerts(posted())
        self.url = server.url
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        wait_for(lambda: len(self.alerts()) == len(ALERTS), 10, "alerts")

    def close(self) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, data: object = None) -> tuple[int, Any]:
        body = None if data is None else json.dumps(data)
        self._connection.request(method, f"/api/v2/{path}", body, {"Content-Type": "application/json"})
        reply = self._connection.getresponse()
        content = reply.read()
        return reply.status, json.loads(content or b"null")

    def alerts(self) -> list[dict[str, Any]]:
        return list(self.ask("GET", "alerts")[1])

    def found(self, text: str) -> set[str] | None:
        """The alert names that a filter finds; None where it is refused."""
        query = urllib.parse.urlencode({"filter": text}, errors="surrogateescape")
        status, answer = self.ask("GET", f"alerts?{query}")
        if status == 400:
            return None
        assert status == 200, answer
        return {alert["labels"]["alertname"] for alert in answer}

    def silence(self, matchers: Matchers) -> tuple[int, Any]:
        times = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
        as_sent = [msgspec.to_builtins(m) for m in matchers]
        return self.ask("POST", "silences", {"matchers": as_sent, **times, "createdBy": "t", "comment": "t"})


def ours(text: str, utf8: bool = False) -> Matcher | None:
    try:
        return parse_matcher(text, utf8=utf8)
    except UsageError:
        return None


def ours_of_list(text: str, utf8: bool = False) -> Matchers | None:
    try:
        return parse_matchers(text, utf8=utf8)
    except UsageError:
        return None


def can_silence(matcher: Matcher) -> bool:
    """Whether a silence takes what a filter does: no name with a colon, as no label has one, and no pattern that
    closes the group it is put into."""
    if matcher.is_regex:
        options = re2.Options()
        options.log_errors = False
        try:
            re2.compile(matcher.value, options)
        except re2.error as error:
            # Too large for RE2's usual limit is not Go's concern.
            return "too large" in str(error) and ":" not in matcher.name
    return ":" not in matcher.name


def matched(*matchers: Matcher) -> set[str]:
    return {labels["alertname"] for labels in ALERTS if match_all(matchers, labels)}


def amtool(*args: str) -> subprocess.CompletedProcess[bytes]:
    arguments = [arg.encode(errors="surrogateescape") for arg in (require("amtool"), *args)]
    return subprocess.run(arguments, capture_output=True, timeout=30)


class Differential:
    """Holds cases against both programs; `ran` counts what was compared."""

    def __init__(self, filtering: Api, silencing: Api, directory: Path) -> None:
        self.filtering = filtering
        self.silencing = silencing
        self.config = directory / "routes.yaml"
        self.ran: Counter[str] = Counter()
        self.silences: dict[str, set[str]] = {}

    def check_filter(self, text: str) -> Matcher | None:
        """The API's `filter`: accepted or refused, which alerts, and the same of what we print."""
        read = ours(text)
        theirs = self.filtering.found(text)
        assert theirs == (None if read is None else matched(read)), (text, read)
        newer = ours(text, utf8=True)
        if read is not None:
            # >= 0.27 refuses a brace at either end of a filter, even in an unquoted value.
            assert newer == (None if text.startswith("{") or text.endswith("}") else read), text
            assert ours(str(read)) == ours(str(read), utf8=True) == read
            assert self.filtering.found(str(read)) == theirs, (text, str(read))
            self.ran["filters accepted"] += 1
            self.ran["filters that find some alerts, not all"] += 0 < len(matched(read)) < len(ALERTS)
        elif newer is not None:
            assert ours(str(newer), utf8=True) == newer, text
            self.ran["filters that only >= 0.27 reads"] += 1
        else:
            self.ran["filters refused"] += 1
        self.ran["cases"] += 1
        return read

    def check_amtool_arguments(self, read: list[tuple[str, Matcher]], refused: list[str]) -> None:
        """`amtool silence add`: it reads the same matchers, and refuses alone each that we refuse."""
        texts = [text for text, _ in read]
        given = (ANY, *(matcher for _, matcher in read))
        add = (
            "silence",
            "add",
            f"--alertmanager.url={self.silencing.url}",
            "--author=t",
            "--comment=t",
            str(ANY),
            "--",
        )
        done = amtool(*add, *texts)
        assert done.returncode == 0, (texts, done.stderr)
        id = done.stdout.decode().strip()
        status, silence = self.silencing.ask("GET", f"silence/{id}")
        assert status == 200
        theirs = [msgspec.convert(m, Matcher) for m in silence["matchers"]]
        assert Counter(theirs) == Counter(given), texts
        self.silences[id] = matched(*given)
        for text in refused:
            done = amtool(*add, text)
            assert done.returncode != 0, (text, done.stdout)
        self.ran["amtool arguments"] += len(texts) + len(refused)

    def check_silence(self, matcher: Matcher) -> None:
        """A silence posted in our shape; whom it hides is asked at the end."""
        status, answer = self.silencing.silence((ANY, matcher))
        if not can_silence(matcher):
            assert status == 400, (matcher, answer)
            return
        assert status == 200, (matcher, answer)
        self.silences[answer["silenceID"]] = matched(ANY, matcher)

    def check_lists(self, texts: list[str]) -> None:
        """Matchers in a route, as amtool reads and prints them."""
        accepted: list[tuple[str, Matchers]] = []
        for text in texts:
            read = ours_of_list(text)
            self.ran["lists"] += 1
            if read is None:
                newer = ours_of_list(text, utf8=True)
                assert newer is None or ours_of_list(format_matchers(newer), utf8=True) == newer
                assert self._routes([text]) is None, text
                self.ran["lists refused"] += 1
            else:
                assert ours_of_list(text, utf8=True) == read, text
                accepted += [(text, read), (format_matchers(read), read)]
        if accepted:
            printed = self._routes([text for text, _ in accepted])
            operators = ["=", "!=", "=~", "!~"]
            in_order = [sorted(r, key=lambda m: (m.name, m.value, operators.index(m.op))) for _, r in accepted]
            expected = [format_matchers(r) if r else "default-route" for r in in_order]
            assert printed == expected, [text for text, _ in accepted]

    def _routes(self, texts: list[str]) -> list[str] | None:
        self.config.write_text(routes(texts))
        done = amtool("config", "routes", "show", f"--config.file={self.config}")
        if done.returncode != 0:
            assert b"yaml" not in done.stderr, done.stderr
            return None
        shown = re.findall(r"^ +[├└]── (.*?)  continue: true  receiver: r\d+$", done.stdout.decode(), re.MULTILINE)
        assert len(shown) == len(texts), done.stdout
        return shown

    def check_silenced(self) -> None:
        """Which alerts each silence hides."""
        hidden: dict[str, set[str]] = {id: set() for id in self.silences}
        for alert in self.silencing.alerts():
            for id in alert["status"]["silencedBy"]:
                # Shrinking leaves some behind that no comparison was made for.
                hidden.setdefault(id, set()).add(alert["labels"]["alertname"])
        wrong = {id: (hidden[id], expected) for id, expected in self.silences.items() if hidden[id] != expected}
        assert not wrong, [
            (self.silencing.ask("GET", f"silence/{id}")[1]["matchers"], both) for id, both in wrong.items()
        ]
        self.ran["silences"] = len(self.silences)


BATCH = 10


@pytest.mark.parametrize("count", [500, pytest.param(5000, marks=pytest.mark.nightly)])
def test_generated_matchers_are_read_as_alertmanager_and_amtool_read_them(
    count: int, started: Callable[[Server], Server], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    # Two servers: every silence makes the next answer about alerts slower.
    filtering, silencing = Alertmanager(tmp_path / "filtering"), Alertmanager(tmp_path / "silencing")
    started(filtering)
    started(silencing)
    with closing(Api(filtering)) as first, closing(Api(silencing)) as second:
        ran = run(count, Differential(first, second, tmp_path))
    record_property("cases", ran)
    print(f"\nno disagreement: {ran}")
    assert ran["cases"] >= count, ran
    assert min(ran.values()) > count // 50, f"too few of a kind: {ran}"


def run(count: int, held: Differential) -> dict[str, int]:
    """Generate and compare so many cases; how many there were of each kind."""

    # The short run is the same every time, the long one always looks elsewhere.
    @settings(
        max_examples=count // BATCH,
        derandomize=count <= 500,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(single, min_size=BATCH, max_size=BATCH),
        st.lists(several(), min_size=BATCH // 2, max_size=BATCH // 2),
    )
    @example(TELLING, TELLING_LISTS)
    def compare(texts: list[str], lists: list[str]) -> None:
        texts = [text for text in texts if not FROM_GO_1_22.search(text)]
        read = [(text, held.check_filter(text)) for text in texts]
        taken = [(text, matcher) for text, matcher in read if matcher is not None]
        for _, matcher in taken:
            held.check_silence(matcher)
        held.check_amtool_arguments(
            [(text, matcher) for text, matcher in taken if can_silence(matcher)],
            [text for text, matcher in read if matcher is None],
        )
        # YAML cannot hold what is not Unicode.
        held.check_lists([text for text in lists if text.isascii() or not re.search("[\ud800-\udfff]", text)])

    compare()
    held.check_silenced()
    return dict(sorted(held.ran.items()))
