"""`opsconsole check`: which checks, where the report goes, again and again, and compared with an earlier run."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from pathlib import Path

import jsonschema
import pytest

from opsconsole.checks.catalog import CATALOG
from opsconsole.checks.select import Selection
from opsconsole.cli.check_options import Wanted
from opsconsole.cli.check_rounds import Rounds
from opsconsole.cli.wiring import open_reading
from opsconsole.config.discover import Options
from tests.support.backends import ERRORS, LATENCY, Backends, until
from tests.support.scripted import Received, Say, hang, text_reply
from tests.unit.cli.conftest import ROOT, Ended, Run

SECRET = "s3cret-t0ken-of-the-test"


def levels(ended: Ended) -> dict[str, str]:
    return {check["id"]: check["verdict"] for check in json.loads(ended.out)["checks"]}


def asked(backends: Backends) -> set[str]:
    return {r.path for server in (backends.prometheus, backends.alertmanager) for r in server.requests}


# Which checks


@pytest.mark.parametrize(
    ("only", "needed", "not_needed"),
    [
        ("targets", "/api/v1/targets", {"/api/v1/rules", "/api/v2/alerts", "/api/v2/silences"}),
        ("rules.health", "/api/v1/rules", {"/api/v1/targets", "/api/v2/alerts", "/api/v2/silences"}),
        ("alerts.active", "/api/v2/alerts", {"/api/v1/targets", "/api/v1/rules", "/-/ready"}),
    ],
)
async def test_only_what_is_needed_is_asked(
    run: Run, backends: Backends, to_backends: tuple[str, ...], only: str, needed: str, not_needed: set[str]
) -> None:
    ended = await run("check", "--json", "--only", only, *to_backends)
    assert ended.code == 0, ended.out
    assert needed in asked(backends)
    assert not asked(backends) & not_needed
    assert all(id == only or id.startswith(f"{only}.") for id in levels(ended))


async def test_a_panel_that_is_not_wanted_is_not_asked_for(
    run: Run, backends: Backends, to_backends: tuple[str, ...]
) -> None:
    ended = await run("check", "--json", "--only", "thresholds.books.latency", *to_backends)
    assert levels(ended) == {"thresholds.books.latency": "OK"}
    assert asked(backends) == {"/api/v1/query"}
    assert len(backends.prometheus.requests) == 1


async def test_what_is_skipped_is_not_there_and_is_said(run: Run, to_backends: tuple[str, ...]) -> None:
    ended = await run("check", "--skip", "thresholds,alerts", "--skip=*.health", *to_backends)
    assert ended.code == 0
    assert "thresholds.books" not in ended.out
    assert "rules.health" not in ended.out
    assert "note: not everything was checked: --skip thresholds --skip alerts --skip *.health" in ended.out


async def test_a_selected_check_whose_source_is_down_is_unknown_not_gone(
    run: Run, backends: Backends, to_backends: tuple[str, ...]
) -> None:
    await backends.prometheus.stop()
    ended = await run("check", "--json", "--only", "targets.up.accubooks", *to_backends)
    assert ended.code == 3
    assert levels(ended) == {"targets.up.accubooks": "UNKNOWN"}


@pytest.mark.parametrize(
    ("glob", "near"),
    [("thresholds.books.latncy", "thresholds.books.latency"), ("target", "targets"), ("*nonsense*", "targets")],
)
async def test_a_glob_that_matches_nothing_is_an_error_that_names_the_nearest(
    run: Run, to_backends: tuple[str, ...], glob: str, near: str
) -> None:
    ended = await run("check", "--only", glob, *to_backends)
    assert (ended.code, ended.out) == (3, "")
    assert glob in ended.err
    assert near in ended.err


async def test_the_list_explains_every_check_and_asks_nothing(run: Run, backends: Backends) -> None:
    told = await run("check", "--list")
    assert told.code == 0
    for check in CATALOG:
        assert f"\n{check.id} " in f"\n{told.out}"
    as_json = json.loads((await run("check", "--list", "--format", "json", "--only", "sources")).out)
    assert {c["group"] for c in as_json} == {"sources"}
    assert all(c["explains"] and c["title"] for c in as_json)
    assert backends.prometheus.requests == []


async def test_the_schema_is_that_of_the_report(run: Run, to_backends: tuple[str, ...]) -> None:
    schema = json.loads((await run("check", "--schema")).out)
    jsonschema.validate(json.loads((await run("check", "--json", *to_backends)).out), schema)


@pytest.mark.parametrize(
    "argv",
    [
        ["--json", "--format=text"],
        ["--format=yaml"],
        ["--watch=0"],
        ["--watch=often"],
        ["--watch=1", "--format=junit"],
        ["--until=critical"],
        ["--until=fine"],
        ["--timeout=-1"],
        ["--timeout=nan"],
        ["--timeout=inf"],
        ["--only="],
        ["--unknown-as=fine"],
        ["--baseline=/nowhere/at/all.json"],
        ["--output=/nowhere/at/all"],
        ["--output=/"],
        ["--list", "--format=junit"],
    ],
)
async def test_what_does_not_fit_together_is_told_before_anything_is_asked(
    run: Run, backends: Backends, to_backends: tuple[str, ...], argv: list[str]
) -> None:
    ended = await run("check", *argv, *to_backends)
    assert (ended.code, ended.out) == (3, ""), ended.err
    assert ended.err
    assert "internal error" not in ended.err
    assert asked(backends) == set()


# What UNKNOWN counts as


@pytest.mark.parametrize(("level", "code"), [("ok", 0), ("warning", 1), ("critical", 2), ("unknown", 3)])
async def test_unknown_counts_as_told_and_that_is_said(
    run: Run, backends: Backends, to_backends: tuple[str, ...], level: str, code: int
) -> None:
    del backends.values[ERRORS]
    ended = await run("check", "--only=thresholds", "--unknown-as", level, *to_backends)
    assert ended.code == code
    assert f"note: UNKNOWN counts as {level.upper()} here (--unknown-as): 1 check" in ended.out
    assert "UNKNOWN   thresholds.books.errors" in ended.out, "it is still shown as what it is"


# Where the report goes


async def test_a_report_goes_to_a_file_as_a_whole(run: Run, to_backends: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "out" / "opsconsole.prom"
    file.parent.mkdir()
    file.write_text("old")
    file.chmod(0o640)
    ended = await run("check", "--format=prometheus", f"--output={file}", *to_backends)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert file.read_text().startswith("# HELP opsconsole_check_overall")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(file.parent.iterdir()) == [file], "nothing is left beside it"


async def test_a_new_file_can_be_read_by_others_and_a_link_stays(
    run: Run, to_backends: tuple[str, ...], tmp_path: Path
) -> None:
    real, link = tmp_path / "real.prom", tmp_path / "link.prom"
    link.symlink_to(real)
    before = os.umask(0o022)
    try:
        await run("check", "--format=prometheus", f"--output={link}", *to_backends)
    finally:
        os.umask(before)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o644


async def test_a_report_that_cannot_be_written_leaves_the_old_one(
    run: Run, to_backends: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "report.json"
    file.write_text("old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    ended = await run("check", "--json", f"--output={file}", *to_backends)
    assert ended.code == 3
    assert "No space left on device" in ended.err
    assert file.read_text() == "old"
    assert list(tmp_path.glob(".report*")) == []


async def test_quiet_is_only_an_exit_code(run: Run, backends: Backends, to_backends: tuple[str, ...]) -> None:
    backends.values[LATENCY] = "812"
    for more in ([], ["--until=ok", "--timeout=1"]):
        ended = await run("check", "--quiet", *more, *to_backends)
        assert (ended.code, ended.out, ended.err) == (1, "", "")


async def test_the_markdown_report_names_who_and_what(run: Run, to_backends: tuple[str, ...]) -> None:
    named = ("--operator=Ada Lovelace", "--system-version=4.2")
    ended = await run("check", "--format=markdown", *named, *to_backends)
    for part in ("| Operator | Ada Lovelace |", "| System version | 4.2 |", "Books", "**SUCCESS**"):
        assert part in ended.out
    assert "| Operator | not named |" not in (await run("check", "--format=markdown", *to_backends)).out


@pytest.mark.parametrize(
    "how", ["authorization: {credentials_file: %s}", "basic_auth: {username: ada, password_file: %s}"]
)
async def test_what_a_server_echoes_of_a_secret_is_not_printed(
    run: Run, backends: Backends, tmp_path: Path, how: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    seen: list[str] = []

    def echo(received: Received) -> Say:
        sent = received.headers.get("authorization", "")
        seen.append(sent)
        return text_reply(f"bad credentials: {sent}, {SECRET}", status=500)

    backends.prometheus.forget()
    backends.prometheus.on("*", echo)
    file = tmp_path / "config.yaml"
    file.write_text(
        "current_context: a\ncontexts:\n  a:\n    prometheus: "
        f"{{url: {backends.prometheus.url}, {how % secret}}}\n"
    )
    for format in ("text", "json", "junit", "nagios", "markdown"):
        ended = await run("check", f"--format={format}", f"--config={file}")
        assert ended.code == 3
        assert SECRET not in ended.out + ended.err, format
        assert not any(sent.split()[-1] in ended.out + ended.err for sent in seen), format
    assert seen


@pytest.mark.parametrize(
    ("tty", "env", "colours"),
    [
        (True, {"TERM": "xterm"}, True),
        (False, {"TERM": "xterm"}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
    ],
)
async def test_colour_is_for_terminals_that_want_it(
    run: Run,
    to_backends: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    tty: bool,
    env: dict[str, str],
    colours: bool,
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: tty)
    ended = await run("check", *to_backends)
    assert ended.code == 0
    assert ("\x1b[32m" in ended.out) is colours


# Again and again


async def test_until_waits_and_tells_how_it_goes(
    run: Run, backends: Backends, to_backends: tuple[str, ...]
) -> None:
    backends.values[LATENCY] = "812"
    waiting = asyncio.ensure_future(
        run("check", "--until=ok", "--watch=0.1", "--timeout=30", "--json", *to_backends)
    )
    try:
        await until(lambda: [r.path for r in backends.prometheus.requests].count("/api/v1/targets") >= 3)
        backends.values[LATENCY] = "12"
        ended = await asyncio.wait_for(waiting, 30)
    finally:
        waiting.cancel()
    assert ended.code == 0
    reports = [json.loads(line) for line in ended.out.splitlines()]
    assert [r["verdict"] for r in reports][-2:] == ["WARNING", "OK"]
    told = ended.err.splitlines()
    assert "waiting for OK" in told[0]
    assert "thresholds.books.latency" in told[0]
    assert told[-1].endswith(": done")


async def test_until_without_watch_reports_once(run: Run, to_backends: tuple[str, ...]) -> None:
    ended = await run("check", "--until=warning", "--json", *to_backends)
    assert ended.code == 0
    assert json.loads(ended.out)["verdict"] == "OK"


async def test_until_gives_up_with_the_last_verdict(
    run: Run, backends: Backends, to_backends: tuple[str, ...]
) -> None:
    backends.values[ERRORS] = "50"
    ended = await run("check", "--until=ok", "--timeout=1300ms", "--watch=0.1", "--format=nagios", *to_backends)
    assert ended.code == 2
    assert ended.out.startswith("OPSCONSOLE CRITICAL")
    assert "not OK within 1.3 s" in ended.err.splitlines()[-1]


class Enough(Exception):
    """A test has seen the rounds that it wanted."""


async def test_what_an_earlier_round_was_told_is_no_answer_of_a_later_one(
    backends: Backends, books: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The targets answer the first round and hang in the second: they are UNKNOWN then, not as they were."""
    rounds = 0

    async def between(seconds: float) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 2:
            raise Enough
        backends.prometheus.on("/api/v1/targets", hang())

    wanted = Wanted(selection=Selection(only=("targets",)), format="json", every=1.0, timeout=0.4)
    opened = open_reading(Options(prometheus=backends.prometheus.url, playbook=(str(books),)))
    try:
        with pytest.raises(Enough):
            await Rounds(opened, wanted, sleep=between).run()
    finally:
        await opened.engine.aclose()
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["verdict"], second["verdict"]) == ("OK", "UNKNOWN")
    assert "0.4 s" in second["checks"][0]["reason"]


