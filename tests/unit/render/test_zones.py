"""Local time where it is hard: clocks set forward and back, offsets that are no whole hours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from opsconsole.clock import LocalZone
from opsconsole.render import times

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC")


@pytest.fixture(params=["the zone itself", "the machine's zone"])
def zone_of(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], tzinfo]]:
    """A zone by name: as it is, or as the console finds it on a machine that is set to it."""

    def find(name: str) -> tzinfo:
        if request.param == "the zone itself":
            return ZoneInfo(name)
        monkeypatch.setenv("TZ", name)
        time.tzset()
        return LocalZone()

    yield find
    monkeypatch.undo()
    time.tzset()


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("zone", "at", "shown"),
    [
        # Berlin 2026: forward on March 29 at 01:00 UTC, back on October 25 at 01:00 UTC.
        ("Europe/Berlin", "2026-03-29T00:59:59", "01:59:59 (00:59:59 UTC)"),
        ("Europe/Berlin", "2026-03-29T01:00:00", "03:00:00 (01:00:00 UTC)"),
        ("Europe/Berlin", "2026-10-25T00:30:00", "02:30:00 (00:30:00 UTC)"),
        ("Europe/Berlin", "2026-10-25T01:30:00", "02:30:00 (01:30:00 UTC)"),
        # New York 2026: forward on March 8 at 07:00 UTC, back on November 1 at 06:00 UTC.
        ("America/New_York", "2026-03-08T06:59:00", "01:59:00 (06:59:00 UTC)"),
        ("America/New_York", "2026-03-08T07:00:00", "03:00:00 (07:00:00 UTC)"),
        ("America/New_York", "2026-11-01T05:30:00", "01:30:00 (05:30:00 UTC)"),
        ("America/New_York", "2026-11-01T06:30:00", "01:30:00 (06:30:00 UTC)"),
        ("Asia/Kathmandu", "2026-06-01T12:00:00", "17:45:00 (12:00:00 UTC)"),
        # Lord Howe 2026: half an hour back on April 4 at 15:00 UTC, forward on October 3 at 15:30 UTC.
        ("Australia/Lord_Howe", "2026-04-04T14:45:00", "01:45:00 (14:45:00 UTC)"),
        ("Australia/Lord_Howe", "2026-04-04T15:15:00", "01:45:00 (15:15:00 UTC)"),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00", "02:30:00 (15:30:00 UTC)"),
        ("UTC", "2026-10-25T01:30:00", "01:30:00 UTC"),
    ],
)
def test_exact_is_local_and_utc(zone_of: Callable[[str], tzinfo], zone: str, at: str, shown: str) -> None:
    moment = utc(at)
    assert times.exact(moment, zone_of(zone), moment) == shown


def test_the_date_is_that_of_the_local_calendar(zone_of: Callable[[str], tzinfo]) -> None:
    zone = zone_of("Asia/Kathmandu")
    now, later = utc("2026-06-01T12:00:00"), utc("2026-06-01T18:20:00")
    assert times.exact(later, zone, now) == "2026-06-02 00:05:00 (2026-06-01 18:20:00 UTC)"


@pytest.mark.parametrize(
    ("zone", "now", "text", "until"),
    [
        # In the night of the jump the clock goes from 02:00 to 03:00.
        ("Europe/Berlin", "2026-03-28T22:00:00", "03:00", "2026-03-29T01:00:00"),
        ("Europe/Berlin", "2026-03-28T22:00:00", "02:30", "2026-03-29T01:30:00"),
        ("Europe/Berlin", "2026-03-28T22:00:00", "09:00", "2026-03-29T07:00:00"),
        ("Europe/Berlin", "2026-03-28T23:30:00", "2h", "2026-03-29T01:30:00"),
        ("Europe/Berlin", "2026-03-28T12:00:00", "2026-03-29T12:00", "2026-03-29T10:00:00"),
        # In the night of the fold it shows 02:30 twice: the next one counts.
        ("Europe/Berlin", "2026-10-25T00:10:00", "02:30", "2026-10-25T00:30:00"),
        ("Europe/Berlin", "2026-10-25T00:40:00", "02:30", "2026-10-25T01:30:00"),
        ("Europe/Berlin", "2026-10-25T01:40:00", "02:30", "2026-10-26T01:30:00"),
        ("Europe/Berlin", "2026-10-24T22:00:00", "09:00", "2026-10-25T08:00:00"),
        ("America/New_York", "2026-11-01T05:40:00", "01:30", "2026-11-01T06:30:00"),
        ("America/New_York", "2026-03-08T06:30:00", "03:30", "2026-03-08T07:30:00"),
        ("Asia/Kathmandu", "2026-06-01T12:00:00", "17:46", "2026-06-01T12:01:00"),
        ("Asia/Kathmandu", "2026-06-01T12:00:00", "17:45", "2026-06-02T12:00:00"),
        ("Australia/Lord_Howe", "2026-04-04T14:50:00", "01:45", "2026-04-04T15:15:00"),
        ("Australia/Lord_Howe", "2026-10-03T15:00:00", "02:45", "2026-10-03T15:45:00"),
    ],
)
def test_an_end_that_is_typed(
    zone_of: Callable[[str], tzinfo], zone: str, now: str, text: str, until: str
) -> None:
    assert times.parse_until(text, utc(now), zone_of(zone)) == utc(until)


@pytest.mark.parametrize("name", ZONES)
def test_what_is_shown_can_be_typed(zone_of: Callable[[str], tzinfo], name: str) -> None:
    """Every quarter of an hour through both changes of a year: the end is later than now, and is shown as typed
    unless the clock skips it."""
    zone = zone_of(name)
    for day in ("2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31"):
        for quarter in range(0, 192, 5):
            now = utc(f"{day}T00:00:00") + quarter * 900
            text = times.clock(now + 3 * 3600, zone)
            at = times.parse_until(text, now, zone)
            assert now < at <= now + 25 * 3600, (day, quarter)
            assert times.clock(at, zone) == text, (day, quarter)
