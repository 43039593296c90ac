"""The flagd definition file: read, rolled back, restored; nothing else in it ever moves."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.clients.flags import make_provider
from opsconsole.clients.flags.base import canonical, safe_variant
from opsconsole.clients.flags.document import Document
from opsconsole.clients.flags.document import parse as parse_any
from opsconsole.clients.flags.files import locked
from opsconsole.clients.flags.flagd import FLAGD, FlagdProvider
from opsconsole.config.schema import FlagsConfig
from opsconsole.errors import Conflict, FlagError, FlagNotFound, Refused
from opsconsole.model.flags import RollbackKind

FLAGS = """{
    "$schema": "https://flagd.dev/schema/v0/flags.json",
    "flags": {
        "dark_mode": {"state": "ENABLED", "variants": {"on": true, "off": false},
            "defaultVariant":   "off"},
        "new_pricing": {
            "state": "ENABLED",
            "variants": {"on": true, "off": false},
            "defaultVariant": "on",
            "targeting": {"if": [{"==": [{"var": "plan"}, "pro"]}, "on", "off"]},
            "metadata": {"team": "pricing"}
        }
    }
}
"""

YAML = """\
# Who changes this file tells #pricing first.
flags:
  dark_mode: {state: ENABLED, variants: {on: true, off: false}, defaultVariant: off}

  # Since March.
  new_pricing:      # the new one
    state: ENABLED
    variants:
      on: true      # v2
      off: false
    defaultVariant: on   # was off
    targeting:      # pro customers
      if:
        - ==: [{var: plan}, pro]
        - on
        - off
    # about the team
    metadata:
      text: |
        one
         two

  # The end.
  last:
    state: DISABLED
    variants: {a: 1, control: 0}
    defaultVariant:
"""


def parse(text: str, *, is_yaml: bool, where: str) -> Document:
    return parse_any(text, is_yaml=is_yaml, where=where, format=FLAGD)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "flags.json"
    path.write_text(FLAGS)
    return path


@pytest.fixture
def yaml_file(tmp_path: Path) -> Path:
    path = tmp_path / "flags.yaml"
    path.write_text(YAML)
    return path


async def roll_back(provider: FlagdProvider, key: str = "new_pricing") -> tuple[str, str]:
    """Roll back and give what a restore needs: the original and the hash of what was written."""
    plan = await provider.plan_off(key)
    await provider.apply(plan)
    flag = (await provider.read()).get(key)
    assert flag is not None
    return plan.original, flag.content_hash


async def test_flags_are_read_with_what_they_serve(file: Path) -> None:
    flagset = await FlagdProvider(file).read()
    pricing, dark = flagset.get("new_pricing"), flagset.get("dark_mode")
    assert pricing is not None
    assert dark is not None
    assert (pricing.serves, pricing.safe_variant, pricing.has_targeting) == (
        "on, with targeting",
        "off",
        True,
    )
    assert (dark.serves, dark.enabled, dark.variants) == ("off", True, ("on", "off"))
    assert flagset.source == str(file)
    file.write_text(FLAGS + "\n")
    again = await FlagdProvider(file).read()
    assert again.revision != flagset.revision
    assert again.flags == flagset.flags


async def test_a_rollback_changes_two_fields_and_no_other_byte(file: Path) -> None:
    provider = FlagdProvider(file)
    plan = await provider.plan_off("new_pricing")
    assert plan.kind is RollbackKind.OFF
    assert plan.words == "new_pricing: serve off to everyone; default on -> off; targeting cleared"
    assert '-    "defaultVariant": "on",' in plan.diff
    assert '+    "targeting": {},' in plan.diff
    assert file.read_text() == FLAGS
    revision = await provider.apply(plan)
    expected = FLAGS.replace('"defaultVariant": "on"', '"defaultVariant": "off"').replace(
        '"targeting": {"if": [{"==": [{"var": "plan"}, "pro"]}, "on", "off"]}', '"targeting": {}'
    )
    assert file.read_text() == expected
    flagset = await provider.read()
    assert flagset.revision == revision
    flag = flagset.get("new_pricing")
    assert flag is not None
    assert (flag.serves, flag.enabled) == ("off", True)
    assert provider.content_hash(plan.replacement) == flag.content_hash


@pytest.mark.parametrize("name", ["flags.json", "flags.yaml"])
async def test_a_restore_brings_every_byte_back(tmp_path: Path, name: str) -> None:
    text = FLAGS if name.endswith("json") else YAML
    path = tmp_path / name
    path.write_text(text)
    provider = FlagdProvider(path)
    original, written = await roll_back(provider)
    assert path.read_text() != text
    plan = await provider.plan_to("new_pricing", original, RollbackKind.UNDO, expected_hash=written, restore=True)
    assert plan.restore
    assert plan.kind is RollbackKind.UNDO
    await provider.apply(plan)
    assert path.read_text() == text


async def test_yaml_keeps_comments_and_all_else(yaml_file: Path) -> None:
    provider = FlagdProvider(yaml_file)
    await roll_back(provider)
    expected = YAML.replace("defaultVariant: on   # was off", 'defaultVariant: "off"   # was off').replace(
        """    targeting:      # pro customers
      if:
        - ==: [{var: plan}, pro]
        - on
        - off
