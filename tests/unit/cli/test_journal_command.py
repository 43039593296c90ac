"""`opsconsole journal`: what it lists and shows, and that it touches nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from opsconsole.model.journal import Phase, Result
from opsconsole.text import safe
from tests.support.hostile import PAYLOADS, acting, marked
from tests.support.journals import Writer, files, tampered
from tests.unit.cli.conftest import Ended, Run, complained

DETAIL = {"cluster": "main", "matchers": [{"name": "job", "value": "api"}]}


def lines(ended: Ended) -> list[list[str]]:
    return [line.split() for line in ended.out.splitlines()]


async def test_the_list_is_newest_first_while_a_console_has_it_open(
    run: Run, told: Writer, journal_db: Path
) -> None:
    before = files(journal_db)
    ended = await run("journal", "list")
    assert (ended.code, ended.err) == (0, "")
    head, *rows = lines(ended)
    assert head == ["time", "(UTC)", "user", "action", "target", "state", "id"]
    assert [row[2:] for row in rows] == [
        ["ana", "expire", "HighErrorRate", "open", "ff"],
        ["ana", "note", "done", "ee"],
        ["ana", "ack", "HighErrorRate", "unknown", "dd"],
        ["ana", "ack", "HighErrorRate", "refused", "cc"],
        ["ana", "silence", 'job="api"', "failed", "bb"],
        ["ana", "ack", "HighErrorRate", "done", "aa"],
    ]
    assert files(journal_db) == before


async def test_the_time_is_when_it_began_in_utc(run: Run, writer: Writer) -> None:
    writer.clock.advance(1_700_000_000.25 - writer.clock.now())
    writer.act("aa", Result.DONE)
    assert lines(await run("journal", "list"))[1][:2] == ["2023-11-14", "22:13:20"]
    (one,) = json.loads((await run("journal", "list", "--json")).out)
    assert (one["begun"], one["ended"]) == ("2023-11-14T22:13:20.250Z", "2023-11-14T22:13:21.250Z")


async def test_what_was_not_known_can_be_settled_later(run: Run, writer: Writer) -> None:
    writer.act("aa", Result.AMBIGUOUS)
    writer.put("bb", Phase.NOTE, Result.DONE, action="note")
    writer.put("aa", Phase.OUTCOME, Result.DONE)
    found = json.loads((await run("journal", "list", "--json")).out)
    assert [(one["id"], one["state"]) for one in found] == [("bb", "done"), ("aa", "done")]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--limit", "2"], ["ff", "ee"]),
        (["--limit", "0"], ["ff", "ee", "dd", "cc", "bb", "aa"]),
        (["--action", "ack"], ["dd", "cc", "aa"]),
        (["--action", "ack", "--limit=1"], ["dd"]),
        (["--since", "1h59m54s500ms"], ["ff", "ee", "dd"]),
        (["--since", "1h"], []),
    ],
)
async def test_options_of_the_list(
    run: Run, told: Writer, monkeypatch: pytest.MonkeyPatch, options: list[str], ids: list[str]
) -> None:
    began = told.clock.now() - 10  # ten entries, a second each
    monkeypatch.setattr("opsconsole.clock.SystemClock.now", lambda self: began + 7200)
    ended = await run("journal", "list", "--json", *options)
    assert ended.code == 0
    assert [one["id"] for one in json.loads(ended.out)] == ids
    cut = any(option in ("2", "--limit=1") for option in options)
    assert ("older ones are not listed" in ended.err) is cut


async def test_a_misspelt_action_is_told(run: Run, told: Writer) -> None:
    ended = await run("journal", "list", "--action", "akc")
    assert ended.code == 0
    assert "there are: ack, expire, note, silence" in ended.err


async def test_a_duration_that_is_none_is_a_usage_error(run: Run, told: Writer) -> None:
    ended = await run("journal", "list", "--since", "yesterday")
    assert ended.code == 2
    assert "write it as 30s" in ended.err


async def test_show_has_every_entry_and_repeats_no_evidence(run: Run, writer: Writer) -> None:
    writer.put("aa", Phase.INTENT, Result.OPEN, detail=DETAIL)
    writer.put("bb", Phase.NOTE, Result.DONE, action="note")
    more = {**DETAIL, "undo": {"kind": "expire"}}
    writer.put("aa", Phase.OUTCOME, Result.AMBIGUOUS, message="no answer\nin time", detail=more)
    ended = await run("journal", "show", "aa")
    assert (ended.code, ended.err) == (0, "")
    out = ended.out
    assert out.startswith("aa ack HighErrorRate: unknown\n\nintent at ")
    assert "outcome, unknown at " in out
    assert "UTC by ana in prod (entry 3)\n  no answer\n  in time\n    undo:\n      kind: expire\n" in out
    assert out.count("    cluster: main\n") == 1
    assert "    matchers:\n      -\n        name: job\n        value: api\n" in out
    assert "note" not in out


async def test_a_long_id_is_listed_as_a_number_that_show_takes(run: Run, writer: Writer) -> None:
    long = "20260115T031217Z-ruleiq-error_rate/new_engine/1/rolled-back"
    writer.act("aa", Result.DONE)
    writer.put(long, Phase.NOTE, Result.DONE, action="guard")
    assert [line[-1] for line in lines(await run("journal", "list"))[1:]] == ["3", "aa"]
    for named in ("3", long):
        assert (await run("journal", "show", named)).out.startswith(f"{long} guard ")
    assert (await run("journal", "show", "2")).out.startswith("aa ack ")
    assert json.loads((await run("journal", "list", "--json")).out)[0]["id"] == long
    for absent in ("4", "0", "9" * 30, "-1"):
        assert (await run("journal", "show", "--", absent)).code == 1


async def test_show_as_json_has_all_of_it(run: Run, writer: Writer) -> None:
    writer.act("aa", Result.DONE, detail=DETAIL)
    whole = json.loads((await run("journal", "show", "aa", "--json")).out)
    assert (whole["id"], whole["state"], whole["target"]) == ("aa", "done", "HighErrorRate")
    assert [(e["entry"], e["phase"], e["result"]) for e in whole["entries"]] == [
        (1, "intent", "open"),
        (2, "outcome", "done"),
    ]
    assert [e["detail"] for e in whole["entries"]] == [DETAIL, DETAIL]


async def test_an_action_that_is_not_there(run: Run, told: Writer) -> None:
    complained(await run("journal", "show", "zz"), "no action zz", "journal list")
    complained(await run("journal", "show", "", "--json"), "no action (empty)")


async def test_without_a_journal_nothing_is_made(run: Run, journal_db: Path) -> None:
    ended = await run("journal", "list")
    assert ended.code == 0
    assert lines(ended) == [["time", "(UTC)", "user", "action", "target", "state", "id"]]
    assert f"{journal_db}: there is no journal" in ended.err
    ended = await run("journal", "list", "--json")
    assert (ended.code, ended.out) == (0, "[]\n")
    assert "there is no journal" in ended.err
    complained(await run("journal", "show", "aa"), "there is no journal")
    complained(await run("journal", "verify"), "there is no journal")
    assert not journal_db.parent.exists()


async def test_another_journal_can_be_named(run: Run, told: Writer, journal_db: Path, tmp_path: Path) -> None:
    told.journal.close()
    copy = tmp_path / "evidence of #4?.db"
    shutil.move(journal_db, copy)
    link = tmp_path / "link"
    link.symlink_to(copy)
    for named in (copy, link):
        option = f"--file={named}"
        assert len(lines(await run("journal", "list", option))) == 7
        assert (await run("journal", "show", "aa", option)).code == 0
        assert (await run("journal", "verify", option)).code == 0
    assert sorted(found.name for found in tmp_path.iterdir() if found.is_file()) == [copy.name, "link"]
    for argv in (["list"], ["show", "aa"], ["verify"]):
        complained(await run("journal", *argv, f"--file={tmp_path / 'gone.db'}"), "gone.db: there is no journal")


async def test_what_a_killed_console_left_in_its_log_is_read(
    run: Run, told: Writer, journal_db: Path, tmp_path: Path
) -> None:
    left = tmp_path / "left"
    shutil.copytree(journal_db.parent, left)
    (left / "journal.db-shm").unlink()
    before = files(left / "journal.db")
    assert before["journal.db-wal"]
    ended = await run("journal", "list", f"--file={left / 'journal.db'}")
    assert len(lines(ended)) == 7
    assert files(left / "journal.db") == before


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
async def test_hostile_text_is_shown_and_does_nothing(
    run: Run, writer: Writer, journal_db: Path, monkeypatch: pytest.MonkeyPatch, payload: str
) -> None:
    monkeypatch.setenv("COLUMNS", "3000")
    text = marked(payload)
    writer.act(
        "aa", Result.DONE, subject=text, user=text, context=text, message=text, detail={text: [text, "\ud800"]}
    )
    writer.journal.close()
    raw = text.replace("\x00", "").replace("'", "''")
    tampered(journal_db, f"UPDATE entries SET action = '{raw}', subject = '{raw}', op = '{raw}'")
    op = text.replace("\x00", "")
    other = text + "x"
    for argv in (
        ["list"],
        ["list", "--json"],
        ["list", "--action", other],
        ["list", f"--file={journal_db.parent / op[:40]}"],
        ["show", op],
        ["show", op, "--json"],
        ["show", other],
        ["verify"],
    ):
        ended = await run("journal", *argv)
        assert acting((ended.out + ended.err).replace("\n", "")) == []
        assert "internal error" not in ended.err
    whole = json.loads((await run("journal", "show", op, "--json")).out)
    assert whole["entries"][0]["detail"] == {text: [text, "\ud800"]}
    assert "".join(safe(op).split()) in "".join((await run("journal", "list")).out.split()) or len(payload) > 70


async def test_help_tells_the_exit_codes(run: Run) -> None:
    assert "Exit code 0 when all are as they were written" in " ".join(
        (await run("journal", "verify", "--help")).out.split()
    )
