"""Every glyph and severity word, in a Unicode and an ASCII set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opsconsole.model.severity import Severity
from opsconsole.model.verdicts import Level
from opsconsole.text import SafeText, trusted

SEVERITY_WORDS: Mapping[Severity, str] = {
    Severity.CRITICAL: "CRIT",
    Severity.HIGH: "HIGH",
    Severity.WARNING: "WARN",
    Severity.UNKNOWN: "UNKN",
    Severity.INFO: "INFO",
}
"""Four letters each, so that columns line up."""

LEVEL_WORDS: Mapping[Level, str] = {
    Level.OK: "OK",
    Level.WARNING: "WARN",
    Level.CRITICAL: "CRIT",
    Level.UNKNOWN: "UNKNOWN",
}

SEVERITY_STYLES: Mapping[Severity, str] = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "high",
    Severity.WARNING: "warning",
    Severity.UNKNOWN: "unknown",
    Severity.INFO: "info",
}
"""Style names of `opsconsole.render.theme`."""

LEVEL_STYLES: Mapping[Level, str] = {
    Level.OK: "ok",
    Level.WARNING: "warning",
    Level.CRITICAL: "critical",
    Level.UNKNOWN: "unknown",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Glyphs:
    """One set of glyphs, every one of them one cell wide. Sets compare by identity.

    `bars` are filled from the left in equal steps, `sparks` from the bottom; `box` is the corners top left,
    top right, bottom left, bottom right, then the horizontal and vertical line, then both dashed.
    """

    ascii: bool
    critical: str
    high: str
    warning: str
    info: str
    ok: str
    unknown: str
    marked: str
    flag: str
    pointer: str
    more: str
    none: str
    dot: str
    threshold: str
    guide: str
    separator: str
    crumb: str
    track: str
    bars: str
    sparks: str
    box: str

    def severity(self, severity: Severity) -> str:
        """The glyph of an alert's severity."""
        if severity is Severity.CRITICAL:
            return self.critical
        if severity is Severity.HIGH:
            return self.high
        if severity is Severity.WARNING:
            return self.warning
        return self.info if severity is Severity.INFO else self.unknown

    def level(self, level: Level) -> str:
        """The glyph of a verdict."""
        if level is Level.OK:
            return self.ok
        if level is Level.WARNING:
            return self.warning
        return self.critical if level is Level.CRITICAL else self.unknown


UNICODE = Glyphs(
    ascii=False,
    critical="✖",
    high="▲",
    warning="●",
    info="·",
    ok="✔",
    unknown="?",
    marked="▌",
    flag="⚑",
    pointer="▸",
    more="…",
    none="—",
    dot="·",
    threshold="┄",
    guide="┊",
    separator="│",
    crumb="▸",
    track="░",
    bars="▏▎▍▌▋▊▉█",
    sparks="▁▂▃▄▅▆▇█",
    box="┌┐└┘─│┄┆",
)

ASCII = Glyphs(
    ascii=True,
    critical="X",
    high="!",
    warning="*",
    info=".",
    ok="+",
    unknown="?",
    marked="*",
    flag="^",
    pointer=">",
    more="~",
    none="-",
    dot=".",
    threshold="-",
    guide=":",
    separator="|",
    crumb=">",
    track=".",
    bars="#",
    sparks="_.-=+*#",
    box="++++-|~:",
)


def glyphs_for(encoding: str) -> Glyphs:
    """The set that a stream of this encoding can carry."""
    try:
        "✖▲⚑⡀".encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return ASCII
    return UNICODE


def severity_label(severity: Severity, glyphs: Glyphs = UNICODE) -> SafeText:
    """Glyph and word: `✖ CRIT`."""
    return trusted(f"{glyphs.severity(severity)} {SEVERITY_WORDS[severity]}")


def level_label(level: Level, glyphs: Glyphs = UNICODE) -> SafeText:
    """Glyph and word: `? UNKNOWN`."""
    return trusted(f"{glyphs.level(level)} {LEVEL_WORDS[level]}")