""",
        "    targeting: {}      # pro customers\n",
    )
    assert yaml_file.read_text() == expected


async def test_yaml_words_are_read_as_flagd_reads_them(yaml_file: Path) -> None:
    flagset = await FlagdProvider(yaml_file).read()
    dark, last = flagset.get("dark_mode"), flagset.get("last")
    assert dark is not None
    assert last is not None
    assert (dark.default_variant, dark.variants) == ("off", ("on", "off"))
    assert (last.serves, last.safe_variant) == ("the code's default (disabled)", "control")


async def test_a_disabled_flag_is_enabled_so_that_the_code_does_not_decide(yaml_file: Path) -> None:
    provider = FlagdProvider(yaml_file)
    await roll_back(provider, "last")
    flag = (await provider.read()).get("last")
    assert flag is not None
    assert (flag.enabled, flag.serves) == (True, "control")
    assert yaml_file.read_text().startswith(YAML[: YAML.index("  last:")])


@pytest.mark.parametrize(
    ("is_yaml", "text"),
    [
        (False, '{"flags":{"f":{"variants":{"on":true,"off":false},"state":"ENABLED"}}}'),
        (False, '{"flags":{"f":{\n\t"state":"ENABLED",\n\t"variants":{"on":true,"off":false}}}}\r\n'),
        (
            True,
            "flags:\r\n  f:\r\n    variants:\r\n      on: true\r\n      off: false\r\n    state: ENABLED\r\n",
        ),
        (True, "flags: {f: {variants: {on: true, off: false}, targeting: }}"),
        (True, "flags:\n  f:\n    variants: {on: true, off: false}\n    defaultVariant:\n      on"),
        (True, "flags:\n  f:\n    variants: {on: true, off: false}\n    targeting:\n     a: 1\n"),
        (True, "flags:\n  f:\n    variants: {off: false}\n    note: |\n      two\n\n  g: {variants: {}}"),
    ],
)
async def test_odd_layouts(tmp_path: Path, is_yaml: bool, text: str) -> None:
    path = tmp_path / ("f.yml" if is_yaml else "f.json")
    path.write_bytes(text.encode())
    provider = FlagdProvider(path)
    original, written = await roll_back(provider, "f")
    flag = (await provider.read()).get("f")
    assert flag is not None
    assert flag.serves == "off"
    await provider.apply(
        await provider.plan_to("f", original, RollbackKind.UNDO, expected_hash=written, restore=True)
    )
    assert path.read_bytes() == text.encode()


async def test_a_block_that_keeps_blank_lines_survives_in_meaning(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(
        "flags:\n  f:\n    variants: {off: false}\n    note: |+\n      x\n\n\n  # g\n  g: {variants: {}}\n"
    )
    before = parse(path.read_text(), is_yaml=True, where="before").data
    provider = FlagdProvider(path)
    original, written = await roll_back(provider, "f")
    await provider.apply(
        await provider.plan_to("f", original, RollbackKind.UNDO, expected_hash=written, restore=True)
    )
    assert parse(path.read_text(), is_yaml=True, where="after").data == before
    assert "  # g\n" in path.read_text()


async def test_a_restore_over_someones_change_is_refused(file: Path) -> None:
    provider = FlagdProvider(file)
    original, written = await roll_back(provider)
    changed = file.read_text().replace('"team": "pricing"', '"team": "other"')
    file.write_text(changed)
    with pytest.raises(Conflict, match="changed since"):
        await provider.plan_to("new_pricing", original, RollbackKind.UNDO, expected_hash=written, restore=True)
    assert file.read_text() == changed


async def test_a_plan_for_another_version_is_refused(file: Path) -> None:
    provider = FlagdProvider(file)
    plan = await provider.plan_off("new_pricing")
    changed = FLAGS.replace('"team": "pricing"', '"team": "other"')
    file.write_text(changed)
    with pytest.raises(Conflict, match="nothing was written"):
        await provider.apply(plan)
    assert file.read_text() == changed


async def test_a_change_of_another_flag_is_kept(file: Path) -> None:
    provider = FlagdProvider(file)
    plan = await provider.plan_off("new_pricing")
    file.write_text(FLAGS.replace('"defaultVariant":   "off"', '"defaultVariant":   "on"'))
    await provider.apply(plan)
    data = json.loads(file.read_text())["flags"]
    assert (data["dark_mode"]["defaultVariant"], data["new_pricing"]["defaultVariant"]) == ("on", "off")


async def test_refusals_say_why(file: Path) -> None:
    provider = FlagdProvider(file)
    with pytest.raises(Refused, match="already serves off"):
        await provider.plan_off("dark_mode")
    with pytest.raises(FlagNotFound, match="no flag"):
        await provider.plan_off("\x1b[31mnope")
    with pytest.raises(Refused, match="none-such is not one of its variants"):
        await FlagdProvider(file, {"new_pricing": "none-such"}).plan_off("new_pricing")
    file.write_text('{"flags": {"f": {"variants": {"a": 1, "b": 2}, "defaultVariant": "a"}}}')
    with pytest.raises(Refused, match="no safe variant") as caught:
        await provider.plan_off("f")
    assert "a, b" in caught.value.hint


@pytest.mark.parametrize(
    ("variants", "configured", "metadata", "expected"),
    [
        ({"on": True, "off": False}, "on", {"safeVariant": "off"}, "on"),
        ({"on": True, "off": False}, None, {"safeVariant": "on"}, "on"),
        ({"new": True, "old": False}, None, None, "old"),
        ({"treatment": 1, "Control": 0}, None, None, "Control"),
        ({"control": "a", "off": "b"}, None, {}, "off"),
        ({"a": False, "b": False}, None, None, ""),
        ({"a": 0, "b": 1}, None, None, ""),
        ({"on": True, "off": False}, "gone", None, ""),
    ],
)
def test_the_safe_variant(
    variants: dict[str, object], configured: str | None, metadata: object, expected: str
) -> None:
    assert safe_variant(variants, configured, metadata) == expected


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("f.json", "", "f.json: the file is empty"),
        ("f.json", " \n", "f.json: the file is empty"),
        ("f.json", FLAGS[:200], r"f.json:\d+: not valid JSON"),
        ("f.json", "[]", "needs a mapping `flags`"),
        ("f.json", '{"flags": {"f": {}, "f": {}}}', "given twice"),
        ("f.json", '{"flags": {\n"f": 1}}', "f.json:2: flag f must be a mapping"),
        (
            "f.json",
            '{"flags": {\n\n"f": {"variants": {}, "state": "OFF"}}}',
            "f.json:3: .*ENABLED or DISABLED",
        ),
        (
            "f.json",
            '{"flags": {"f": {"variants": {"a": 1}, "defaultVariant": "b"}}}',
            "not one of its variants",
        ),
        ("f.json", '{"flags": {"f": {"variants": {"a": NaN}}}}', "NaN is not JSON"),
        ("f.json", '{"a":' * 100_000, "too deeply"),
        ("f.yaml", "flags:\n  f: [", r"f.yaml:\d: not valid YAML"),
        ("f.yaml", "flags:\n  f: &x {variants: {}}\n  g: *x\n", "f.yaml:3: aliases"),
        (
            "f.yaml",
            "flags:\n  f: {variants: {}}\n  f: {variants: {}}\n",
            "f.yaml:3: the key f is given twice",
        ),
        ("f.yaml", "# nothing\n", "not valid YAML"),
        ("f.yaml", "flags: {f: {variants: {}}}\n---\nflags: {}\n", "not valid YAML"),
        ("f.yaml", "flags: {f: !!python/name:os.system {}}", "not valid YAML|must be"),
    ],
)
async def test_an_invalid_file_is_refused_with_its_place(tmp_path: Path, name: str, text: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(FlagError, match=says) as caught:
        await FlagdProvider(path).read()
    assert str(caught.value).startswith(str(path))


async def test_missing_and_undecodable_files_say_so(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    with pytest.raises(FlagError, match="No such file") as caught:
        await FlagdProvider(path).read()
    assert caught.value.hint
    path.write_bytes(b'{\n"\xff"}')
    with pytest.raises(FlagError, match=r"f.json:2: the file is not UTF-8"):
        await FlagdProvider(path).read()


async def test_symlink_mode_and_rising_time_are_kept(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text(FLAGS)
    real.chmod(0o640)
    link.symlink_to("real.json")
    future = real.stat().st_mtime_ns + 3_600_000_000_000
    os.utime(real, ns=(future, future))
    if os.geteuid() == 0:
        os.chown(real, 1234, 2345)
    owner = (real.stat().st_uid, real.stat().st_gid)
    await roll_back(FlagdProvider(link))
    after = real.stat()
    assert link.is_symlink()
    assert json.loads(real.read_text())["flags"]["new_pricing"]["defaultVariant"] == "off"
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == owner
    assert after.st_mtime_ns > future
    assert sorted(p.name for p in tmp_path.iterdir()) == [".real.json.lock", "link.json", "real.json"]


async def test_writers_wait_for_each_other(file: Path) -> None:
    provider = FlagdProvider(file)
    plan = await provider.plan_off("new_pricing")
    with locked(file):
        writing = asyncio.create_task(provider.apply(plan))
        done, _ = await asyncio.wait({writing}, timeout=0.1)
        assert not done
        assert file.read_text() == FLAGS
    await writing
    assert file.read_text() != FLAGS


_KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from opsconsole.clients.flags.flagd import FlagdProvider
os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)
async def main():
    provider = FlagdProvider(Path(sys.argv[1]))
    await provider.apply(await provider.plan_off("new_pricing"))
asyncio.run(main())
"""


