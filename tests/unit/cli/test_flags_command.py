"""`opsconsole flags`: on a real file and journal; a rollback that is watched, on real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.exporters import gauge
from tests.support.servers import Alertmanager, Prometheus, http, wait_for
from tests.unit.cli.conftest import Run

HALF = {"fractional": [["on", 50], ["off", 50]]}
PRICING = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on", "targeting": HALF}
OFF = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}


class Flags:
    """A flag file, and the option that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text(json.dumps({"flags": {"new_pricing": PRICING, "dark_mode": OFF}}))

    @property
    def option(self) -> str:
        return f"--flags-file={self.path}"

    def of(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_text())["flags"][key]
        return found

    def change(self, key: str, **fields: object) -> None:
        data = json.loads(self.path.read_text())
        data["flags"][key] |= fields
        self.path.write_text(json.dumps(data))


@pytest.fixture
def flags(tmp_path: Path) -> Flags:
    return Flags(tmp_path / "flags.json")


async def rolled_back_once(run: Run, flags: Flags) -> None:
    ended = await run("flags", "rollback", "new_pricing", "--kind=off", "--yes", flags.option)
    assert ended.code == 0, ended.err


async def test_a_look_makes_no_journal(run: Run, flags: Flags, journal_db: Path) -> None:
    before = flags.path.read_text()
    for argv in (["list"], ["show", "new_pricing"], ["changes"], ["plan", "new_pricing"], []):
        ended = await run("flags", *argv, flags.option)
        assert ended.code == 0, ended.err
    assert not journal_db.exists()
    assert flags.path.read_text() == before


async def test_a_plan_is_printed_and_nothing_written(run: Run, flags: Flags) -> None:
    ended = await run("flags", "plan", "new_pricing", flags.option)
    assert '+  "defaultVariant": "off",' in ended.out
    assert '-  "defaultVariant": "on",' in ended.out
    assert ended.err.startswith("off: new_pricing: ")
    assert "(no change of it is known)" in ended.err
    data = json.loads((await run("flags", "plan", "new_pricing", "--json", flags.option)).out)
    assert (data["kind"], data["plan"]["key"]) == ("off", "new_pricing")


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["plan", "dark_mode"], 1, "already serves off"),
        (["plan", "nothing"], 1, "there is no flag nothing"),
        (["show", "nothing"], 1, "there is no flag nothing"),
        (["plan", "new_pricing", "--kind=undo"], 1, "no change of it is known"),
        (["plan", "new_pricing", "--version=7"], 1, "flagd cannot revert"),
        (["plan", "new_pricing", "--kind=revert"], 2, "belong together"),
        (["plan", "new_pricing", "--kind=of"], 2, "there is no kind of"),
        (["restore", "new_pricing", "--yes"], 1, "no rollback"),
        (["rollback", "new_pricing"], 2, "without a terminal"),
        (["rollback", "new_pricing", "--yes", "--read-only"], 1, "read-only"),
        (["rollback", "new_pricing", "--yes", "--name=dark_mode"], 1, "--name says dark_mode"),
        (["changes", "--since=soon"], 2, "soon"),
        (["nothing"], 2, "No such command"),
    ],
)
async def test_what_cannot_be_done_is_said_and_not_done(
    run: Run, flags: Flags, argv: list[str], code: int, words: str
) -> None:
    before = flags.path.read_text()
    ended = await run("flags", *argv, flags.option)
    assert (ended.code, ended.out) == (code, "")
    assert words in ended.err
    assert flags.path.read_text() == before


async def test_a_rollback_is_done_told_and_restored(run: Run, flags: Flags) -> None:
    ended = await run("flags", "rollback", "new_pricing", "--reason=errors rose", "--yes", flags.option)
    assert ended.code == 0
    assert (flags.of("new_pricing")["defaultVariant"], "verified" in ended.err) == ("off", True)
    shown = (await run("flags", "show", "new_pricing", flags.option)).out
    assert "rollback     none: everyone gets the safe variant\n" in shown
    assert "flagd has no place for the reason: it is in the journal only" in ended.err
    journal = json.loads((await run("journal", "show", ended.out.strip(), "--json")).out)
    told = next(entry for entry in journal["entries"] if entry["phase"] == "intent")
    assert (told["detail"]["reason"], told["detail"]["kind"]) == ("errors rose", "off")
    (seen,) = json.loads((await run("flags", "changes", "--json", flags.option)).out)
    assert (seen["ours"], seen["summary"]) == (True, "rolled back: on 50 %, off 50 % -> off (errors rose)")
    restored = await run("flags", "restore", "new_pricing", "--yes", flags.option)
    assert (restored.code, flags.of("new_pricing")) == (0, PRICING)
    lines = (await run("flags", "changes", "new_pricing", flags.option)).out.splitlines()
    assert ["restored:" in line for line in lines] == [False, True, False]


