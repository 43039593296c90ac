"""The Status screen and the help."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from console_data import REFUSED, full, member
from driving import HOSTILE, SIZES, Driven, driven, fits, painted_lines
from fakes import NOW, make_snapshot

from opsconsole.actions.keys import Scope
from opsconsole.actions.registry import actions_for
from opsconsole.model.reading import Failure, Reading
from opsconsole.model.rules import Target
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.render.glyphs import ASCII, UNICODE
from opsconsole.render.theme import DARK, NO_COLOUR, Theme
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import safe, trusted
from opsconsole.ui.bindings import keys_of
from opsconsole.ui.lines import LineList
from opsconsole.ui.screens.help import HelpScreen, help_lines
from opsconsole.ui.screens.status import StatusScreen


def verdicts(snapshot: Snapshot) -> Sequence[Verdict]:
    """One of each level, the good one first."""
    return tuple(
        Verdict(id=f"a.{level.name.lower()}", title=trusted(f"check {level.name}"), level=level,
                reason=trusted(f"because {level.name}"), hint=trusted("look there"))
        for level in Level
    )  # fmt: skip


async def whole(screen: Driven) -> str:
    """Everything on the screen, page by page."""
    pages = [screen.text]
    for _ in range(6):
        pages.append(await screen.press("pagedown"))
    return "\n".join(pages)


@pytest.mark.parametrize("size", SIZES)
async def test_sections_with_the_worst_first(size: tuple[int, int]) -> None:
    async with driven(StatusScreen, full(), size, checks=verdicts) as screen:
        assert fits(screen.text, size)
        text = await whole(screen)
        for words in ("Sources", "Alertmanager members", "Checks", "Targets", "Rules", "2/2"):
            assert words in text
        order = [text.index(f"because {word}") for word in ("CRITICAL", "WARNING", "OK")]
        assert order == sorted(order)
        assert text.index("10.0.3.5") < text.index("10.0.3.4")
        assert text.index("BrokenRule") < text.rindex("HighErrorRate")
        assert "parse error" in text or size[0] < 100


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_ok_is_one_line_a_group_and_enter_lists_it(size: tuple[int, int]) -> None:
    def many(_: Snapshot) -> Sequence[Verdict]:
        ids = ["rules.bad", *(f"rules.{n}" for n in range(40)), "probes.one"]
        levels = [Level.WARNING, *[Level.OK] * 41]
        return [
            Verdict(id=id, title=trusted(f"title of {id}"), level=level, reason=trusted(f"reason of {id}"))
            for id, level in zip(ids, levels, strict=True)
        ]

    async with driven(StatusScreen, full(targets=None, rules=()), size, checks=many) as screen:
        text = await whole(screen)
        assert "title of rules.bad" in text
        assert "title of probes.one" in text
        assert "40 checks: title of rules.0" in text
        assert "reason of rules.39" not in text
        await screen.press("G", "k", "y")
        assert "title of rules.0: reason of rules.0\n" in screen.app.clipboard
        assert "title of rules.39: reason of rules.39" in screen.app.clipboard


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_not_known_comes_first_with_why_and_since_when(size: tuple[int, int]) -> None:
    snapshot = full()
    then = NOW - 42
    dark = Reading(data=snapshot.prometheus.data, at=then, failure=REFUSED, failing_since=then)  # type: ignore[union-attr]  # it is there
    async with driven(StatusScreen, msgspec.structs.replace(snapshot, prometheus=dark), size) as screen:
        rows = screen.text.split("\n")
        assert "Not known" in rows[2]
        assert "Prometheus: unreachable: connection refused" in rows[3]
        assert "stale 42s, unreachable" in screen.text
        assert "since 2025-12-31 23:59:18 UTC, 42s ago" in screen.text
        assert "hint: is it running?" in screen.text
        assert "Every source is known" not in screen.text
        assert "Every source is known" in await screen.push(full())


async def test_waiting_partial_and_no_source() -> None:
    partial = Reading(data=(), at=NOW, warnings=(trusted("store gateway is down"),))
    async with driven(StatusScreen, msgspec.structs.replace(full(), targets=partial, rules=Reading())) as screen:
        assert "partial: store gateway is down" in screen.text
        assert "not asked yet" in screen.text
        empty = msgspec.structs.replace(make_snapshot(), clusters=(), rules=None)
        assert "No source is configured" in await screen.push(empty)


async def test_enter_and_y_give_the_whole_line() -> None:
    async with driven(StatusScreen, full(), checks=verdicts) as screen:
        await screen.press("G", "k", "y")
        assert "parse error" in screen.app.clipboard
        assert "BrokenRule is err" in screen.text


async def test_the_same_data_repaints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with driven(StatusScreen, full(targets=None), checks=verdicts) as screen:
        with painted_lines(monkeypatch) as painted:
            await screen.push(full(targets=None))
            await screen.push(msgspec.structs.replace(full(targets=None), now=NOW + 2))
        assert painted == []


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_text_only_shows(size: tuple[int, int]) -> None:
    bad = Failure(kind="bad reply", message=safe(HOSTILE), hint=safe(HOSTILE), where=safe(HOSTILE))
    target = Target(labels={"job": HOSTILE, "instance": HOSTILE}, health="down", last_error=safe(HOSTILE))
    snapshot = msgspec.structs.replace(
        full(), prometheus=Reading(failure=bad, failing_since=NOW), targets=Reading(data=(target,), at=NOW)
    )
    async with driven(StatusScreen, snapshot, size) as screen:
        assert fits(screen.text, size)
        assert "\\x1b" in screen.text
        assert fits(await screen.press("G", "enter"), size)


class TestHelp:
    @pytest.mark.parametrize("scope", [s for s in Scope if s is not Scope.GLOBAL])
    def test_every_key_of_the_registry_is_there(self, scope: Scope) -> None:
        lines = help_lines(scope, read_only=False, theme=DARK, glyphs=UNICODE)
        text = " ".join(" ".join(line.plain for line in lines).split())
        for action in actions_for(scope):
            assert keys_of(action) in text
            assert action.description in text

    def test_read_only_leaves_writes_out(self) -> None:
        lines = help_lines(Scope.ALERTS, read_only=True, theme=NO_COLOUR, glyphs=ASCII)
        text = "\n".join(line.plain for line in lines)
        assert "acknowledge: " not in text
        assert "read-only" in text
        assert "X CRIT" in text

    @pytest.mark.parametrize("size", SIZES)
    async def test_opens_scrolls_and_closes(self, size: tuple[int, int]) -> None:
        async with driven(StatusScreen, full(), size) as screen:
            await screen.app.push_screen(HelpScreen(Scope.STATUS, read_only=False))
            await screen.settle()
            assert fits(screen.text, size)
            assert "Everywhere" in screen.text
            text = screen.text
            for _ in range(40):
                text += await screen.press("j")
                if "a flag changed" in text:
                    break
            assert "a flag changed" in text
            await screen.press("escape")
            assert isinstance(screen.app.screen, StatusScreen)


async def test_a_long_url_does_not_touch_its_state() -> None:
    url = "http://alertmanager-0.monitoring.example:9093"
    cluster = msgspec.structs.replace(full().clusters[0], members=(member(url), member("http://am-1.example")))
    async with driven(StatusScreen, msgspec.structs.replace(full(), clusters=(cluster,))) as screen:
        lines = [line for line in (await whole(screen)).split("\n") if ".example" in line and "fresh" in line]
        assert f"{url}  fresh, under" in lines[0]
        assert lines[0].index("fresh") == lines[1].index("fresh")


@pytest.mark.parametrize("theme", [DARK, NO_COLOUR])
async def test_the_cursor_row_has_one_ground(theme: Theme) -> None:
    async with driven(StatusScreen, full(), theme=theme) as screen:
        await screen.press("j", "j", "j")
        rows = screen.app.screen.query_one(LineList)
        styles = [s.style for s in rows.render_line(rows.cursor - rows.scroll_offset.y) if s.style]
        assert all(style.reverse for style in styles)
        assert len({style.color for style in styles if not style.bold}) == 1


async def test_the_help_leaves_the_status_lines_and_the_keys_in_sight() -> None:
    for size in SIZES:
        async with driven(StatusScreen, full(), size) as screen:
            before = screen.text.split("\n")
            await screen.app.push_screen(HelpScreen(Scope.STATUS, read_only=False))
            await screen.settle()
            after = screen.text.split("\n")
            assert after[:2] == before[:2]
            assert after[-1] == before[-1]