async def test_a_kill_between_write_and_rename_leaves_the_file_whole(file: Path) -> None:
    process = subprocess.run([sys.executable, "-c", _KILLED, str(file)], timeout=60)
    assert process.returncode == -9
    assert file.read_text() == FLAGS
    assert any(p.name.endswith(".tmp") for p in file.parent.iterdir())
    await roll_back(FlagdProvider(file))
    assert not any(p.name.endswith(".tmp") for p in file.parent.iterdir())


async def test_a_lock_that_leads_elsewhere_is_not_followed(file: Path) -> None:
    plan = await FlagdProvider(file).plan_off("new_pricing")
    precious = file.with_name("precious")
    file.with_name(".flags.json.lock").symlink_to(precious)
    with pytest.raises(FlagError, match="cannot be locked"):
        await FlagdProvider(file).apply(plan)
    assert not precious.exists()
    assert file.read_text() == FLAGS


def test_providers_are_made_from_configuration(file: Path) -> None:
    made = make_provider(FlagsConfig(provider="flagd", path=file, safe_variants={"new_pricing": "off"}))
    assert made.name == "flagd"
    with pytest.raises(FlagError, match="unknown flag provider"):
        make_provider(FlagsConfig(provider="nope", path=file))
    with pytest.raises(FlagError, match="needs `path:`"):
        make_provider(FlagsConfig(provider="flagd"))


