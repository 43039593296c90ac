"""`opsconsole check`: exit codes, reports, faults, and what it does not do."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from pathlib import Path

import pytest

from tests.support.backends import ERRORS, FAULTS, LATENCY, Backends, api_alert
from tests.support.scripted import Received, Say, drip, hang, json_reply, text_reply
from tests.unit.cli.conftest import ROOT, Ended, Run

SECRET = "s3cret-t0ken-of-the-test"

REACHABLE = "sources.prometheus.reachable"


def report(ended: Ended) -> dict[str, dict[str, object]]:
    """The checks of a JSON report by id."""
    return {check["id"]: check for check in json.loads(ended.out)["checks"]}


async def test_all_well_is_0(run: Run, to_backends: tuple[str, ...]) -> None:
    ended = await run("check", *to_backends)
    assert ended.code == 0
    assert ended.err == ""
    last = ended.out.splitlines()[-1]
    assert last.startswith("OK")
    assert re.search(r"(\d+) checks: \1 OK$", last)


async def test_each_check_has_a_line_when_it_is_wanted(run: Run, to_backends: tuple[str, ...]) -> None:
    folded, told = await run("check", *to_backends), await run("check", "--verbose", *to_backends)
    assert folded.code == told.code == 0
    assert "sources.prometheus.ready" not in folded.out
    assert re.search(r"^OK +sources +\d+ checks$", folded.out, re.M), folded.out
    named = {line.split()[1] for line in told.out.splitlines() if re.match(r"OK +[a-z]+\.", line)}
    assert named == set(report(await run("check", "--json", *to_backends)))


async def test_a_crossed_warning_threshold_is_1(
    run: Run, backends: Backends, to_backends: tuple[str, ...]
) -> None:
    backends.values[LATENCY] = "812"
    ended = await run("check", *to_backends)
    assert ended.code == 1
    first = ended.out.splitlines()[0]
    assert first.split()[:2] == ["WARNING", "thresholds.books.latency"], "the worst comes first"
    assert "812 ms" in first


async def test_a_critical_alert_is_2_even_beside_unknowns(
    run: Run, backends: Backends, to_backends: tuple[str, ...]
) -> None:
    backends.alerts = [api_alert(at=backends.clock.now(), route="/api/forecast")]
    await backends.prometheus.stop()
    ended = await run("check", *to_backends)
    assert ended.code == 2
    assert "HighErrorRate" in ended.out
    assert "connection refused" in ended.out


@pytest.mark.parametrize("ill", ["prometheus", "alertmanager"])
@pytest.mark.parametrize("fault", [f for f in FAULTS if "drips" not in f and f != "no reply"])
async def test_a_source_that_fails_is_3(
    run: Run, backends: Backends, to_backends: tuple[str, ...], ill: str, fault: str
) -> None:
    await FAULTS[fault].strike(getattr(backends, ill))
    ended = await run("check", "--json", *to_backends)
    assert ended.code == 3
    assert ended.err == ""
    found = report(ended)
    unknown = {id for id, check in found.items() if check["verdict"] == "UNKNOWN"}
    if ill == "prometheus":
        well = {id for id in found if id not in unknown}
        assert not {id for id in well if id.startswith(("targets", "metrics", "rules", "thresholds"))}
        assert {id for id in well if id.startswith("sources.prometheus")} <= {REACHABLE}
        assert (REACHABLE in unknown) is (fault != "503 while replaying")
    else:
        assert unknown == {
            "sources.alertmanager.ready.main",
            "alertmanager.settled.main",
            "alertmanager.agreement.main",
            "alertmanager.notifications.main",
            "alertmanager.reload.main",
            "alertmanager.config.main",
            "alerts.active.main",
            "alerts.response.main",
            "alerts.acks.extended.main",
            "alerts.acks.stale.main",
        }
    assert all(FAULTS[fault].kind in str(found[id]["reason"]) for id in unknown)


@pytest.mark.parametrize("reply", [drip(), hang()])
async def test_what_has_not_answered_in_time_is_unknown_and_the_rest_is_told(
    run: Run, backends: Backends, to_backends: tuple[str, ...], reply: Say
) -> None:
    backends.prometheus.forget()
    backends.prometheus.on("*", reply)
    backends.alerts = [api_alert("Slow", at=backends.clock.now())]
    began = time.monotonic()
    ended = await run("check", "--json", "--timeout=0.5", *to_backends)
    assert time.monotonic() - began < 5
    found = report(ended)
    assert ended.code == 2
    assert found["alerts.active"]["verdict"] == "CRITICAL"
    assert found["sources.prometheus.ready"]["verdict"] == "UNKNOWN"
    assert found["thresholds.books.errors"]["verdict"] == "UNKNOWN"
    assert "0.5 s" in str(found["rules.read"]["reason"])


async def test_nothing_that_hangs_is_ok(run: Run, backends: Backends, to_backends: tuple[str, ...]) -> None:
    backends.alertmanager.on("/api/v2/silences", hang())
    ended = await run("check", "--timeout=0.3", *to_backends)
    assert ended.code == 3
    assert "alerts.active.main" in ended.out


@pytest.mark.parametrize("value", ["NaN", None])
async def test_a_panel_without_a_value_is_3(
    run: Run, backends: Backends, to_backends: tuple[str, ...], value: str | None
) -> None:
    if value is None:
        del backends.values[ERRORS]
    else:
        backends.values[ERRORS] = value
    assert (await run("check", *to_backends)).code == 3


async def test_a_partial_answer_is_3(run: Run, backends: Backends, to_backends: tuple[str, ...]) -> None:
    backends.warnings = {ERRORS: ["a store did not answer"]}
    ended = await run("check", *to_backends)
    assert ended.code == 3
    assert "partial: a store did not answer" in ended.out


async def test_the_json_report(run: Run, to_backends: tuple[str, ...]) -> None:
    ended = await run("check", "--json", *to_backends)
    whole = json.loads(ended.out)
    assert (whole["version"], whole["verdict"]) == (1, "OK")
    for check in whole["checks"]:
        assert {"id", "group", "title", "verdict", "reason", "evidence", "hint", "duration"} <= set(check)
        assert check["verdict"] in {"OK", "WARNING", "CRITICAL", "UNKNOWN"}
        assert check["group"] == check["id"].split(".")[0]


@pytest.mark.parametrize(
    "argv",
    [
        ["check", "--nonsense"],
        ["check", "surplus"],
        ["check", "--verbose", "--json"],
        ["check", "--timeout=soon"],
        ["check", "--timeout=0"],
        ["check", "--timeout"],
        ["check", "--prometheus", "not a url"],
        ["check", "--prometheus", "ftp://example"],
        ["check", "--prometheus", f"http://user:{SECRET}@127.0.0.1:1"],
        ["check", "--context", "prod"],
        ["check", "--config", "/nowhere/at/all.yaml"],
        ["check", "--prometheus", "http://127.0.0.1:1", "--playbook", "no-such-playbook"],
        ["check"],
        ["--context", "prod", "check"],
        ["--config", "/nowhere", "--read-only", "check", "--json"],
    ],
)
async def test_usage_and_configuration_errors_are_3(run: Run, argv: list[str]) -> None:
    ended = await run(*argv)
    assert ended.code == 3
    assert ended.out == ""
    assert ended.err
    assert "Traceback" not in ended.err
    assert SECRET not in ended.err


@pytest.mark.parametrize("argv", [["alerts", "check"], ["alerts", "--nonsense"], ["config", "validate", "check"]])
async def test_other_commands_keep_their_own_codes(run: Run, argv: list[str]) -> None:
    assert (await run(*argv)).code == 2


async def test_all_problems_of_a_configuration_at_once(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("current_context: a\ncontexts:\n  a:\n    promethues: {url: http://x}\n    alertmanager: 5\n")
    ended = await run("check", f"--config={file}")
    assert ended.code == 3
    assert f"{file}:4" in ended.err
    assert f"{file}:5" in ended.err
    assert "prometheus" in ended.err


async def test_options_before_the_command_count(run: Run, to_backends: tuple[str, ...]) -> None:
    assert (await run(*to_backends, "check")).code == 0


async def test_help_is_no_verdict(run: Run) -> None:
    ended = await run("check", "--help")
    assert ended.code == 0
    assert "0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN" in ended.out


async def test_help_says_what_an_argument_is(run: Run) -> None:
    assert 'severity="critical"' in (await run("alerts", "--help")).out


async def test_a_crash_is_unknown_and_prints_no_values(
    run: Run, to_backends: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(snapshot: object, checks: object) -> None:
        token = SECRET  # a traceback with locals would print it
        raise RuntimeError(f"\x1b]0;{token}\x07")

    monkeypatch.setattr("opsconsole.cli.check_rounds.run_checks", broken)
    ended = await run("check", *to_backends)
    assert ended.code == 3
    assert SECRET not in ended.err + ended.out
    assert "\x1b" not in ended.err
    assert "RuntimeError" in ended.err


def guarded(folder: Path, backends: Backends, server: str) -> Path:
    """A configuration whose credentials for a server are in a file."""
    secret = folder / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    own = f"authorization: {{credentials_file: {secret}}}"
    prometheus = own if server == "prometheus" else ""
    alertmanager = own if server == "alertmanager" else ""
    file = folder / "config.yaml"
    file.write_text(
        "current_context: a\ncontexts:\n  a:\n"
        f"    prometheus: {{url: {backends.prometheus.url}, {prometheus}}}\n"
        f"    alertmanager: [{{name: main, members: [{{url: {backends.alertmanager.url}, {alertmanager}}}]}}]\n"
    )
    return file


@pytest.mark.parametrize("server", ["prometheus", "alertmanager"])
async def test_credentials_are_sent_and_never_printed(
    run: Run, backends: Backends, tmp_path: Path, server: str
) -> None:
    seen: list[str] = []

    def refuse(received: Received) -> Say:
        seen.append(received.headers.get("authorization", ""))
        return text_reply(f"no, {received.headers.get('authorization', '')[:6]}", status=401)

    which = getattr(backends, server)
    which.forget()
    which.on("*", refuse)
    ended = await run("check", f"--config={guarded(tmp_path, backends, server)}")
    assert ended.code == 3
    assert set(seen) == {f"Bearer {SECRET}"}
    assert SECRET not in ended.out + ended.err


async def test_a_secret_that_others_can_read_is_refused(run: Run, backends: Backends, tmp_path: Path) -> None:
    file = guarded(tmp_path, backends, "prometheus")
    (tmp_path / "secret").chmod(0o644)
    ended = await run("check", f"--config={file}")
    assert ended.code == 3
    assert SECRET not in ended.out + ended.err
    assert backends.prometheus.requests == []


@pytest.mark.live
@pytest.mark.parametrize(
    "argv", [["--help"], ["--version"], ["check", "--help"], ["check"], ["alerts", "--json"], ["flags", "--help"]]
)
async def test_the_screens_are_not_imported(process: Run, to_backends: tuple[str, ...], argv: list[str]) -> None:
    whole = [*argv, *(to_backends if argv[-1] in ("check", "--json") else ())]
    python = (
        "import sys\nfrom opsconsole.cli.main import main\ncode = main(sys.argv[1:])\n"
        "loaded = {n.split('.')[0] for n in sys.modules}\n"
        "heavy = sorted(loaded & {'textual', 'plotext', 'sqlite3', 'pygments', 'anyio'})\n"
        "print('heavy:', heavy, file=sys.stderr)\nsys.exit(code)"
    )
    ended = await process(*whole, python=python)
    assert ended.code == 0, ended.err
    assert ended.err == "heavy: []\n"


@pytest.mark.live
async def test_the_verdict_survives_a_reader_that_left(backends: Backends, to_backends: tuple[str, ...]) -> None:
    """`opsconsole check | true`: quiet, and still CRITICAL."""
    backends.alerts = [api_alert(at=backends.clock.now())]
    reading, writing = os.pipe()
    os.close(reading)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "opsconsole", "check", *to_backends),
        stdout=writing,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    os.close(writing)
    _, err = await asyncio.wait_for(child.communicate(), 30)
    assert err == b""
    assert child.returncode == 2


@pytest.mark.live
async def test_a_terminal_that_lacks_letters_is_no_crash(
    process: Run, backends: Backends, to_backends: tuple[str, ...]
) -> None:
    backends.alerts = [api_alert("Störung日本", at=backends.clock.now())]
    ended = await process("check", *to_backends, env={"PYTHONIOENCODING": "ascii"})
    assert ended.code == 2
    assert "St\\xf6rung\\u65e5" in ended.out


async def test_only_asks_what_it_needs(run: Run, backends: Backends, to_backends: tuple[str, ...]) -> None:
    await run("check", *to_backends)
    asked = [(r.path, r.form.get("query")) for r in backends.prometheus.requests]
    assert asked.count(("/api/v1/query", ERRORS)) == 1, "one instant query a panel"
    assert asked.count(("/api/v1/query", LATENCY)) == 1
    assert "/api/v1/query_range" not in [path for path, _ in asked]
    assert all(r.method == "GET" for r in backends.alertmanager.requests)


async def test_alertmanagers_are_found_through_prometheus(run: Run, backends: Backends, books: Path) -> None:
    found = {"activeAlertmanagers": [{"url": f"{backends.alertmanager.url}/api/v2/alerts"}]}
    backends.prometheus.on("/api/v1/alertmanagers", json_reply({"status": "success", "data": found}))
    options = (f"--prometheus={backends.prometheus.url}", f"--playbook={books}")
    assert (await run("check", *options)).code == 0
    backends.prometheus.on(
        "/api/v1/alertmanagers", json_reply({"status": "success", "data": {"activeAlertmanagers": []}})
    )
    ended = await run("check", *options)
    assert ended.code == 2
    assert "Prometheus sends to no Alertmanager" in ended.out
    assert "--alertmanager" in ended.out
