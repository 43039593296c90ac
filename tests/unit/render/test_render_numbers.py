"""Numbers, units and times in words."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.errors import UsageError
from opsconsole.model.units import UNITS
from opsconsole.render import numbers, times
from opsconsole.render.glyphs import ASCII

NOW = datetime(2026, 1, 15, 3, 12, 44, tzinfo=UTC).timestamp()
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("number", "unit", "shown"),
    [
        (None, "ms", "—"),
        (math.nan, "percent", "—"),
        (math.inf, "s", "+Inf"),
        (-math.inf, "bytes", "-Inf"),
        (4.8, "percent", "4.8 %"),
        (0.048, "ratio", "4.8 %"),
        (99.96, "percent", "100 %"),
        (0, "percent", "0 %"),
        (6.4e-9, "ratio", "<0.001 %"),
        (0.001, "percent", "0.001 %"),
        (88.2, "ms", "88.2 ms"),
        (999.4, "ms", "999 ms"),
        (999.7, "ms", "1 s"),
        (1240, "ms", "1.24 s"),
        (1.24, "s", "1.24 s"),
        (0.061, "s", "61 ms"),
        (90, "s", "1.5 m"),
        (5400, "s", "1.5 h"),
        (864000, "s", "10 d"),
        (-1240, "ms", "-1.24 s"),
        (212, "rps", "212 /s"),
        (1240, "rps", "1.24 k/s"),
        (999.9, "rps", "1 k/s"),
        (0.5, "per_minute", "0.5 /min"),
        (1536, "bytes", "1.5 KiB"),
        (1023.9, "bytes", "1 KiB"),
        (5 * 2**30, "bytes", "5 GiB"),
        (2**20, "bytes_per_second", "1 MiB/s"),
        (38112, "count", "38,112"),
        (-3, "count", "-3"),
        (1234567, "count", "1.23 M"),
        (1234567, "none", "1.23 M"),
        (38.25, "none", "38.2"),
        (1e-9, "none", "1e-09"),
        (7, "widgets", "7 widgets"),
    ],
)
def test_a_number_has_three_significant_digits_and_its_unit(number, unit, shown):
    assert numbers.value(number, unit) == shown


@given(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from(sorted(UNITS)), st.integers(0, 30))
def test_any_float_in_any_unit_is_short_and_right_aligned(number, unit, width):
    assert 1 <= len(numbers.value(number, unit)) <= 16
    assert numbers.value(number, unit, ASCII).isascii()
    assert len(numbers.right(number, unit, width)) == width


def test_number_and_unit_are_two_halves():
    assert numbers.number_and_unit(1240, "ms") == ("1.24", "s")
    assert numbers.number_and_unit(None, "ms") == ("—", "")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "0s"), (0, "0s"), (42.9, "42s"), (59.9, "59s"), (60, "1m"), (252, "4m"), (3599, "59m"),
        (7300, "2h"), (172_799, "47h"), (3 * 86_400, "3d"), (math.inf, "0s"), (math.nan, "0s"),
    ],
)  # fmt: skip
def test_ages_move_in_seconds_only_under_a_minute(seconds, shown):
    assert times.ago(seconds) == shown


def test_what_is_left_and_deadlines():
    assert times.left(48.9) == "48s"
    assert times.left(0) == "over"
    assert times.countdown(48.9) == "0:48"
    assert times.countdown(5) == "0:05"
    assert times.countdown(680) == "11m"
    assert times.countdown(-1) == "overdue"
    assert times.respond(48) == "respond in 48s"
    assert times.respond(-190) == "overdue 3m"
    assert [times.span(s) for s in (42, 252, 240, 5400, 270_000)] == ["42s", "4m12s", "4m", "1h30m", "3d3h"]


def test_exact_times_are_local_and_utc():
    assert times.exact(NOW, timezone(timedelta(hours=2))) == "05:12:44 (03:12:44 UTC)"
    assert times.exact(NOW, UTC) == "03:12:44 UTC"
    yesterday = times.exact(NOW - 86_400, BERLIN, NOW)
    assert yesterday == "2026-01-14 04:12:44 (03:12:44 UTC)"
    assert times.exact(1e300, UTC) == "an impossible time"
    assert times.when(NOW - 60, NOW, BERLIN) == "04:11"
    assert times.when(NOW - 86_400, NOW, BERLIN) == "yesterday 04:12"
    assert times.when(NOW - 10 * 86_400, NOW, UTC) == "Jan 05 03:12"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h30m", 5400), ("500ms", 0.5), ("0", 0), ("2d", 172_800), ("1y1w", 32_140_800), (" 5m ", 300)],
)
def test_durations_parse_as_prometheus_reads_them(text, seconds):
    assert times.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "30m1h", "1.5h", "-5m", "5 m", "٥m", "9" * 30 + "s", "\x1b[0m"])
def test_other_durations_are_refused_in_safe_words(text):
    with pytest.raises(UsageError) as caught:
        times.parse_duration(text)
    assert "\x1b" not in str(caught.value)


@given(st.integers(0, 10**12))
def test_a_formatted_duration_parses_back(millis):
    text = times.format_duration(millis / 1000)
    if millis / 1000 < 3e9:
        assert times.parse_duration(text) == pytest.approx(millis / 1000)


def test_until_is_a_duration_a_clock_or_an_iso_time():
    assert times.parse_until("2h", NOW, BERLIN) == NOW + 7200
    assert times.parse_until("05:12", NOW, BERLIN) == datetime(2026, 1, 15, 5, 12, tzinfo=BERLIN).timestamp()
    assert times.parse_until("04:12", NOW, BERLIN) == datetime(2026, 1, 16, 4, 12, tzinfo=BERLIN).timestamp()
    assert (
        times.parse_until("2026-01-16T05:12", NOW, BERLIN) == datetime(2026, 1, 16, 4, 12, tzinfo=UTC).timestamp()
    )
    assert (
        times.parse_until("2026-01-16T05:12Z", NOW, BERLIN) == datetime(2026, 1, 16, 5, 12, tzinfo=UTC).timestamp()
    )


@pytest.mark.parametrize("text", ["", "0", "25:00", "12:60", "2025-01-01T00:00", "2026-13-01", "soon"])
def test_until_must_be_a_time_to_come(text):
    with pytest.raises(UsageError):
        times.parse_until(text, NOW, BERLIN)