TEXT = st.text(st.characters(blacklist_categories=()), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def flag_definitions(draw: st.DrawFn) -> dict[str, Any]:
    variants = draw(st.dictionaries(TEXT, VALUES, max_size=3)) | {"on": True, "off": False}
    optional = {
        "state": st.sampled_from(["ENABLED", "DISABLED"]),
        "defaultVariant": st.none() | st.sampled_from(sorted(variants)),
        "targeting": st.none() | st.dictionaries(TEXT, VALUES, max_size=3),
        "metadata": st.dictionaries(TEXT.filter(lambda name: name != "safeVariant"), VALUES, max_size=2),
    }
    chosen = draw(st.fixed_dictionaries({"variants": st.just(variants)}, optional=optional))
    return dict(draw(st.permutations(list(chosen.items()))))


@settings(max_examples=150, deadline=None)
@given(
    flags=st.dictionaries(TEXT, flag_definitions(), min_size=1, max_size=3),
    indent=st.sampled_from([None, 0, 1, 2, 4, "\t"]),
    ascii_only=st.booleans(),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : ")]),
)
def test_rollback_and_restore_of_any_json_file(
    tmp_path_factory: pytest.TempPathFactory,
    flags: dict[str, Any],
    indent: int | str | None,
    ascii_only: bool,
    separators: tuple[str, str],
) -> None:
    text = json.dumps({"flags": flags}, indent=indent, ensure_ascii=ascii_only, separators=separators)
    try:
        content = text.encode()
    except UnicodeEncodeError:
        content = json.dumps({"flags": flags}, indent=indent, separators=separators).encode()
    path = tmp_path_factory.mktemp("flags") / "flags.json"
    path.write_bytes(content)
    provider = FlagdProvider(path, dict.fromkeys(flags, "off"))
    key = next(iter(flags))
    before = parse(content.decode(), is_yaml=False, where="before")

    async def there_and_back() -> bytes:
        plan = await provider.plan_off(key)
        await provider.apply(plan)
        middle = path.read_bytes()
        flag = (await provider.read()).get(key)
        assert flag is not None
        assert (flag.enabled, flag.default_variant, flag.has_targeting) == (True, "off", False)
        await provider.apply(
            await provider.plan_to(
                key, plan.original, RollbackKind.UNDO, expected_hash=flag.content_hash, restore=True
            )
        )
        return middle

    try:
        middle = asyncio.run(there_and_back())
    except Refused as refused:
        assert "already serves" in refused.message  # noqa: PT017 - either way is right, this one for a reason
        return
    after = parse(middle.decode(), is_yaml=False, where="after")
    for other in flags:
        assert other == key or after.slice(other) == before.slice(other)
    assert path.read_bytes() == content
    assert canonical(json.loads(path.read_bytes())) == canonical({"flags": flags})


@pytest.mark.parametrize(
    ("more", "serves", "rollout"),
    [
        ({}, "on", 100.0),
        ({"targeting": {"fractional": [["on", 25], ["off", 75]]}}, "on 25 %, off 75 %", 25.0),
        ({"targeting": {"fractional": [{"var": "id"}, ["on", 1], ["off", 7]]}}, "on 12.5 %, off 87.5 %", 12.5),
        ({"targeting": {"fractional": [["on"], ["off"]]}}, "on 50 %, off 50 %", 50.0),
        ({"targeting": {"fractional": [["on", 1], ["gone", 1]]}}, "on, with targeting", None),
        ({"targeting": {"fractional": [[["on"], 1]]}}, "on, with targeting", None),
        ({"targeting": {"fractional": [["on", 0]]}}, "on, with targeting", None),
        ({"targeting": {"fractional": [["on", 50.0], ["off", 50.0]]}}, "on, with targeting", None),
        ({"targeting": {"fractional": [["on", True]]}}, "on, with targeting", None),
        ({"targeting": {"if": [True, "on", "off"]}}, "on, with targeting", None),
        ({"state": "DISABLED"}, "the code's default (disabled)", None),
        ({"defaultVariant": None}, "the code's default", None),
    ],
)
async def test_the_percentage_of_users_is_told_where_it_is_one_number(
    file: Path, more: dict[str, object], serves: str, rollout: float | None
) -> None:
    flag = {"variants": {"on": True, "off": False}, "defaultVariant": "on"}
    file.write_text(json.dumps({"flags": {"f": flag | more}}))
    found = (await FlagdProvider(file).read()).get("f")
    assert found is not None
    assert (found.serves, found.rollout) == (serves, rollout)


async def test_tags_and_type_come_from_the_metadata(file: Path) -> None:
    flags = {
        "a": {"variants": {}, "metadata": {"tags": ["x", 1, "\x1b"], "type": "release"}},
        "b": {"variants": {}, "metadata": {"tags": "x, y", "type": 1}},
        "c": {"variants": {}, "metadata": []},
    }
    file.write_text(json.dumps({"flags": flags}))
    found = {flag.key: (flag.tags, flag.type) for flag in (await FlagdProvider(file).read()).flags}
    assert found == {"a": (("x", "\\x1b"), "release"), "b": (("x", "y"), ""), "c": ((), "")}


@pytest.mark.parametrize("is_yaml", [False, True])
def test_a_large_file_is_gone_through_once_to_know_its_lines(is_yaml: bool) -> None:
    class Text(str):
        looked_at = 0

        def count(self, what: str, start: Any = 0, end: Any = None) -> int:
            Text.looked_at += (len(self) if end is None else end) - start
            return super().count(what, start, end)

    flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}
    text = Text(json.dumps({"flags": {f"flag_{n}": flag for n in range(50)}}, indent=1))
    assert len(parse_any(text, is_yaml=is_yaml, where="flags", format=FLAGD).flags) == 50
    assert Text.looked_at <= 2 * len(text)
    broken = text.replace('"ENABLED"', '"enabled"').replace('"enabled"', '"ENABLED"', 30)
    with pytest.raises(FlagError) as caught:
        parse_any(broken, is_yaml=is_yaml, where="flags", format=FLAGD)
    at = broken[: broken.index('"flag_30"')].count("\n") + 1
    assert caught.value.where == f"flags:{at}"
