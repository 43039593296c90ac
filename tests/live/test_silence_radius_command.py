"""What `opsconsole silence` and `ack` say and ask about what is hidden, on a real Alertmanager."""

from __future__ import annotations

import json
import shlex
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from test_silence_command import (  # noqa: F401  fixtures
    Run,
    _bare_environment,
    fire,
    known,
    run,
    typing,
)

from opsconsole.cli import acting
from tests.support.pty_terminal import PtyTerminal
from tests.support.servers import Alertmanager, Prometheus, free_port

pytestmark = pytest.mark.live

ADD = ["silence", "add", "-c", "x"]


def test_a_critical_is_confirmed_by_the_number(run: Run, alertmanager: Alertmanager) -> None:  # noqa: F811
    fire(alertmanager, *({"alertname": "RadCrit", "severity": s} for s in ("critical", "warning")))
    for words, code, why in (
        (["--yes"], 2, "1 critical: RadCrit. Use --yes together with --hides"),
        (["--hides=2"], 2, "without a terminal"),
        (["--yes", "--hides=1"], 1, "--hides says 1, and it is 2 now"),
        (["--yes", "--hides=unknown"], 1, "--hides says unknown, and it is 2 now"),
    ):
        refused = run(*ADD, "RadCrit", *words)
        assert (refused.code, why in refused.err, refused.out) == (code, True, ""), refused
    assert known(alertmanager, "RadCrit") == []
    assert run(*ADD, "RadCrit", "--yes", "--hides=2").code == 0
    assert len(known(alertmanager, "RadCrit")) == 1


def test_the_limits_are_those_of_the_context(run: Run, alertmanager: Alertmanager, tmp_path: Path) -> None:  # noqa: F811
    fire(alertmanager, *({"alertname": "RadMany", "severity": "info", "i": str(i)} for i in range(3)))
    config = tmp_path / "config.yaml"
    limits = {"confirm_above": 2, "max_duration": "2h"}
    clusters = [{"name": "main", "members": [alertmanager.url]}]
    config.write_text(json.dumps({"contexts": {"a": {"alertmanager": clusters, "silences": limits}}}))
    at = f"--config={config}"
    many = run(*ADD, "RadMany", "--yes", at)
    assert (many.code, "3 alerts are more than 2." in many.err) == (2, True), many
    long = run(*ADD, "RadMany", "i=1", "--yes", "-d", "3h", at)
    assert (long.code, "It lasts 3h: longer than 2h." in long.err) == (2, True), long
    made = run(*ADD, "RadMany", "i=1", "--yes", at)
    assert made.code == 0, made.err
    later = run("silence", "extend", made.ids[0], "3h", "--yes", at)
    assert (later.code, "longer than 2h" in later.err) == (2, True), later
    wider = run("silence", "edit", made.ids[0], "RadMany", "--yes", at)
    assert (wider.code, "3 alerts are more than 2." in wider.err) == (2, True), wider
    assert run("silence", "edit", made.ids[0], "RadMany", "--yes", "--hides=3", at).code == 0
    assert run("silence", "edit", made.ids[0], "alertname=~.+", "--yes", "--hides=3", at).code != 0
    assert "3 alerts or" not in run("config", "show", at).out
    assert "above 2 alerts or 2h" in run("config", "show", at).out


def test_the_nearest_matchers_are_printed_as_arguments(run: Run, alertmanager: Alertmanager) -> None:  # noqa: F811
    value = 'it\'s "a" \\ value'
    fire(alertmanager, {"alertname": "RadNearest", "severity": "info", "note": value})
    nothing = run(*ADD, "RadNaerest", f"note={json.dumps(value)}", "team=none")
    assert (nothing.code, nothing.out) == (1, "")
    assert "hides now: no alert" in nothing.err
    assert "nearest, would hide 1 alert: 1 info:" in nothing.err
    assert 'without team="none"' in nothing.err
    lines = nothing.err.splitlines()
    line = lines[next(at for at, text in enumerate(lines) if text.startswith("nearest")) + 1]
    found = run(*ADD, *shlex.split(line), "--yes")
    assert (found.code, "hides now: 1 alert: 1 info" in found.err) == (0, True), found
    assert len(known(alertmanager, "RadNearest")) == 1
    far = run(*ADD, "Zzzzzzzz", "--dry-run")
    assert (far.code, "nearest" in far.err) == (0, False)


