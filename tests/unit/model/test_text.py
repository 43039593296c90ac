"""SafeText: nothing that acts on a terminal passes, and nothing is lost."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.text import is_safe, safe, safe_block

ACTING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180f\u3164\uffa0\ufe0f\U000e0100"

HOSTILE = {
    "csi": "\x1b[2J\x1b[31mred",
    "osc 52": "\x1b]52;c;ZXZpbA==\x07",
    "osc 8": "\x1b]8;;http://evil.invalid\x1b\\text\x1b]8;;\x1b\\",
    "c1": "\x9b31m\x90q\x9c",
    "del and nul": "a\x7fb\x00c",
    "bidi": "\u202eabc\u202c\u2066x\u2069\u061c",
    "zero width": "a\u200bb\u200dc\ufeffd\u2060e",
    "separators": "a\u2028b\u2029c",
    "tags": "\U000e0041\U000e0042",
    "surrogate": "a\ud800b",
    "invisible letters": INVISIBLE,
}


def acting(text: str, allowed: str = "") -> list[str]:
    """The characters of `text` that may act on a terminal or take no room."""
    return [c for c in text if c not in allowed and (unicodedata.category(c) in ACTING or c in INVISIBLE)]


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_becomes_visible(raw: str) -> None:
    assert acting(safe(raw)) == []
    assert acting(safe_block(raw), allowed="\n") == []
    assert safe(raw) != raw


@given(st.text())
def test_nothing_acting_passes(raw: str) -> None:
    assert acting(safe(raw)) == []
    assert acting(safe_block(raw), allowed="\n") == []


@given(st.text(st.characters(categories=["Cc", "Cf", "Mn", "Me", "Zs", "Zl", "Zp", "Lo"])))
def test_nothing_acting_passes_among_odd_characters(raw: str) -> None:
    assert acting(safe(raw)) == []


@given(st.text())
def test_safe_twice_is_safe_once(raw: str) -> None:
    once = safe(raw)
    assert safe(once) == once
    assert is_safe(once)
    block = safe_block(raw)
    assert safe_block(block) == block


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_printable_ascii_is_unchanged(raw: str) -> None:
    assert safe(raw) == raw
    assert safe_block(raw) == raw


def test_other_scripts_and_spaces_are_unchanged() -> None:
    text = "Grüße 日本語 شكرا עברית naïve 🔥\u00a0x\u202fy"
    assert safe(text) == text


def test_markup_is_only_text() -> None:
    assert safe("[bold]x[/bold] [/var/log] [@click=app.quit]") == "[bold]x[/bold] [/var/log] [@click=app.quit]"


def test_escapes_name_the_character() -> None:
    assert safe("\x1b\x9b\u202e\U000e0041\n\r\t") == r"\x1b\x9b\u202e\U000e0041\n\r\t"


def test_a_stack_of_marks_is_cut_visibly() -> None:
    stacked = "a" + "\u0301" * 10
    assert safe(stacked) == "a" + "\u0301" * 4 + r"\u0301" * 6
    assert safe("e\u0301e\u0301") == "e\u0301e\u0301"


def test_a_block_keeps_lines_and_widens_tabs() -> None:
    assert safe_block("a\r\nb\n\tc\rd") == "a\nb\n    c\\rd"


def test_a_limit_says_how_much_is_missing() -> None:
    assert safe("x" * 1_000_000, 10) == "xxxxxxxxxx… (999,990 more characters)"
    assert safe_block("ab\ncd", 3) == "ab\n\n… (2 more characters)"
    assert safe("short", 10) == "short"