# Compared with an earlier run


async def test_only_what_got_worse_counts(
    run: Run, backends: Backends, to_backends: tuple[str, ...], tmp_path: Path
) -> None:
    backends.values[LATENCY] = "812"
    file = tmp_path / "before.json"
    assert (await run("check", "--json", f"--output={file}", *to_backends)).code == 1
    same = await run("check", f"--baseline={file}", *to_backends)
    assert same.code == 0, "it was as bad before"
    assert "WARNING   thresholds.books.latency" in same.out
    assert "was WARNING before" in same.out
    backends.values[ERRORS] = "50"
    worse = await run("check", "--json", f"--baseline={file}", *to_backends)
    assert worse.code == 2
    found = {c["id"]: (c["change"], c["before"], c["counts_as"]) for c in json.loads(worse.out)["checks"]}
    assert found["thresholds.books.errors"] == ("worse", "OK", "CRITICAL")
    assert found["thresholds.books.latency"] == ("same", "WARNING", "OK")


async def test_what_is_new_and_what_vanished_is_named(
    run: Run, backends: Backends, to_backends: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "before.json"
    await run("check", "--json", f"--output={file}", *to_backends)
    old = json.loads(file.read_text())
    old["checks"] = [c for c in old["checks"] if c["id"] != "rules.health"]
    old["checks"].append({**old["checks"][0], "id": "targets.gone", "group": "targets", "verdict": "OK"})
    file.write_text(json.dumps(old))
    ended = await run("check", f"--baseline={file}", *to_backends)
    assert ended.code == 3
    assert "UNKNOWN   targets.gone" in ended.out
    assert "new: rules.health" in ended.out
    assert "vanished: targets.gone" in ended.out
    limited = await run("check", f"--baseline={file}", "--only=sources", *to_backends)
    assert limited.code == 0, "what was not to be checked has not vanished"


@pytest.mark.parametrize("body", ["", "{}", "[1]", "not json", '{"version": 2, "checks": []}', "\xff"])
async def test_a_baseline_that_is_none(run: Run, to_backends: tuple[str, ...], tmp_path: Path, body: str) -> None:
    file = tmp_path / "before.json"
    file.write_text(body, encoding="latin-1")
    ended = await run("check", f"--baseline={file}", *to_backends)
    assert (ended.code, ended.out) == (3, "")
    assert "opsconsole check --json" in ended.err


async def test_the_last_line_of_a_watch_is_a_baseline(
    run: Run, to_backends: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "watched.jsonl"
    file.write_text('{"version": 1, "checks": [{"id": "x.y", "verdict": "OK"}]}\n' * 2)
    ended = await run("check", f"--baseline={file}", *to_backends)
    assert "vanished: x.y" in ended.out


# How it ends


@pytest.mark.live
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_signal_ends_it_without_a_word(
    backends: Backends, to_backends: tuple[str, ...], tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    file = tmp_path / "report.json"
    argv = ("check", "--json", "--watch=0.1", f"--output={file}", *to_backends)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "opsconsole", *argv),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        await until(file.exists)
        child.send_signal(sent)
        out, err = await asyncio.wait_for(child.communicate(), 30)
    finally:
        if child.returncode is None:
            child.kill()
    assert (child.returncode, out, err) == (code, b"", b"")
    json.loads(file.read_text())
    assert list(tmp_path.glob(".report*")) == []


@pytest.mark.live
async def test_watching_ends_when_nobody_reads_any_more(backends: Backends, to_backends: tuple[str, ...]) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "opsconsole", "check", "--watch=0.1", *to_backends),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert child.stdout is not None
    await asyncio.wait_for(child.stdout.readline(), 30)
    child.stdout._transport.close()  # type: ignore[attr-defined]  # as `| head -1` does
    assert await asyncio.wait_for(child.wait(), 30) == 0


LAZY = {
    "text": {"xml", "opsconsole.render.reports.json", "opsconsole.render.reports.junit"},
    "json": {"opsconsole.render.reports.text", "opsconsole.render.reports.markdown"},
    "nagios": {"opsconsole.render.reports.text", "opsconsole.render.reports.junit"},
}


@pytest.mark.live
@pytest.mark.parametrize("format", LAZY)
async def test_a_format_loads_only_itself(process: Run, to_backends: tuple[str, ...], format: str) -> None:
    python = (
        "import sys\nfrom opsconsole.cli.main import main\ncode = main(sys.argv[1:])\n"
        f"print(sorted(set(sys.modules) & {LAZY[format]!r}), file=sys.stderr)\nsys.exit(code)"
    )
    ended = await process("check", f"--format={format}", *to_backends, python=python)
    assert (ended.code, ended.err) == (0, "[]\n")
