"""What was counted before and after a change, in one line: the verdict first, then what it stands on."""

from __future__ import annotations

from opsconsole.model.evidence import ALPHA, Comparison, Counts, Weight
from opsconsole.model.evidence_windows import Findings, Windows
from opsconsole.render import numbers
from opsconsole.render.glyphs import UNICODE, Glyphs
from opsconsole.render.times import format_duration
from opsconsole.text import SafeText, safe

Pieces = list[tuple[SafeText, str]]
"""Text and the name of its style, in order."""

_STYLES = {
    Weight.WORSE: "critical",
    Weight.SAME: "plain",
    Weight.BETTER: "ok",
    Weight.TOO_LITTLE: "unknown",
    Weight.UNKNOWN: "unknown",
}


def comparison_line(found: Comparison, *, wide: bool, glyphs: Glyphs = UNICODE) -> Pieces:
    """`✖ worse  before 0.1 % of 38,112  after 4.8 % of 12,400  p < 0.001`, or why there is no verdict."""
    sign = {Weight.WORSE: glyphs.critical, Weight.SAME: glyphs.ok, Weight.BETTER: glyphs.ok}
    words = f"{sign.get(found.weight, glyphs.unknown)} {_word(found.weight)}"
    if found.reason and found.before is None:
        return [(safe(f"{words}: {found.reason}"), _STYLES[found.weight])]
    pieces: Pieces = [(safe(words), _STYLES[found.weight])]
    if found.before is not None and found.after is not None and (wide or not found.reason):
        before, after = _counted(found.before), _counted(found.after)
        both = f"before {before}  after {after}" if wide else f"{before} -> {after}"
        pieces.append((safe(f"  {both}"), "plain"))
    if found.reason:
        pieces.append((safe(f"  {found.reason}"), "unknown"))
    elif found.p is not None:
        pieces.append((safe(f"  {_chance(found.p)}"), "dim"))
    return pieces


def comparison_note(found: Comparison, title: SafeText, windows: Windows, *, exact: bool = True) -> SafeText:
    """What was counted, over which time, by which test it was judged, and whether that time is `exact`."""
    before, after = windows.lengths
    test = f"; {found.test}" if found.test else ""
    unsure = "" if exact else "; the change may be older than seen"
    return safe(f"{title}, {_long(before)} before and {_long(after)} after{test}{unsure}")


def evaluations_line(found: Findings, windows: Windows) -> Pieces:
    """`true 12,400  false 310  in the 5m after`, or why that is not known."""
    if found.problem:
        return [(safe(f"not known: {found.problem}"), "unknown")]
    counts = "  ".join(f"{name} {round(value):,}" for name, value in found.evaluations)
    return [(safe(counts, 200), "plain"), (safe(f"  in the {_long(windows.lengths[1])} after"), "dim")]


def _word(weight: Weight) -> str:
    return "cannot tell" if weight is Weight.UNKNOWN else weight.value


def _counted(counts: Counts) -> str:
    """`4.8 % of 12,400`: two digits are as many as such a share has."""
    percent = f"{numbers.digits(float(f'{100 * counts.share:.2g}'))} %" if counts.all else "none"
    return f"{percent} of {numbers.value(float(counts.all), 'count')}"


def _long(seconds: float) -> SafeText:
    return format_duration(float(round(seconds)))


def _chance(p: float) -> str:
    return f"p < {ALPHA:g}" if p < ALPHA else f"p = {p:.2g}"
