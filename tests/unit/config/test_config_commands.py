"""`opsconsole config` and `opsconsole playbook`, and the connection options that every command has."""

from __future__ import annotations

import contextlib
import io
import json
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import typer

from opsconsole.cli import config, playbook
from opsconsole.cli.options import connected
from opsconsole.config import starter
from opsconsole.config.discover import Options
from opsconsole.config.flags import PROVIDERS
from opsconsole.config.load import load_config
from opsconsole.errors import ConfigError, ExitCode, UsageError
from opsconsole.model.acks import AckPolicy

FULL = """\
contexts:
  prod:
    environment: production
    prometheus:
      url: https://prom.example
      authorization: {credentials_command: [fetch, --token, hunter2]}
      http_headers: {X-Key: {values: [hunter2]}}
      tls_config: {ca_file: ca.pem, insecure_skip_verify: true}
      timeout: 3s
    alertmanager:
      - {name: main, members: [http://am], basic_auth: {username: ann, password_file: pw}, proxy_url: http://proxy}
    flags: {provider: flagd, path: f.json, safe_variants: {new_pricing: off}}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("OPSCONSOLE_CONFIG", "XDG_CONFIG_HOME", "PROMETHEUS_URL", "ALERTMANAGER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(app: typer.Typer, *arguments: str) -> str:
    """What the command says. Raises what it raises."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        app(args=list(arguments), standalone_mode=False)
    return said.getvalue()


def test_init_writes_a_file_that_validates(home: Path) -> None:
    file = home / ".config" / "opsconsole" / "config.yaml"
    assert run(config.app, "init") == f"wrote {file}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [p.name for p in file.parent.iterdir()] == ["config.yaml"]
    assert run(config.app, "validate") == f"OK: {file}: contexts main\n"
    context = load_config(file, {}).contexts["main"]
    assert context.prometheus is not None
    assert context.prometheus.url == "http://localhost:9090"


def test_every_commented_setting_of_the_starter_is_valid(home: Path) -> None:
    text = starter.starter("http://p", ("http://a",))
    alive: list[str] = []
    for line in text.splitlines():
        bare = line.lstrip()
        is_setting = bare.startswith("# ") and bare[2:].lstrip().split(":")[0].replace("_", "").isalpha()
        wanted = is_setting and ":" in bare and line.startswith("    ") and "Shown" not in line
        alive.append(line.replace("# ", "", 1) if wanted else line)
    # One server has either kind of credentials.
    kept = [line for line in alive if "credentials_file" not in line and "http_config:" not in line]
    file = home / "c.yaml"
    file.write_text("\n".join(kept))
    context = load_config(file, {}, home=home).contexts["main"]
    assert context.author == "ann"
    assert context.acks == AckPolicy()
    assert context.flags is not None
    assert context.prometheus is not None
    assert context.prometheus.http.http_headers["X-Scope-OrgID"].values == ("tenant-1",)
    assert context.prometheus.http.tls_config.server_name == "prometheus"


def test_every_flag_provider_of_the_starter_is_valid(home: Path) -> None:
    text = starter.starter("http://p", ("http://a",))
    named = [
        line.split("#", 2)[1].strip() for line in text.splitlines() if line.strip().startswith("#   {provider:")
    ]
    file = home / "c.yaml"
    found = set()
    for flags in named:
        file.write_text(f"contexts:\n  main:\n    flags: {flags}\n")
        read = load_config(file, {}, home=home).contexts["main"].flags
        assert read is not None
        found.add(read.provider)
    assert found == set(PROVIDERS) - {"flagd"}


def test_init_never_replaces_without_force(home: Path) -> None:
    file = home / "c.yaml"
    file.write_text("mine")
    with pytest.raises(UsageError) as caught:
        run(config.app, "init", "--config", str(file))
    assert (str(caught.value), caught.value.hint) == (f"{file}: the file is already there", "--force replaces it")
    assert file.read_text() == "mine"
    link = home / "link.yaml"
    link.symlink_to(file)
    run(
        config.app, "init", "--config", str(link), "--force",
        "--prometheus", "http://p", "--alertmanager", "http://a", "--alertmanager", "http://b",
    )  # fmt: skip
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    members = load_config(file, {}).contexts["main"].alertmanager[0].members
    assert [m.url for m in members] == ["http://a", "http://b"]
    assert sorted(p.name for p in home.iterdir()) == ["c.yaml", "link.yaml"]


