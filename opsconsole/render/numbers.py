"""Numbers with their unit, three significant digits."""

from __future__ import annotations

import math

from opsconsole.model.units import UNITS
from opsconsole.render.glyphs import UNICODE, Glyphs
from opsconsole.render.row import fit
from opsconsole.text import SafeText, trusted

_DECIMAL = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BINARY = ((2.0**50, "Pi"), (2.0**40, "Ti"), (2.0**30, "Gi"), (2.0**20, "Mi"), (2.0**10, "Ki"))
_EXACT_BELOW = 100_000

_LEAST = 0.001
"""The smallest percentage worth its digits."""


def value(number: float | None, unit: str = "none", glyphs: Glyphs = UNICODE) -> SafeText:
    """A number and its unit: `1.24 s`, `4.8 %`, `212 /s`, `1.5 GiB`.

    None and NaN are `—`, infinities `+Inf` and `-Inf`; less than 0.001 % is `<0.001 %`. `unit` is a key of
    `model.units.UNITS`; a key that is not there is shown as it is written. Whole numbers of unit `count` below
    100,000 are exact.
    """
    if number is None or math.isnan(number):
        return trusted(glyphs.none)
    if math.isinf(number):
        return trusted("+Inf" if number > 0 else "-Inf")
    if unit in {"ms", "s"}:
        return _duration(number / 1000.0 if unit == "ms" else number)
    if unit == "ratio":
        number *= 100.0
    suffix = UNITS.get(unit, unit)
    if unit in {"percent", "ratio"}:
        figure = digits(number) if number == 0 or abs(number) >= _LEAST else f"<{_LEAST:g}"
        return trusted(f"{figure} {suffix}")
    if unit in {"bytes", "bytes_per_second"}:
        return _scaled(number, _BINARY, suffix)
    if unit == "count" and abs(number) < _EXACT_BELOW and number == int(number):
        return trusted(f"{int(number):,}")
    return _scaled(number, _DECIMAL, suffix)


def number_and_unit(number: float | None, unit: str, glyphs: Glyphs = UNICODE) -> tuple[SafeText, SafeText]:
    """The two halves of `value`, for columns of numbers; the second is "" when there is no unit."""
    figure, _, suffix = value(number, unit, glyphs).partition(" ")
    return trusted(figure), trusted(suffix)


def right(number: float | None, unit: str, width: int, glyphs: Glyphs = UNICODE) -> SafeText:
    """`value` right-aligned in exactly `width` cells."""
    return trusted(fit(value(number, unit, glyphs), width, right=True, more=glyphs.more))


def digits(number: float) -> str:
    """Three significant digits without an exponent up to a million million and without trailing zeros."""
    rounded = round_digits(number)
    if rounded == 0:
        return "0"
    if not 1e-6 <= abs(rounded) < 1e12:
        return f"{rounded:.3g}"
    places = max(0, 2 - math.floor(math.log10(abs(rounded))))
    text = f"{rounded:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def round_digits(number: float) -> float:
    """The number rounded to three significant digits."""
    return float(f"{number:.3g}")


def _scaled(number: float, steps: tuple[tuple[float, str], ...], suffix: str) -> SafeText:
    size = abs(round_digits(number))
    for factor, prefix in steps:
        if size >= factor or abs(round_digits(number / factor)) >= 1:
            return trusted(f"{digits(number / factor)} {prefix}{suffix}")
    return trusted(f"{digits(number)} {suffix}".rstrip())


def _duration(seconds: float) -> SafeText:
    size = abs(seconds)
    if size == 0:
        return trusted("0 s")
    if round_digits(size * 1000.0) < 1000:
        return trusted(f"{digits(seconds * 1000.0)} ms")
    if round_digits(size) < 60:
        return trusted(f"{digits(seconds)} s")
    if round_digits(size / 60.0) < 60:
        return trusted(f"{digits(seconds / 60.0)} m")
    if round_digits(size / 3600.0) < 48:
        return trusted(f"{digits(seconds / 3600.0)} h")
    return trusted(f"{digits(seconds / 86400.0)} d")