def test_a_member_that_does_not_answer_makes_it_unknown(run: Run, alertmanager: Alertmanager) -> None:  # noqa: F811
    fire(alertmanager, {"alertname": "RadPart", "severity": "info"})
    two = [f"--alertmanager={alertmanager.url}", f"--alertmanager=http://127.0.0.1:{free_port()}"]
    refused = run(*ADD, "RadPart", "--yes", *two)
    assert refused.code == 2, refused
    assert "UNKNOWN what it hides: the answer is partial: http://127.0.0.1:" in refused.err
    assert "known: 1 alert: 1 info" in refused.err
    assert run(*ADD, "RadPart", "--yes", "--hides=1", *two).code == 1
    assert run(*ADD, "RadPart", "--dry-run", *two).code == 1
    assert run(*ADD, "RadPart", "--yes", "--hides=unknown", *two).code == 0
    assert len(known(alertmanager, "RadPart")) == 1


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of something that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_the_last_week(
    run: Run,  # noqa: F811
    alertmanager: Alertmanager,
    prometheus: Prometheus,
    silent: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fire(alertmanager, {"alertname": "RadWeek", "severity": "info"})
    monkeypatch.setattr(acting, "PAST_SECONDS", 0.5)
    at = f"--alertmanager={alertmanager.url}"
    young = run(*ADD, "RadWeek", "--dry-run", at, f"--prometheus={prometheus.url}")
    assert "last 7 days: not known: Prometheus has " in young.out, young
    for url, why in (
        (silent, "Prometheus gave no answer in 0.5s"),
        (f"http://127.0.0.1:{free_port()}", "refused"),
    ):
        asked = run(*ADD, "RadWeek", "--yes", at, f"--prometheus={url}")
        assert asked.code == 0, asked.err
        assert "hides now: 1 alert" in asked.err
        assert "last 7 days: not known: " in asked.err
        assert why in asked.err
    taken = run("silence", "edit", known(alertmanager, "RadWeek")[0]["id"], "-c", "y", "--yes", at)
    assert "last 7 days: not known: this context has no Prometheus" in taken.err
    fire(alertmanager, {"alertname": "RadWeekAck", "severity": "info"})
    acked = run("ack", "RadWeekAck", "--reason=x", at, f"--prometheus={prometheus.url}")
    assert (acked.code, "last 7 days: not known: Prometheus has " in acked.err) == (0, True), acked


def test_unknown_is_typed(
    alertmanager: Alertmanager,
    typing: object,  # noqa: F811
) -> None:
    fire(alertmanager, {"alertname": "RadType", "severity": "info"})
    assert callable(typing)
    words = [*ADD, "RadType", f"--alertmanager=http://127.0.0.1:{free_port()}"]
    terminal: PtyTerminal
    with typing(*words) as terminal:
        terminal.wait_for_text("It is not known what this hides", "Type unknown")
        terminal.send("1\n")
        terminal.wait_for_text("Nothing was done")
        assert terminal.wait_for_exit() == 1
    with typing(*words) as terminal:
        terminal.wait_for_text("Type unknown")
        terminal.send("unknown\n")
        assert terminal.wait_for_exit() == 0
    assert len(known(alertmanager, "RadType")) == 1


def test_an_import_is_asked_about_as_what_is_typed(run: Run, alertmanager: Alertmanager) -> None:  # noqa: F811
    fire(alertmanager, *({"alertname": "RadImport", "severity": s} for s in ("critical", "warning", "info")))

    def silences(*severities: str, end: str = "") -> str:
        ends = end or f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
        rest = {"startsAt": "2026-01-01T00:00:00Z", "endsAt": ends, "createdBy": "ann", "comment": "moved"}
        name = {"name": "alertname", "value": "RadImport", "isRegex": False}
        severity = {"name": "severity", "isRegex": False}
        return json.dumps([{**rest, "matchers": [name, {**severity, "value": s}]} for s in severities])

    both = silences("critical", "info")
    for words, code, why in (
        ([], 2, "1 critical: RadImport. Use --yes together with --hides"),
        (["--yes"], 2, "Use --yes together with --hides"),
        (["--yes", "--hides=1"], 1, "--hides says 1, and it is 2 now"),
    ):
        refused = run("silence", "import", *words, stdin=both)
        assert (refused.code, why in refused.err, refused.out) == (code, True, ""), refused
        assert "  hides now: 1 alert: 1 critical\n    critical: RadImport\n" in refused.err
        assert "  last 7 days: not known: this context has no Prometheus" in refused.err
    long = run("silence", "import", stdin=silences("warning", end="2099-01-01T00:00:00Z"))
    assert (long.code, "longer than 24h" in long.err) == (2, True), long
    assert known(alertmanager, "RadImport") == []
    assert len(run("silence", "import", "--yes", "--hides=2", stdin=both).ids) == 2
    harmless = run("silence", "import", stdin=silences("warning"))
    assert (harmless.code, len(harmless.ids), "imported 1 of 1" in harmless.err) == (0, 1, True), harmless