def test_init_that_cannot_write_says_so(home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(UsageError, match=r"file/c\.yaml: cannot be written: Not a directory"):
        run(config.app, "init", "--config", "file/c.yaml")
    with pytest.raises(UsageError, match="--prometheus has a user name or password"):
        run(config.app, "init", "--prometheus", "http://u:hunter2@p")
    with pytest.raises(UsageError, match="--alertmanager is not an http or https URL"):
        run(config.app, "init", "--alertmanager", 'x"]')


def test_show_tells_values_and_origins_but_no_secret(home: Path) -> None:
    file = home / "c.yaml"
    file.write_text(FULL)
    said = run(config.app, "show", "--config", str(file), "--read-only", "--playbook", "accubooks")
    assert "hunter2" not in said
    assert said == (
        "context: prod\n"
        f"environment: production  # from {file}:2\n"
        "read_only: true  # from --read-only\n"
        "author: (the login name)\n"
        "acks: 15m each, at most 4h old, stale after 1h\n"
        "playbooks: accubooks  # from --playbook\n"
        f"prometheus: https://prom.example  # from {file}:2\n"
        "  authorization: Bearer, credentials from the command fetch\n"
        f"  ca_file: {home}/ca.pem\n"
        "  insecure_skip_verify: true (anyone in between can read and change everything)\n"
        "  header X-Key: 1 value(s), not shown\n"
        "  timeout: 3s\n"
        f"alertmanager:  # from {file}:2\n"
        "  main:\n"
        "    http://am\n"
        f"      basic_auth: ann, password from {home}/pw\n"
        "      proxy_url: http://proxy\n"
        "silences: typed confirmation above 10 alerts or 24h\n"
        f"flags: flagd, {home}/f.json  # from {file}:2\n"
        "  rollback of new_pricing serves off\n"
    )


def test_show_without_a_file(home: Path) -> None:
    said = run(config.app, "show", "--prometheus", "http://p")
    assert "prometheus: http://p  # from --prometheus\nalertmanager: (those that Prometheus names)\n" in said
    with pytest.raises(ConfigError, match="nothing to connect to"):
        run(config.app, "show")


def test_validate_tells_the_problems_of_the_file(home: Path) -> None:
    file = home / "c.yaml"
    file.write_text("contexts: {a: {prometheus: {ulr: x}}}\nx: 1\n")
    with pytest.raises(ConfigError) as caught:
        run(config.app, "validate", str(file))
    assert len(caught.value.problems) == 3
    assert caught.value.exit_code == ExitCode.USAGE


def test_validate_reads_the_playbooks_too(home: Path) -> None:
    file = home / "c.yaml"
    (home / "mine").mkdir()
    (home / "mine" / "playbook.yaml").write_text("system: s\nx: 1\n")
    file.write_text(
        "contexts:\n  a: {prometheus: {url: http://p}, playbooks: [acubooks, ./mine]}\n"
        "  b: {prometheus: {url: http://p}, playbooks: [accubooks, ./mine]}\n"
    )
    with pytest.raises(ConfigError) as caught:
        run(config.app, "validate", str(file))
    missing, bad = caught.value.problems
    assert (missing.file, missing.line, missing.key) == (str(file), 2, "contexts.a.playbooks")
    assert "did you mean accubooks?" in missing.hint
    assert str(bad).startswith(f"{home}/mine/playbook.yaml:2: x: is not a known key")


def test_validate_without_a_file(home: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        run(config.app, "validate")
    assert str(home / ".config/opsconsole/config.yaml") in str(caught.value)
    assert "config init" in caught.value.hint


def test_playbook_list(home: Path) -> None:
    header, *rows = run(playbook.app, "list").splitlines()
    assert header.split() == ["NAME", "TITLE", "ALERTS", "CRITICAL", "HIGH", "WARNING", "INFO", "PANELS", "FOLDER"]
    assert any(row.startswith("accubooks ") for row in rows)
    listed = json.loads(run(playbook.app, "list", "--json"))
    books = next(row for row in listed if row["name"] == "accubooks")
    assert list(books) == header.lower().split()
    assert (books["title"], books["alerts"]) == ("AccuBooks", 9)
    assert [books[word] for word in ("critical", "high", "warning", "info")] == [4, 3, 2, 0]


def test_playbook_list_tells_of_bad_ones(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "bad").mkdir()
    (home / "bad" / "playbook.yaml").write_text("x: 1\n")
    monkeypatch.setattr("opsconsole.config.playbooks.list_playbooks", lambda: (home / "bad",))
    with pytest.raises(ConfigError, match=r"bad/playbook\.yaml:1: x: is not a known key"):
        run(playbook.app, "list")


def test_the_connection_options_become_one_struct() -> None:
    app, got = typer.Typer(), []

    @app.command()
    @connected
    def command(options: Options, word: str = "") -> None:
        got.append((options, word))

    run(app)
    run(
        app, "--config", "c", "--context", "x", "--prometheus", "p", "--alertmanager", "a", "--alertmanager",
        "b", "--playbook", "y", "--read-only", "--flags-file", "f", "--word", "w",
    )  # fmt: skip
    assert got[0] == (Options(), "")
    assert got[1][1] == "w"
    assert msgspec.structs.asdict(got[1][0]) == {
        "config": Path("c"),
        "context": "x",
        "prometheus": "p",
        "alertmanager": ("a", "b"),
        "playbook": ("y",),
        "read_only": True,
        "flags_file": Path("f"),
    }


def test_importing_the_commands_loads_nothing_heavy() -> None:
    code = (
        "import sys, opsconsole.cli.config, opsconsole.cli.playbook, opsconsole.cli.options;"
        "print([m for m in ('textual', 'httpx', 'plotext', 'sqlite3', 're2') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
