"""Any bytes as a file give a configuration or a ConfigError that names file and line; nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsconsole.config import nodes
from opsconsole.config.load import load_config
from opsconsole.config.playbooks import load_playbook
from opsconsole.config.reader import nearest, parse_seconds
from opsconsole.errors import ConfigError, Problem
from opsconsole.text import is_safe

_WORDS = [
    *("contexts", "a", "prometheus", "alertmanager", "members", "url", "flags", "provider", "flagd", "path"),
    *("name", "basic_auth", "password", "http_headers", "values", "timeout", "playbooks", "dashboards", "id"),
    *("http://a:1", "~", "null", "true", "5", "1e400", "5m", "-", ":", "{}", "[]", "{a:", "[", "&", "*", "!"),
    *("|", ">", "#", "---", "...", "<<", "'", '"', "\x00", "\x1b", "\u202e", "é"),
]
_yamlish = st.lists(st.sampled_from([*_WORDS, "\n", "\n  ", "\n    ", ": ", "- ", "{", "}", "[", "]", ", "])).map(
    "".join
)


def problems_of(path: Path, text: str | bytes) -> tuple[Problem, ...]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_config(path, {}, home=path.parent)
    return caught.value.problems


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=300).map(lambda t: t.encode("utf-8", "replace")),
        _yamlish.map(str.encode),
    )
)
def test_any_bytes_give_a_configuration_or_a_config_error(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "playbook.yaml").write_bytes(raw)
    (tmp_path / "runbooks").mkdir(exist_ok=True)
    (tmp_path / "runbooks" / "a.md").write_bytes(b"---\n" + raw + b"\n---\n")
    found: list[Problem] = []
    for load in (
        lambda: load_config(tmp_path / "playbook.yaml", {}, home=tmp_path),
        lambda: load_playbook(tmp_path),
    ):
        try:
            load()
        except ConfigError as error:
            found += error.problems
    assert all(is_safe(f"{p.file}{p.key}{p.message}{p.hint}") for p in found)


@pytest.mark.parametrize(
    ("raw", "line", "message", "hint"),
    [
        ("", 0, "is empty", ""),
        ("# only a comment\n", 0, "is empty", ""),
        (b"a: 1\nb: \xff\n", 2, "is not UTF-8 text (byte 0xff)", "save it as UTF-8"),
        ("contexts:\n  a: \x1b[31m\n", 2, "has a character that YAML does not allow: \\x1b", ""),
        (
            "contexts:\n  a: 'x\n",
            3,
            "is not valid YAML: while scanning a quoted scalar, found unexpected end of stream",
            "",
        ),
        ("contexts: {}\n---\na: 1\n", 2, "has a second document", "one file, one document"),
        ("- a\n", 1, "must be a mapping, not a list", ""),
        ("x: &a 1\n", 1, "uses the anchor &a", "write the value out where it is used"),
        ("x: 1\ny: *a\n", 2, "uses the alias *a", "write the value out"),
        (
            "x: !!python/name:os.system ''\n",
            1,
            "uses the tag tag:yaml.org,2002:python/name:os.system",
            "leave the tag out",
        ),
        ("x: !mine 1\n", 1, "uses the tag !mine", "leave the tag out"),
        ("contexts:\n  a: {}\n  a: {}\n", 3, "this key is here twice", "it was first on line 2"),
        ("<<: {a: 1}\n", 1, "merge keys are not used here", "write the values out"),
        ("? [a, b]\n: 1\n", 1, "a key must be text, this is a list", ""),
    ],
)
def test_what_is_wrong_with_the_file_itself(
    tmp_path: Path, raw: str | bytes, line: int, message: str, hint: str
) -> None:
    file = tmp_path / "c.yaml"
    found = problems_of(file, raw)
    assert (str(file), line, message, hint) in [(p.file, p.line, p.message, p.hint) for p in found]


def test_deep_nesting_is_a_problem_and_is_noticed_early(tmp_path: Path) -> None:
    assert "nested deeper than" in problems_of(tmp_path / "c.yaml", "[" * 200_000)[0].message
    nested = "".join(" " * i + "a:\n" for i in range(900))
    assert problems_of(tmp_path / "c.yaml", nested)[0].line == nodes.MAX_DEPTH + 1


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "c.yaml", "#" * 1_000_001)[0].message == "is larger than 1,000,000 bytes"


def test_a_missing_file_and_a_folder_say_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: there is no such file"):
        load_config(tmp_path / "none.yaml", {}, home=tmp_path)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path, {}, home=tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(Path("a\0b"), {}, home=tmp_path)


def test_a_byte_order_mark_is_fine(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(b"\xef\xbb\xbfcontexts: {a: {prometheus: {url: 'http://p:9090'}}}\n")
    assert list(load_config(file, {}, home=tmp_path).contexts) == ["a"]


def test_it_reads_the_same_without_the_c_loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "contexts:\n  a:\n    prometheus: {url: http://p, timeout: 5}\n    read_only: 'yes'\n    x: *b\n"
    quick = problems_of(tmp_path / "c.yaml", text)
    monkeypatch.setattr(nodes, "Loader", nodes.yaml.SafeLoader)
    assert problems_of(tmp_path / "c.yaml", text) == quick
    assert len(quick) == 4


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m", 300),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("0", 0),
        ("1d", 86400),
        ("2w", 1209600),
        ("1y", 31536000),
    ],
)
def test_durations_are_those_of_prometheus(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5m1h", "1.5h", "-5m", "5 m", "9" * 70 + "s", "200y"])
def test_other_durations_are_none(text: str) -> None:
    assert parse_seconds(text) is None


def test_nearest_names_the_near_one_or_all() -> None:
    assert nearest("prometeus", ["prometheus", "flags"]) == "did you mean prometheus?"
    assert nearest("HIGHERRORRATE", ["HighErrorRate"]) == "did you mean HighErrorRate?"
    assert nearest("zzz", ["b", "a"]) == "known: a, b"
    assert nearest("zzz", []) == ""
