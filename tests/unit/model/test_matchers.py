"""Matchers: the grammar, RE2 and anchoring."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.errors import UsageError
from opsconsole.model.matchers import (
    Matcher,
    exact_matchers,
    format_matchers,
    match_all,
    matches_everything,
    parse_matcher,
    parse_matchers,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
patterns = st.one_of(
    st.text("ab.|^$-", max_size=8), st.sampled_from(["api.*", "a+?b", "[a-z]{2,3}", r"10\.0\..*", "(?i)x"])
)
matchers = st.one_of(
    st.builds(Matcher, text, text, is_regex=st.just(False), is_equal=st.booleans()),
    st.builds(Matcher, text, patterns, is_regex=st.just(True), is_equal=st.booleans()),
)


@given(st.lists(matchers, max_size=5).map(tuple))
def test_what_is_printed_reads_back_the_same(found: tuple[Matcher, ...]) -> None:
    assert parse_matchers(format_matchers(found)) == found
    assert parse_matchers(",".join(str(m) for m in found)) == found


@given(st.dictionaries(text, text, max_size=5))
def test_exact_matchers_match_their_own_labels(labels: dict[str, str]) -> None:
    exact = exact_matchers(labels)
    assert match_all(exact, labels)
    assert all(m.value for m in exact)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", ()),
        ("{}", ()),
        ('{severity="critical"}', (Matcher("severity", "critical"),)),
        (
            'severity = "critical" , job=~"api.*",',
            (Matcher("severity", "critical"), Matcher("job", "api.*", True)),
        ),
        ("a!=b", (Matcher("a", "b", False, False),)),
        ('a!~"x|y"', (Matcher("a", "x|y", True, False),)),
        ("a=", (Matcher("a", ""),)),
        ("route=/api/forecast", (Matcher("route", "/api/forecast"),)),
        ('"with space"="x"', (Matcher("with space", "x"),)),
        (r'a="q\"b\\s\nl"', (Matcher("a", 'q"b\\s\nl'),)),
        (r'instance=~"10\.0\..*"', (Matcher("instance", r"10\.0\..*", True),)),
        ('a="}"', (Matcher("a", "}"),)),
        ('{a="b"', (Matcher("a", "b"),)),
        ('a="b"}', (Matcher("a", "b"),)),
        ("a=b c", (Matcher("a", "b c"),)),
        ("a==~b", (Matcher("a", "=~b"),)),
        (r"a=b\"c", (Matcher("a", 'b"c'),)),
        ("a=b\\", (Matcher("a", "b\\"),)),
        ("a=b\u00a0", (Matcher("a", "b"),)),
        ("foo.bar=日本", (Matcher("foo.bar", "日本"),)),
        (' { "a b" = "\\u00e9\\x41\\101\\t" , } ', (Matcher("a b", "éAA\t"),)),
        (r'a="\u00e9"', (Matcher("a", r"\u00e9"),)),
        (r'a=~"\u0041"', (Matcher("a", "A", True),)),
    ],
)
def test_grammar(source: str, expected: tuple[Matcher, ...]) -> None:
    assert parse_matchers(source) == expected


@pytest.mark.parametrize(
    ("source", "at"),
    [
        ("severity", "character 9"),
        ('a="x" b="y"', "character 7"),
        ("~a=x", "character 1"),
        ("a=b,,c=d", "character 5"),
        ('"a"=\'x', "character 5"),
        ('"a"=b}', "character 6"),
        ('{"a"=b', "character 7"),
        ('"a"=', "character 5"),
        ('"a"="10\\.0"', "character 8"),
        ('"a"="\n"', "character 6"),
        ('"a"="\\ud800"', "character 6"),
        ('"a"="\\xff"', "character 6"),
        ('{a="x",=}', "character 8"),
        ('a="open', "character 3"),
        ('a="open\\', "character 3"),
    ],
)
def test_errors_name_the_place(source: str, at: str) -> None:
    with pytest.raises(UsageError, match=at):
        parse_matchers(source)


@pytest.mark.parametrize("source", ["a=b}", "{a=b", '{a="b"}', '"a"=b,"c"=d', "", '"a"="b",,'])
def test_a_filter_is_one_matcher_without_braces(source: str) -> None:
    with pytest.raises(UsageError):
        parse_matcher(source)


def test_a_comma_is_part_of_an_unquoted_value_in_a_filter() -> None:
    assert parse_matcher("a=b,c=d") == Matcher("a", "b,c=d")


@pytest.mark.parametrize("source", ['"a b"="c"', "foo.bar=x", ' {a="b"}', r'a=~"\u0041"'])
def test_what_only_the_newer_grammar_reads_can_be_left_out(source: str) -> None:
    assert parse_matchers(source)
    with pytest.raises(UsageError):
        parse_matchers(source, utf8=False)


def test_text_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(UsageError, match="UTF-8"):
        parse_matchers('a="\udcff"')
    with pytest.raises(UsageError, match="regular"):
        Matcher("a", "\udcff", is_regex=True).matches({})


def test_error_text_is_safe() -> None:
    with pytest.raises(UsageError) as caught:
        parse_matchers("a\x1b]52;c;x\x07")
    assert "\x1b" not in str(caught.value)


def test_regular_expressions_are_anchored_at_both_ends() -> None:
    matcher = Matcher("job", "api|web", is_regex=True)
    assert matcher.matches({"job": "api"})
    assert matcher.matches({"job": "web"})
    assert not matcher.matches({"job": "api-2"})
    assert not matcher.matches({"job": "my-web"})


def test_a_dot_is_not_a_newline() -> None:
    assert not Matcher("a", "x.*", is_regex=True).matches({"a": "x\ny"})
    assert Matcher("a", "(?s)x.*", is_regex=True).matches({"a": "x\ny"})


def test_a_pattern_may_close_the_group_it_is_put_into() -> None:
    matcher = Matcher("a", "x)|(y", is_regex=True)
    assert [v for v in ("x", "xz", "zy", "zx", "yz") if matcher.matches({"a": v})] == ["x", "xz", "zy"]


def test_a_big_pattern_that_alertmanager_takes_is_taken() -> None:
    assert Matcher("a", r"\pL{1000}", is_regex=True).matches({"a": "é" * 1000})
    assert Matcher("a", r"\\C\QC\C\E", is_regex=True).matches({"a": r"\CC\C"})


@pytest.mark.parametrize(
    "pattern", ["(?=x)", r"(a)\1", "(", "*", "x{2000}", r"\C", "(?P<é>x)", r"\Qx", "x\\"], ids=repr
)
def test_what_re2_does_not_know_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="bad regular expression"):
        Matcher("a", pattern, is_regex=True).matches({"a": "x"})
    with pytest.raises(UsageError):
        parse_matchers(str(Matcher("a", pattern, is_regex=True)))


def test_matching_is_linear_in_the_value() -> None:
    started = time.monotonic()
    assert not Matcher("a", "(a+)+b", is_regex=True).matches({"a": "a" * 50_000})
    assert time.monotonic() - started < 2.0


def test_a_missing_label_is_the_empty_string() -> None:
    assert Matcher("a", "").matches({})
    assert Matcher("a", "b", is_equal=False).matches({})
    assert Matcher("a", ".*", is_regex=True).matches({})
    assert not Matcher("a", ".+", is_regex=True).matches({})
    assert Matcher("a", ".+", is_regex=True, is_equal=False).matches({})


@pytest.mark.parametrize(
    ("source", "everything"),
    [
        ('a=~".*"', True),
        ('a!="b"', True),
        ('a=""', True),
        ("", True),
        ('a="b"', False),
        ('a=~".*",b=~".+"', False),
    ],
)
def test_matchers_that_match_everything_are_known(source: str, everything: bool) -> None:
    assert matches_everything(parse_matchers(source)) is everything
