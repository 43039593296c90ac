"""The `guard:` of a context: what it means, its problems, how it is shown, and where its files are."""

# ruff: noqa: E501  one case per line

from __future__ import annotations

from pathlib import Path

import pytest

from opsconsole.config.discover import Options, resolve
from opsconsole.config.guard import guard_places
from opsconsole.config.load import load_config
from opsconsole.config.schema import Context, GuardConfig
from opsconsole.config.show import describe
from opsconsole.errors import ConfigError

HOME = Path("/home/ann")


def write(tmp_path: Path, guard: str) -> Path:
    file = tmp_path / "c.yaml"
    file.write_text(f"contexts:\n  a:\n    prometheus: {{url: http://p}}\n    guard: {guard}\n")
    return file


def test_what_a_guard_section_means_and_how_it_is_shown(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "{state: state, kill_switch: ~/stop, lease: /shared/lease.db, listen: '[::1]:9464',"
        " textfile: guard.prom, expect_armed: true}",
    )
    context = load_config(file, {}, home=HOME).contexts["a"]
    assert context.guard == GuardConfig(
        state=tmp_path / "state",
        kill_switch=HOME / "stop",
        lease=Path("/shared/lease.db"),
        listen=("::1", 9464),
        textfile=tmp_path / "guard.prom",
        expect_armed=True,
    )
    shown = describe(resolve(Options(config=file, context="a"), {}, HOME))
    assert shown.endswith(
        f"guard: expected to be armed; tells nobody  # from {file}:2\n"
        f"  state: {tmp_path}/state\n"
        f"  kill_switch: {HOME}/stop\n"
        "  lease: /shared/lease.db\n"
        f"  textfile: {tmp_path}/guard.prom\n"
        "  listen: [::1]:9464"
    )


def test_without_a_guard_section_nothing_is_said_of_one(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("contexts: {a: {prometheus: {url: http://p}}}")
    resolution = resolve(Options(config=file), {}, HOME)
    assert resolution.context.guard is None
    assert "\nguard:" not in describe(resolution)


@pytest.mark.parametrize(
    ("guard", "key", "message", "hint"),
    [
        ("5", "", "must be a mapping, not `5`", "write it as {listen: 127.0.0.1:9464, kill_switch: /run/opsconsole/stop}"),
        ("{kill_swich: /x}", ".kill_swich", "is not a known key", "did you mean kill_switch?"),
        ("{listen: 9464}", ".listen", "must be an address and a port", "write it as 127.0.0.1:9464"),
        ("{listen: '127.0.0.1:0'}", ".listen", "must be an address and a port", "write it as 127.0.0.1:9464"),
        ("{listen: '127.0.0.1:70000'}", ".listen", "must be an address and a port", "write it as 127.0.0.1:9464"),
        ("{listen: '0.0.0.0:9464'}", ".listen", "is not a loopback address", "use 127.0.0.1, and let a proxy that asks who is there publish it; or use textfile"),
        ("{listen: 'example.org:9464'}", ".listen", "is not a loopback address", "use 127.0.0.1, and let a proxy that asks who is there publish it; or use textfile"),
        ("{textfile: /x/guard.txt}", ".textfile", "does not end in .prom", "node-exporter reads *.prom only"),
        ("{expect_armed: sometimes}", ".expect_armed", "must be true or false, not `sometimes`", ""),
        ("{lease: [a]}", ".lease", "must be text, not a list", "the path of a file"),
    ],
)  # fmt: skip
def test_problems_of_a_guard_section(tmp_path: Path, guard: str, key: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, guard), {}, home=HOME)
    found = [(p.line, p.key, p.message, p.hint) for p in caught.value.problems]
    assert found == [(4, f"contexts.a.guard{key}", message, hint)]


def test_the_files_of_a_guard_are_in_the_state_folder_or_where_the_context_says() -> None:
    env = {"OPSCONSOLE_STATE_DIR": "/state"}
    usual = guard_places(Context(name="prod.eu-1"), env)
    assert usual.folder == Path("/state/guard/prod.eu-1")
    assert {p.parent for p in (usual.store, usual.outbox, usual.arming, usual.kill_switch, usual.lease)} == {
        usual.folder
    }
    named = GuardConfig(state=Path("/var/lib/g"), kill_switch=Path("/run/stop"), lease=Path("/nfs/lease"))
    places = guard_places(Context(name="prod", guard=named), env)
    assert (places.folder, places.store) == (Path("/var/lib/g"), Path("/var/lib/g/guard.db"))
    assert (places.kill_switch, places.lease) == (Path("/run/stop"), Path("/nfs/lease"))


@pytest.mark.parametrize("name", ["..", ".", "a/b", "/etc", "prod eu", "ü", "x" * 300, "\ud800"])
def test_a_context_whose_name_cannot_be_a_folder_gets_one_of_its_own(name: str) -> None:
    folder = guard_places(Context(name=name), {"OPSCONSOLE_STATE_DIR": "/state"}).folder
    other = guard_places(Context(name=name + "/"), {"OPSCONSOLE_STATE_DIR": "/state"}).folder
    assert folder.parent == Path("/state/guard")
    assert folder.name not in ("", ".", "..")
    assert len(folder.name) < 100
    assert folder != other