async def test_the_last_change_is_undone_when_some_had_it_before(run: Run, flags: Flags) -> None:
    await rolled_back_once(run, flags)  # makes the journal
    await run("flags", "restore", "new_pricing", "--yes", flags.option)
    flags.change("new_pricing", targeting={"fractional": [["on", 90], ["off", 10]]})
    shown = await run("flags", "show", "new_pricing", flags.option)
    words = "undo the last change: on 90 %, off 10 % -> on 50 %, off 50 %"
    assert f"rollback     {words}: some users had it before" in shown.out
    ended = await run("flags", "rollback", "new_pricing", "--yes", flags.option)
    assert ended.err.startswith(f"new_pricing: {words}")
    assert flags.of("new_pricing") == PRICING
    assert "flagd: off, undo, a part of the users, exact plan; no log of its own: the journal is;" in shown.out
    data = json.loads((await run("flags", "show", "new_pricing", "--json", flags.option)).out)
    assert (data["rollback"]["kind"], data["rollback"]["why"]) == ("off", "the last change was made here")
    assert json.loads(data["flag"]["definition"]) == PRICING


@pytest.fixture
def production(tmp_path: Path, flags: Flags) -> str:
    config = tmp_path / "config.yaml"
    config.write_text(
        f"contexts: {{prod: {{environment: production, flags: {{provider: flagd, path: {flags.path}}}}}}}\n"
        "current_context: prod\n"
    )
    return f"--config={config}"


async def test_production_asks_for_the_name(run: Run, flags: Flags, production: str) -> None:
    ended = await run("flags", "rollback", "new_pricing", "--yes", production)
    assert (ended.code, "use --yes --name new_pricing" in ended.err) == (2, True)
    assert flags.of("new_pricing") == PRICING
    ended = await run("flags", "rollback", "new_pricing", "--yes", "--name=new_pricing", production)
    assert ended.code == 0, ended.err
    assert flags.of("new_pricing")["defaultVariant"] == "off"


async def test_a_list_in_a_file(run: Run, flags: Flags, tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    ended = await run("flags", "list", "--json", f"--output={file}", flags.option)
    assert (ended.code, ended.out) == (0, "")
    assert {flag["key"] for flag in json.loads(file.read_text())} == {"new_pricing", "dark_mode"}


async def test_a_broken_journal_keeps_nobody_from_looking(run: Run, flags: Flags, journal_db: Path) -> None:
    journal_db.parent.mkdir(parents=True)
    journal_db.write_text("this is no journal")
    journal_db.chmod(0o600)
    ended = await run("flags", "list", flags.option)
    assert (ended.code, "UNKNOWN: what the journal saw" in ended.err) == (0, True)
    assert "new_pricing" in ended.out
    refused = await run("flags", "rollback", "new_pricing", "--yes", flags.option)
    assert (refused.code, flags.of("new_pricing")) == (1, PRICING)


async def test_options_before_the_name_of_the_command_count(run: Run, flags: Flags) -> None:
    ended = await run("flags", flags.option, "show", "new_pricing")
    assert ended.out.startswith("flag         new_pricing\n")


async def test_without_prometheus_recovery_cannot_be_told(run: Run, flags: Flags) -> None:
    ended = await run("flags", "rollback", "new_pricing", "--yes", "--watch", flags.option)
    assert (ended.code, "cannot tell whether it recovers" in ended.err) == (4, True)
    assert flags.of("new_pricing")["defaultVariant"] == "off", "it is done all the same"


CONFIG = """\
global: {scrape_interval: 1s, evaluation_interval: 1s}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ["%(app)s"]}]
"""
RULES = """\
groups:
  - name: shop
    rules:
      - {alert: ShopErrors, expr: 'shop_errors{job="shop"} > 5', labels: {severity: critical}}
"""


@pytest.fixture
def shop(tmp_path: Path, flags: Flags, alertmanager: Alertmanager) -> Iterator[tuple[str, ...]]:
    """An application that makes errors while the flag is on for anyone, or is told to go on with them; the
    options for its servers, with the alert firing."""

    def errors() -> float:
        return 9.0 if flags.of("new_pricing")["targeting"] or (tmp_path / "goes on").exists() else 1.0

    place = alertmanager.url.removeprefix("http://")
    with gauge("shop_errors", errors) as app:
        config = CONFIG % {"app": app}
        with Prometheus(tmp_path / "prometheus", config=config, rules=RULES, alertmanagers=[place]) as server:

            def fires() -> bool:
                found = json.loads(http("GET", f"{alertmanager.url}/api/v2/alerts?filter=alertname%3DShopErrors"))
                return any(alert["status"]["state"] == "active" for alert in found)

            wait_for(fires, 30, "firing ShopErrors")
            yield f"--prometheus={server.url}", f"--alertmanager={alertmanager.url}", flags.option


@pytest.mark.live
async def test_a_watched_rollback_says_whether_it_helped(
    run: Run, flags: Flags, shop: tuple[str, ...], tmp_path: Path
) -> None:
    watch = ("--yes", "--watch", "--alert=ShopErrors", *shop)
    (tmp_path / "goes on").touch()
    ended = await run("flags", "rollback", "new_pricing", "--within=3s", *watch)
    assert (ended.code, "ShopErrors has not recovered: its condition still holds" in ended.err) == (3, True)
    (tmp_path / "goes on").unlink()
    assert (await run("flags", "restore", "new_pricing", "--yes", *shop)).code == 0
    unknown = await run("flags", "rollback", "new_pricing", "--yes", "--alert=Nothing", *shop)
    assert (unknown.code, "no alert Nothing fires" in unknown.err) == (2, True)
    assert flags.of("new_pricing") == PRICING, "nothing was written"
    ended = await run("flags", "rollback", "new_pricing", "--within=90s", *watch)
    assert (ended.code, "ShopErrors recovered at " in ended.err) == (0, True), ended.err
