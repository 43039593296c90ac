"""Every row has its exact width, whatever is in it; what is not known never looks good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from opsconsole.model.acks import AckMark
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.alerts import Alert
from opsconsole.model.flags import Flag, FlagChange
from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.reading import Failure, Reading
from opsconsole.model.rules import Target
from opsconsole.model.severity import AlertState, Severity
from opsconsole.model.silences import Silence, SilenceStatus
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.render import alerts, bars, detail, panel, records, row, status, times
from opsconsole.render.glyphs import ASCII, LEVEL_WORDS, SEVERITY_WORDS, UNICODE, Glyphs, glyphs_for
from opsconsole.render.theme import DARK, LIGHT, NAMES, NO_COLOUR, THEMES
from opsconsole.text import safe, trusted

NOW = datetime(2026, 1, 15, 3, 12, 44, tzinfo=UTC).timestamp()
hostile = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["", "[/x]", "[red]a", "日本語のラベル", "🔥" * 9, "é" * 12, "a\ufe0f", "✔\ufe0f✔", "\u202eabc",
         "\x1b[31m", "👩\u200d🚒", "e\u0301\u0301\u0301\u0301\u0301\u0301", "\ufe0f", "\n\t", "🇫🇷", "a" * 300]
    ),
)  # fmt: skip
widths = st.one_of(st.integers(0, 12), st.integers(13, 200))
glyph_sets = st.sampled_from([UNICODE, ASCII])
themes = st.sampled_from([DARK, LIGHT, NO_COLOUR])


def at(age: float) -> datetime:
    return datetime.fromtimestamp(NOW, UTC) - timedelta(seconds=age)


def alert(name: str = "HighErrorRate", age: float = 252, **labels: str) -> Alert:
    return Alert(
        fingerprint="f1",
        labels={"alertname": name, **labels},
        starts_at=at(age),
        annotations={"summary": safe("Error rate is 4.8%")},
    )


def ack(owner: str = "alice", left: float = 660) -> Silence:
    return Silence(
        id="s1",
        matchers=(Matcher("alertname", "HighErrorRate"),),
        created_by=trusted("opsconsole"),
        comment=safe(f"ACK! {owner}: looking [op=1]"),
        ends_at=at(-left),
    )


def a_row(state: AlertState = AlertState.ACTIVE, **more: object) -> AlertRow:
    given_ = {"alert": alert(), "severity": Severity.CRITICAL, "state": state, **more}
    return AlertRow(**given_)  # type: ignore[arg-type]  # fields are given by name


def check(rows: Text | tuple[Text, ...], width: int, glyphs: Glyphs, height: int | None = None) -> None:
    found = (rows,) if isinstance(rows, Text) else rows
    if height is not None:
        assert len(found) == height
    for text in found:
        assert cell_len(text.plain) == max(0, width), text.plain
        assert "\n" not in text.plain
        assert all(c.isprintable() or c in "\u00a0\u2003\u3000\u2002\u2007\u2009\u202f" for c in text.plain)
        assert all(0 <= s.start <= s.end <= len(text.plain) for s in text.spans)
        if glyphs.ascii:
            assert text.plain.isascii()


@given(hostile, hostile, hostile, widths, glyph_sets, themes, st.booleans(), st.floats(-9e5, 9e5))
def test_alert_rows_are_exact(name, value, owner, width, glyphs, theme, flag, deadline):
    looks = {"width": width, "now": NOW, "theme": theme, "glyphs": glyphs, "selected": flag}
    for state in AlertState:
        item = AlertRow(
            alert=alert(name, route=value),
            severity=Severity.HIGH,
            state=state,
            silence=ack(owner) if state in {AlertState.ACKED, AlertState.SILENCED} else None,
            deadline=NOW + deadline if flag else None,
        )
        note = safe(f"route={value}")
        check(alerts.alert_row(item, distinguishing=note, marked=flag, hold=600, **looks), width, glyphs)
        check(alerts.firing_row(item, distinguishing=note, note=safe(owner), **looks), width, glyphs)
    check(alerts.header_row(width, theme=theme, glyphs=glyphs), width, glyphs)
    check(detail.detail_header(item, width=width, now=NOW, distinguishing=note, glyphs=glyphs), width, glyphs)
    check(detail.labels_table({name: value, "b": owner}, width=width, glyphs=glyphs), width, glyphs)


@given(hostile, hostile, widths, glyph_sets, themes, st.sampled_from(list(Level)), st.sampled_from(list(Result)))
def test_rows_of_the_other_lists_are_exact(text, other, width, glyphs, theme, level, result):
    looks = {"width": width, "theme": theme, "glyphs": glyphs, "marked": True}
    silence = Silence(
        matchers=(Matcher(text, other, is_regex=True),),
        created_by=safe(text),
        comment=safe(other),
        status=SilenceStatus(state=text),
    )
    flag = Flag(key=text, enabled=True, default_variant=safe(other), serves=safe(text))
    change = FlagChange(key=text, at=NOW - 9, summary=safe(other), who=safe(text))
    verdict = Verdict(id="a.b", title=safe(text), level=level, reason=safe(other))
    entry = Entry(
        seq=1, at=NOW, op="o", phase=Phase.OUTCOME, action=text, subject=safe(other), user=safe(text),
        context=safe(""), result=result, message=safe(other),
    )  # fmt: skip
    target = Target(labels={"job": text, "instance": other}, health=text, last_error=safe(other))
    check(records.silence_row(silence, now=NOW, affected=3, **looks), width, glyphs)
    check(records.flag_row(flag, change, now=NOW, suspicion=safe(text), **looks), width, glyphs)
    check(records.verdict_row(verdict, **looks), width, glyphs)
    check(records.journal_row(entry, now=NOW, **looks), width, glyphs)
    check(records.target_row(target, now=NOW, **looks), width, glyphs)


@given(hostile, hostile, widths, st.integers(0, 12), glyph_sets, themes, st.sampled_from(list(Level)))
def test_panels_are_exact(title, value, width, height, glyphs, theme, level):
    looks = {"theme": theme, "glyphs": glyphs}
    inner = bars.gauge(
        50, width=max(0, width - 2), height=max(0, height - 2), caption=safe(value), level=level, **looks
    )
    check(inner, max(0, width - 2), glyphs, max(0, height - 2))
    for note in ("", value):
        box = panel.panel_box(
            safe(title), safe(value), level, inner, safe(title), width, height, safe(note), **looks
        )
        check(box, width, glyphs, height)
    items = [bars.Bar(safe(title), 3.0), bars.Bar(safe(value), None), bars.Bar(safe("x"), -1.0, level)]
    check(bars.bars(items, width=width, height=height, **looks), width, glyphs, height)
    cells = [[safe(title), safe(value)], [safe(value)]]
    shown = bars.table([safe("a"), safe(title)], cells, width=width, height=height, right=[1], **looks)
    check(shown, width, glyphs, height)
    line = bars.sparkline([1, None, float("nan"), 5, float("inf")], width=width, **looks)
    check(line, width, glyphs)


@given(hostile, hostile, widths, glyph_sets, themes, st.booleans())
def test_status_lines_are_exact(name, other, width, glyphs, theme, known):
    sources = (
        status.SourceStatus(name=safe(name), known=True, age=3, members=safe("2/2")),
        status.SourceStatus(name=safe(other), known=known, age=48, note=safe("stale 48s"), why=safe(name)),
    )
    line = status.StatusInput(
        context=safe(name), environment=safe(other), production=known, system=safe(name), sources=sources,
        counts={Severity.CRITICAL: 2}, alerts_known=known, on_call=safe(other), demo=safe("DEMO"),
        read_only=True,
    )  # fmt: skip
    looks = {"width": width, "theme": theme, "glyphs": glyphs}
    check(status.status_line(line, **looks), width, glyphs)
    check(status.empty_line(sources, firing_then=6, **looks), width, glyphs)
    modes = [status.Mode(key="1", title=safe(name)), status.Mode(key="2", title=safe(other), count=6)]
    check(status.mode_line(modes, "2", clock=trusted("03:12"), read_only=known, **looks), width, glyphs)


@given(hostile, st.integers(1, 40), st.integers(1, 4))
def test_wrapped_lines_fit_and_cut_ones_say_so(text, width, limit):
    lines = row.wrapped(safe(text), width, limit)
    assert 1 <= len(lines) <= limit
    assert all(cell_len(entry) <= width for entry in lines)


def test_the_states_of_an_alert_in_words():
    words = {
        AlertState.ACTIVE: "nobody",
        AlertState.INHIBITED: "inhibited",
        AlertState.MUTED: "muted",
        AlertState.PENDING: "pending 4m of 10m",
    }
    for state, expected in words.items():
        assert alerts.state_text(a_row(state), NOW, hold=600) == expected
    acked = a_row(AlertState.ACKED, silence=ack())
    assert alerts.state_text(acked, NOW) == "ack alice 11m"
    assert alerts.state_text(acked, NOW, user=trusted("alice")) == "ack you 11m"
    kthxbye = alerts.state_text(acked, NOW, extender=trusted("kthxbye"), wide=True)
    assert kthxbye == "ack alice 11m left, extended by kthxbye"
    assert "extended" not in alerts.state_text(acked, NOW, extender=trusted("nobody"), wide=True)
    old = a_row(AlertState.ACKED, silence=msgspec.structs.replace(ack(), starts_at=at(7300)))
    for wide, width, expected in (
        (True, 60, "stale ack alice 11m left, 2h old, extended by kthxbye"),
        (True, 40, "stale ack alice 11m left, 2h old"),
        (True, 30, "stale alice 11m"),
        (False, 13, "stale al. 11m"),
    ):
        said = alerts.state_text(old, NOW, mark=AckMark.STALE, extender=trusted("kthxbye"), wide=wide, width=width)
        assert said == expected
    for wide, width, expected in (
        (True, 40, "ack you 11m left, asks again"),
        (True, 20, "asks again 11m"),
        (False, 13, "again? 11m"),
    ):
        said = alerts.state_text(old, NOW, mark=AckMark.ASKS, user=trusted("alice"), wide=wide, width=width)
        assert said == expected
    assert alerts.state_text(a_row(AlertState.SILENCED, silence=ack(left=7300)), NOW) == "silenced 2h"
    assert alerts.state_text(a_row(AlertState.SILENCED), NOW) == "silenced"
    assert alerts.state_text(a_row(AlertState.ACKED, silence=ack(left=-1)), NOW) == "ack alice over"
    long = alerts.state_text(a_row(AlertState.ACKED, silence=ack("a-very-long-user-name")), NOW, width=16)
    assert long.endswith(" 11m")
    assert len(long) == 16


@pytest.mark.parametrize("width", [40, 60, 69, 70, 80, 100, 120, 160])
def test_severity_is_a_glyph_and_a_word_at_every_width(width):
    for severity in Severity:
        item = AlertRow(alert=alert(), severity=severity, state=AlertState.ACTIVE)
        for glyphs in (UNICODE, ASCII):
            shown = alerts.alert_row(item, width=width, now=NOW, glyphs=glyphs).plain
            assert f"{glyphs.severity(severity)} {SEVERITY_WORDS[severity]}" in shown


def test_the_alert_row_has_its_columns_under_the_header():
    item = a_row(deadline=NOW + 48)
    header = alerts.header_row(120).plain
    shown = alerts.alert_row(item, width=120, now=NOW, distinguishing=trusted("route=/api")).plain
    assert shown.startswith(" ✖ CRIT  HighErrorRate ")
    assert header.index("alert") == shown.index("HighErrorRate")
    assert header.index("labels") == shown.index("route=/api")
    assert header.index("state") == shown.index("nobody has it")
    assert shown.endswith("respond in 48s")
    assert alerts.alert_row(item, width=80, now=NOW).plain.endswith("0:48")
    late = a_row(deadline=NOW - 190)
    assert alerts.alert_row(late, width=120, now=NOW).plain.endswith("overdue 3m")
    assert alerts.alert_row(late, width=80, now=NOW).plain.endswith("overdue")


def test_a_narrow_row_has_whole_names_and_the_labels_behind_them():
    long = a_row(alert=alert("A" * 24), deadline=NOW + 48)
    shown = alerts.alert_row(long, width=66, now=NOW, distinguishing=trusted("route=/api/forecast")).plain
    assert f"{'A' * 24} rou" in shown
    short = alerts.alert_row(a_row(), width=66, now=NOW, distinguishing=trusted("route=/api/v1")).plain
    assert "HighErrorRate route=/api/v1 " in short
    held = a_row(AlertState.ACKED, silence=ack())
    assert "ack alice 11m" in alerts.alert_row(held, width=66, now=NOW).plain
    waiting = alerts.alert_row(a_row(AlertState.PENDING), width=66, now=NOW, hold=600).plain
    assert "pending 4m " in waiting
    assert alerts.header_row(66).plain.index("state") == alerts.alert_row(a_row(), width=66, now=NOW).plain.index(
        "nobody"
    )


def test_marked_and_selected_rows():
    assert alerts.alert_row(a_row(), width=80, now=NOW, marked=True).plain.startswith("▌✖")
    assert alerts.alert_row(a_row(), width=80, now=NOW, marked=True, glyphs=ASCII).plain.startswith("*X")
    selected = alerts.alert_row(a_row(), width=80, now=NOW, selected=True)
    assert selected.style == DARK["selected"]


def test_markup_is_not_parsed():
    item = a_row(alert=alert("[red]x[/red]"))
    assert "[red]x[/red]" in alerts.alert_row(item, width=120, now=NOW).plain


def good_styles(rows: tuple[Text, ...] | Text) -> bool:
    found = (rows,) if isinstance(rows, Text) else rows
    return any(span.style == DARK["ok"] for text in found for span in text.spans)


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("width", [5, 10, 18, 30, 58])
def test_a_panel_that_is_not_known_never_looks_good(level, width):
    note = trusted("stale 42s")
    box = panel.panel_box(trusted("API"), trusted("1.24 s"), level, (), trusted("p50 88 ms"), width, 5, note)
    plain = "".join(text.plain for text in box)
    assert "✔" not in plain
    assert "?" in plain
    assert not good_styles(box)
    assert "┄" in plain
    assert "─" not in plain
    if width >= 30:
        assert "stale 42s" in plain


def test_an_old_value_is_struck_and_a_healthy_panel_is_grey():
    old = panel.panel_box(trusted("API"), trusted("1 s"), Level.UNKNOWN, (), trusted(""), 40, 3, trusted("x"))
    assert DARK["value.old"] in [span.style for span in old[0].spans]
    good = panel.panel_box(trusted("API"), trusted("1 s"), Level.OK, (), trusted(""), 40, 3)
    assert good[0].plain.startswith("┌ API ────")
    assert good[0].plain.endswith("1 s ✔ ┐")
    bad = panel.panel_box(trusted("API"), trusted("1 s"), Level.CRITICAL, (), trusted(""), 40, 3)
    assert bad[0].plain.endswith("1 s ✖ CRIT ┐")


@pytest.mark.parametrize(
    ("title", "figure", "level", "top"),
    [
        ("Cache", "92.4 %", Level.OK, "┌ Cache ───── 92.4 % ✔ ┐"),
        ("Pool wait", "12.3 ms", Level.OK, "┌ Pool wait ─ 12.3ms ✔ ┐"),
        ("Pool waits", "12.3 ms", Level.OK, "┌ Pool waits  12.3ms ✔ ┐"),
        ("Cache hit rate", "92.4 %", Level.OK, "┌Cache hit rate 92.4% ✔┐"),
        ("Pool wait", "123 ms", Level.WARNING, "┌Pool wait 123ms ● WARN┐"),
        ("Cache hit rate", "92 %", Level.WARNING, "┌ Cache hit rate 92% ● ┐"),
        ("Pool wait times", "12.3 ms", Level.OK, "┌Pool wait ti… 12.3ms ✔┐"),
    ],
)
def test_the_title_goes_before_blanks_and_the_word(title, figure, level, top):
    box = panel.panel_box(trusted(title), trusted(figure), level, (), trusted(""), 24, 3)
    assert box[0].plain == top


def test_nothing_fires_is_said_only_when_every_source_is_known():
    fresh = status.SourceStatus(name=trusted("Prometheus"), known=True, age=4)
    reading: Reading[int] = Reading(
        data=1, at=NOW - 42, failure=Failure(kind="unreachable", message=trusted("connection refused"))
    )
    gone = status.source_status(trusted("Alertmanager main"), reading, NOW)
    assert gone.note == "stale 42s"
    good = status.empty_line([fresh], width=100)
    assert good.plain.startswith("✔ No alerts firing.  All sources fresh (within 15s).")
    bad = status.empty_line([fresh, gone], width=150, firing_then=6)
    assert "✔" not in bad.plain
    assert not good_styles(bad)
    assert bad.plain.startswith("? Alertmanager main has not answered for 42s (unreachable: connection refused).")
    assert "6 alerts were firing then." in bad.plain
    assert "✔" not in status.empty_line([], width=80).plain


@pytest.mark.parametrize(
    "reading",
    [
        Reading(),
        Reading(data=1, at=NOW - 48),
        Reading(data=1, at=NOW, warnings=(trusted("partial answer"),)),
        Reading(failure=Failure(kind="timed out", message=trusted("10 s")), failing_since=NOW - 48),
    ],
)
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_an_unknown_source_is_never_shown_as_good(reading, width):
    source = status.source_status(trusted("Prom"), reading, NOW)
    assert not source.known
    line = status.status_line(
        status.StatusInput(context=trusted("prod"), sources=(source,), alerts_known=False), width=width
    )
    assert "✔" not in line.plain
    assert not good_styles(line)
    assert "Prom ?" in line.plain
    assert "? alerts unknown" in line.plain


def test_the_status_line_keeps_what_matters_when_it_is_narrow():
    line = status.StatusInput(
        context=trusted("prod"), environment=trusted("production"), production=True, demo=trusted("DEMO"),
        system=trusted("accubooks"), acks=1, silences=4, on_call=trusted("primary-a"),
        sources=(
            status.SourceStatus(name=trusted("Prom"), known=True),
            status.SourceStatus(name=trusted("AM main"), known=True, members=trusted("2/2")),
            status.SourceStatus(name=trusted("Flags"), known=False, note=trusted("stale 48s")),
        ),
        counts={Severity.HIGH: 1, Severity.CRITICAL: 2, Severity.WARNING: 0},
    )  # fmt: skip
    wide = status.status_line(line, width=140).plain
    for part in ("PRODUCTION", "accubooks", "Prom ✔", "AM main ✔ 2/2", "Flags ? stale 48s", "✖ 2  ▲ 1",
                 "ack 1", "sil 4", "on call: primary-a", "DEMO"):  # fmt: skip
        assert part in wide
    assert "● 0" not in wide
    narrow = status.status_line(line, width=80).plain
    for part in ("DEMO", "PRODUCTION", "✖ 2  ▲ 1", "Flags ? stale 48s", "2 sources ✔"):
        assert part in narrow


def test_the_mode_line_names_the_active_screen_at_every_width():
    modes = [status.Mode(key=str(i), title=trusted(t)) for i, t in enumerate(("Overview", "Alerts", "Flags"), 1)]
    for width in (24, 40, 80):
        assert "2 Alerts" in status.mode_line(modes, "2", width=width).plain
    assert status.mode_line(modes, "2", width=80, clock=trusted("03:12"), read_only=True).plain.endswith(
        "read-only  03:12 "
    )


def test_a_silence_that_is_an_ack_says_so_and_how_long():
    text = records.silence_row(ack(), width=120, now=NOW, affected=1).plain
    for part in ("ack", "11m", "alice", 'alertname="HighErrorRate"', "looking"):
        assert part in text


def test_a_flag_that_is_suspected_keeps_the_suspicion():
    flag = Flag(key="new_pricing", enabled=True, default_variant=trusted("v2"), serves=trusted("on 100 %"))
    shown = records.flag_row(flag, width=80, now=NOW, suspicion=trusted("6m before HighErrorRate")).plain
    assert shown.split()[:3] == ["new_pricing", "on", "v2"]
    assert "▲ 6m before HighErrorRate" in shown


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("percent", [0.0, 33.333333, 100.0])
def test_a_flags_columns_stand_under_their_titles(width, percent):
    flag = Flag(
        key="new_pricing", enabled=True, default_variant=trusted("v2"), rollout=percent, serves=trusted("v2 here")
    )
    change = FlagChange(key="new_pricing", at=NOW - 60, summary=trusted("changed"), exact=True)
    titles = records.flag_titles(width=width, suspected=True).plain
    row = records.flag_row(flag, change, width=width, now=NOW, suspicion=trusted("6m before")).plain
    assert titles.index("flag") == row.index("new_pricing")
    assert titles.index("state") == row.index(" on ") + 1
    assert titles.index("rollout") + len("rollout") == row.index("%") + 1
    assert ("serves" in titles) == ("v2 here" in row)
    assert titles.find("serves") == row.find("v2 here")
    assert titles.index("last change") == row.index(times.when(NOW - 60, NOW, UTC))
    assert titles.endswith("suspicion")


@pytest.mark.parametrize("health", ["unknown", "", "weird"])
def test_a_target_of_unknown_health_is_unknown(health):
    shown = records.target_row(Target(health=health), width=100, now=NOW)
    assert "? unknown" in shown.plain
    assert not good_styles(shown)


def test_details_have_relative_and_exact_times():
    plain = [text.plain for text in detail.detail_header(a_row(), width=100, now=NOW)]
    assert plain[0].startswith("HighErrorRate  ✖ CRIT  firing 4m (since 03:08:32 UTC)")
    assert plain[1].startswith("Error rate is 4.8%")


def test_no_character_of_a_label_is_lost():
    rows = detail.labels_table({"path": "/a" * 60}, width=40)
    assert "".join(text.plain[6:].rstrip() for text in rows) == "/a" * 60


def test_every_theme_has_every_style_and_one_has_no_colour():
    for theme in THEMES.values():
        for name in NAMES:
            assert theme[name] is not None
    assert all(NO_COLOUR[name].color is None and NO_COLOUR[name].bgcolor is None for name in NAMES)
    assert len({str(NO_COLOUR[n]) for n in ("critical", "unknown", "ok")}) == 3


def test_glyphs_are_one_cell_wide_and_tell_levels_apart():
    for glyphs in (UNICODE, ASCII):
        single = [glyphs.critical, glyphs.high, glyphs.warning, glyphs.info, glyphs.ok, glyphs.unknown]
        assert len(set(single)) == 6
        fields = [getattr(glyphs, name) for name in glyphs.__dataclass_fields__ if name != "ascii"]
        assert all(cell_len(char) == 1 for text in fields for char in text)
    assert "".join((ASCII.critical, ASCII.high, ASCII.warning, ASCII.info, ASCII.ok, ASCII.unknown)) == "X!*.+?"
    assert glyphs_for("ascii") is ASCII
    assert glyphs_for("latin-1") is ASCII
    assert glyphs_for("no-such") is ASCII
    assert glyphs_for("utf-8") is UNICODE
    assert LEVEL_WORDS[Level.UNKNOWN] == "UNKNOWN"
