"""Charts: exact size, honest gaps, thresholds, marks, and no work twice."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from opsconsole.model.playbook import Threshold
from opsconsole.model.verdicts import Level
from opsconsole.render import axes, braille, plot
from opsconsole.render.bars import Bar, bars, gauge, sparkline
from opsconsole.render.braille import Curve, Frame
from opsconsole.render.charts import (
    ChartSeries,
    Mark,
    Shade,
    ThresholdLine,
    line_chart,
    threshold_lines,
)
from opsconsole.render.glyphs import ASCII, UNICODE
from opsconsole.render.theme import DARK, LIGHT, NO_COLOUR
from opsconsole.text import safe, trusted

START = 1_767_225_600.0
END = START + 3600
TIMES = tuple(START + 15 * i for i in range(241))
ENGINES = ("braille", "plotext")


def series(values, times=TIMES, legend="p95"):
    return ChartSeries(trusted(legend), tuple(times), tuple(values))


def rising():
    return series([20 + 1200 * i / 240 for i in range(241)])


def chart(*lines, width=58, height=10, **more):
    return line_chart(lines, width=width, height=height, start=START, end=END, **more)


def plain(rows):
    return [text.plain for text in rows]


values = st.lists(st.floats(), max_size=30)


@settings(max_examples=150)
@given(
    st.lists(values, max_size=4),
    st.integers(0, 90),
    st.integers(0, 14),
    st.sampled_from([UNICODE, ASCII]),
    st.sampled_from([DARK, LIGHT, NO_COLOUR]),
    st.sampled_from(["none", "ms", "bytes", "ratio", "odd"]),
    st.booleans(),
    st.sampled_from(["日本", "", "x" * 50]),
    st.floats(),
)
def test_any_data_at_any_size_gives_exact_rows(found, width, height, glyphs, theme, unit, legend, word, bound):
    rows = line_chart(
        [series(v, legend=word) for v in found],
        width=width,
        height=height,
        start=START,
        end=END,
        unit=unit,
        legend=legend,
        thresholds=(ThresholdLine(bound, safe(word), "critical"), ThresholdLine(1.0, trusted("warn"))),
        marks=(Mark(START + 60), Mark(END + 99), Mark(END, "日")),
        shades=(Shade(START + 900, START + 1200, safe(word)),),
        theme=theme,
        glyphs=glyphs,
    )
    assert len(rows) == height
    for text in rows:
        assert cell_len(text.plain) == width
        assert all(0 <= s.start <= s.end <= len(text.plain) for s in text.spans)
        if glyphs.ascii:
            assert text.plain.isascii()


@settings(max_examples=25, deadline=None)
@given(st.lists(values, max_size=3), st.integers(0, 70), st.integers(0, 12))
def test_plotext_gives_exact_rows_too(found, width, height):
    rows = chart(*(series(v) for v in found), width=width, height=height, engine="plotext", legend=True)
    assert [cell_len(text.plain) for text in rows] == [width] * height


@pytest.mark.parametrize("engine", ENGINES)
def test_a_rising_line_rises(engine):
    rows = plain(chart(rising(), engine=engine, unit="ms"))
    drawn = [[i for i, c in enumerate(text) if "\u2800" < c <= "\u28ff"] for text in rows]
    middle = [sum(row) / len(row) for row in drawn if row]
    assert len(middle) >= 6
    assert middle == sorted(middle, reverse=True)
    assert max(max(row) for row in drawn if row) == 57
    assert min(min(row) for row in drawn if row) <= 6


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", ["nan", "missing", "infinite"])
def test_a_hole_is_never_bridged(engine, how):
    hole = range(80, 160)
    if how == "missing":
        kept = [i for i in range(241) if i not in hole]
        line = series([50.0 if i < 120 else 60.0 for i in kept], [TIMES[i] for i in kept])
    else:
        odd = math.nan if how == "nan" else math.inf
        line = series([odd if i in hole else 50.0 if i < 120 else 60.0 for i in range(241)])
    rows = plain(chart(line, engine=engine, width=64, height=6))
    columns = [sum(1 for text in rows if "\u2800" < text[x] <= "\u28ff") for x in range(64)]
    gutter = next(x for x, n in enumerate(columns) if n)
    cells = 64 - gutter
    assert all(columns[gutter + 1 : gutter + cells // 3 - 1])
    assert not any(columns[gutter + cells // 3 + 2 : gutter + 2 * cells // 3 - 2])
    assert all(columns[gutter + 2 * cells // 3 + 2 : 63])


def test_a_lone_point_is_still_seen():
    rows = plain(chart(series([5.0], [START + 1800])))
    assert sum("\u2800" < c <= "\u28ff" for text in rows for c in text) == 1


@pytest.mark.parametrize("lines", [(), (series([]),), (series([math.nan] * 241),)])
def test_no_data_says_so(lines):
    rows = plain(chart(*lines))
    assert "no data" in "".join(rows)
    assert len(rows) == 10


@pytest.mark.parametrize("constant", [0.0, 5.0, -3.0, 1e12, 1e-12, 1e99])
def test_a_constant_series_is_a_flat_line(constant):
    rows = plain(chart(series([constant] * 241), height=8))
    drawn = [text for text in rows if any("\u2800" < c <= "\u28ff" for c in text)]
    assert len(drawn) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_thresholds_are_lines_with_words_in_their_style(engine):
    rows = chart(
        rising(),
        engine=engine,
        unit="ms",
        thresholds=threshold_lines(
            (Threshold(level=Level.WARNING, above=500.0), Threshold(level=Level.CRITICAL, above=1000.0))
        ),
    )
    lines = {w: i for i, text in enumerate(plain(rows)) for w in ("warn", "crit") if w in text}
    assert lines["crit"] < lines["warn"]
    critical = rows[lines["crit"]]
    assert critical.plain.count("┄") > 20
    assert any(span.style == DARK["critical"] for span in critical.spans)


def test_a_threshold_far_away_does_not_flatten_the_line():
    rows = "".join(
        plain(chart(series([1.0 + i % 3 for i in range(241)]), thresholds=(ThresholdLine(1e6, trusted("crit")),)))
    )
    assert "crit" not in rows


def test_axes_have_units_and_local_times():
    rows = plain(chart(rising(), unit="ms", tz=timezone(timedelta(hours=2)), width=80))
    labels = [text[:8].strip().split(" ")[0] for text in rows]
    assert "1s" in labels
    assert "500ms" in labels
    assert "0" in labels
    assert "02:30" in rows[-1]


def test_a_flag_change_is_marked_on_the_axis_and_above_it():
    rows = plain(chart(rising(), marks=(Mark(START + 1800),)))
    at = rows[-1].index("⚑")
    assert abs(at - 30) <= 3
    assert sum(text[at] == "┊" for text in rows[:-1]) >= 5
    small = plain(chart(rising(), marks=(Mark(START + 1800),), height=2))
    assert "⚑" in small[-1]


def test_the_for_window_is_shaded_on_every_row_and_named():
    rows = chart(rising(), shades=(Shade(START + 600, START + 1200, trusted("for 10m")),))
    shaded = [[s for s in text.spans if s.style == DARK["shade"]] for text in rows]
    assert all(shaded[:-1])
    assert 7 <= shaded[0][0].end - shaded[0][0].start <= 11
    assert "for 10m" in rows[0].plain


def test_the_legend_has_latest_values_and_unknown_is_not_a_number():
    lines = [rising(), series([1.0] * 240 + [math.nan], legend="p50")]
    legend = plain(chart(*lines, unit="ms", legend=True))[-1]
    assert "p95 1.22 s" in legend
    assert "p50 —" in legend
    assert "+" in plain(chart(*[rising()] * 9, legend=True, width=30))[-1]


def test_series_have_distinct_styles_and_the_first_is_on_top():
    rows = chart(series([5.0] * 241), series([5.0] * 241))
    styles = {str(span.style) for text in rows for span in text.spans}
    assert str(DARK.series(0)) in styles
    assert str(DARK.series(1)) not in styles
    assert len({str(DARK.series(i)) for i in range(6)}) == 6


def test_ascii_charts_use_characters():
    rows = plain(
        chart(
            rising(),
            unit="ms",
            glyphs=ASCII,
            engine="plotext",
            thresholds=(ThresholdLine(500, trusted("warn")),),
        )
    )
    assert all(text.isascii() for text in rows)
    assert sum(text.count("*") for text in rows) > 40
    assert any("---" in text for text in rows)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_chart_is_not_drawn_twice(engine):
    assert chart(rising(), engine=engine) is chart(rising(), engine=engine)
    assert chart(rising(), engine=engine) is not chart(rising(), engine=engine, width=59)
    assert chart(rising(), engine=engine) is not chart(rising(), engine=engine, theme=LIGHT)


def test_the_window_moves_in_whole_steps():
    assert axes.whole_steps(START + 44, 3600, 15) == axes.whole_steps(START + 31, 3600, 15)
    start, end = axes.whole_steps(START + 44, 3600, 15)
    assert (start, end) == (START + 30 - 3600, START + 30)


@given(
    st.floats(-1e15, 1e15),
    st.floats(1e-9, 1e15),
    st.integers(1, 6),
    st.sampled_from(["none", "ms", "s", "bytes"]),
)
def test_ticks_enclose_the_range(low, size, count, unit):
    high = low + size
    if high - low > 1e-9 * max(abs(low), abs(high)):  # closer ones are a flat line to value_range
        found = axes.ticks(low, high, count, unit)
        assert found[0] <= low + 1e-6 * size
        assert found[-1] >= high - 1e-6 * size
        assert list(found) == sorted(set(found))


def test_only_drawing_with_plotext_loads_it():
    script = "import sys, opsconsole.render.charts, opsconsole.render.alerts; print('plotext' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_both_engines_draw_the_same_cells_roughly():
    curve = braille.Curve(TIMES, tuple(50 + 40 * math.sin(i / 20) for i in range(241)), 30.0)
    frame = braille.Frame(50, 8, START, END, 0.0, 100.0)
    one, other = braille.draw([curve], frame), plot.draw([curve], frame)
    here = {(r, c) for r, row in enumerate(one.owners) for c, n in enumerate(row) if n}
    there = {(r, c) for r, row in enumerate(other.owners) for c, n in enumerate(row) if n}
    assert there
    assert all(any((r + a, c + b) in here for a in (-1, 0, 1) for b in (-1, 0, 1)) for r, c in there)


def test_gauges_show_unknown_as_unknown():
    full = plain(gauge(91.0, width=20, height=2, caption=trusted("182 of 200")))
    assert full[0].count("█") == 18
    assert "182 of 200" in full[1]
    for missing in (None, math.nan):
        assert "unknown" in plain(gauge(missing, width=20, height=1))[0]
    assert "█" not in plain(gauge(-5.0, width=20, height=1))[0]


def test_bars_are_in_proportion_and_say_what_was_left_out():
    rows = plain(bars([Bar(trusted("a"), 10.0), Bar(trusted("b"), 5.0)], width=33, height=2))
    assert rows[0].count("█") == 2 * rows[1].count("█") or abs(rows[0].count("█") - 2 * rows[1].count("█")) <= 1
    many = plain(bars([Bar(trusted(str(i)), 1.0) for i in range(9)], width=30, height=3))
    assert many[-1].startswith("and 7 more")
    assert "unknown" in plain(bars([Bar(trusted("a"), None)], width=30, height=1))[0]


def test_sparklines_leave_holes_blank():
    text = sparkline([0, 4, None, 8], width=6).plain
    assert text == "  ▁▅ █"
    assert "no data" in sparkline([None, math.nan], width=20).plain


def test_a_chart_larger_than_the_terminal_it_is_tested_in_is_whole() -> None:
    frame = Frame(width=140, height=50, start=0.0, end=100.0, low=0.0, high=15.0)
    canvas = plot.draw([Curve(times=(0.0, 50.0, 100.0), values=(0.0, 0.0, 15.0), gap=200.0)], frame)
    assert canvas.rows[0].strip()
    assert canvas.rows[-1].strip()
    assert canvas.rows[0].rstrip() == canvas.rows[0]


def test_without_colour_a_full_bar_and_a_threshold_are_not_reversed() -> None:
    full = gauge(95.0, width=20, height=1, level=Level.CRITICAL, theme=NO_COLOUR)[0]
    assert "█" in full.plain
    assert not any(span.style.reverse for span in full.spans if isinstance(span.style, Style))
    lines = [ThresholdLine(50.0, trusted("crit"), "critical")]
    for row in chart(series([1.0, 2.0, 90.0]), thresholds=lines, theme=NO_COLOUR):
        assert not any(span.style.reverse for span in row.spans if isinstance(span.style, Style))
