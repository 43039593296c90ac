"""What a guard stands in, nothing mocked: Unleash on PostgreSQL, Prometheus, Alertmanager, a ruleIQ application
that asks Unleash through its SDK, a receiver of webhooks, and a configuration for `opsconsole guard`.

    with GuardScene(folder, unleash, "run1") as scene:
        scene.release(100)
        ...

Prometheus and Unleash are behind proxies, which are transparent until a test says otherwise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from opsconsole.config.playbooks import find_playbook
from opsconsole.demo.compress import compressed_copy
from opsconsole.demo.heard import receivers_on_loopback
from opsconsole.model.guard import EVENT_KINDS
from tests.support.counting_proxy import CountingProxy
from tests.support.flag_servers import Unleash, rollout
from tests.support.servers import Alertmanager, Prometheus, Server, http, require, wait_for

ROOT = Path(__file__).resolve().parents[2]
CONTEXT = "live"
RULE = "error_rate"
"""The rule of the playbook's guard that the flags of the scene make break."""

QUICK = {"interval": "1s", "clear_for": "2s", "blind_after": "10s"}
"""What makes a guard with compressed rules quick."""

MakeScene = Callable[..., "GuardScene"]
"""Makes a scene that has started, with an Unleash of its own; takes what GuardScene takes after that."""

SCRAPES = """\
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
scrape_configs:
  - job_name: ruleiq
    static_configs: [{targets: ["127.0.0.1:%d"], labels: {}}]
    relabel_configs: [{target_label: instance, replacement: "ruleiq:8000"}]
rule_files: [%s]
"""


class RuleiqApp(Server):
    """The application's process: `tests.support.ruleiq_app`."""

    start_limit = 60.0

    def __init__(self, directory: Path, unleash: Unleash, flags: Sequence[str]) -> None:
        super().__init__(directory)
        self._unleash, self.flags = unleash, tuple(flags)

    def command(self) -> Sequence[str]:
        named = [word for flag in self.flags for word in ("--flag", flag)]
        asked = ("--unleash", self._unleash.url, "--token", self._unleash.client_token)
        place = ("--port", str(self.port), "--faults", str(self.directory / "faults.json"))
        program = (sys.executable, "-m", "tests.support.ruleiq_app")
        return (require("setpriv"), "--pdeathsig", "KILL", *program, *asked, *place, *named)

    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT)}

    def fails(self, share: float) -> None:
        """From now on so many of the requests (0 to 1) fail whatever the flags say."""
        self._faults({"errors": share})

    def forgives(self) -> None:
        """From now on the flags do no harm."""
        self._faults({"bad": 0.0})

    def _faults(self, what: object) -> None:
        fresh = self.directory / "faults.new"
        fresh.write_text(json.dumps(what))
        fresh.replace(self.directory / "faults.json")

    def _answers(self) -> bool:
        try:
            return b"ruleiq_db_pool_size" in http("GET", f"{self.url}/metrics")
        except OSError:
            return False


@dataclass(frozen=True)
class Heard:
    """One request to the receiver: wall time, path, and its JSON body."""

    at: float
    path: str
    body: Any


class Receiver:
    """Takes every POST and keeps it in `heard`; while `refuses` it answers 500."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.refuses = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if not outer.refuses:
                    outer.heard.append(Heard(time.time(), self.path, json.loads(body or b"null")))
                self.send_response_only(500 if outer.refuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: a request is no news."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def events(self, kind: str = "") -> list[Any]:
        """What a guard told, in order; of one kind or all."""
        told = [one.body for one in list(self.heard) if one.path == "/guard"]
        return [event for event in told if kind in ("", event["kind"])]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class GuardProcess(Server):
    """`opsconsole guard run`, as a process with a state folder of its own or a shared one."""

    def __init__(self, directory: Path, scene: GuardScene, *arguments: str) -> None:
        super().__init__(directory)
        self._scene, self._arguments = scene, arguments

    def command(self) -> Sequence[str]:
        program = (sys.executable, "-m", "opsconsole", "guard", "run")
        return (require("setpriv"), "--pdeathsig", "KILL", *program, *self._arguments)

    def environment(self) -> Mapping[str, str]:
        return self._scene.environment

    @property
    def runs(self) -> bool:
        """Whether the process has not ended."""
        return self._process is not None and self._process.poll() is None

    def _answers(self) -> bool:
        return bool(self.log().strip())


class GuardScene:
    """`names` are the flags of the application, `flag` the first of them: made anew, on for nobody. `compress`
    divides the delays and windows of the playbook, its guard's too; 1 leaves it as it is shipped. `guard` are keys
    of its `guard:` section that are to be otherwise.

    The flags of an Unleash that others use as well are suspects too, while they change.
    """

    def __init__(
        self,
        folder: Path,
        unleash: Unleash,
        *names: str,
        compress: float = 1.0,
        guard: Mapping[str, object] | None = None,
    ) -> None:
        self.folder, self.unleash = folder, unleash
        self.names = names or ("new_assessment_engine",)
        self.playbook = compressed_copy(find_playbook("ruleiq"), folder / "ruleiq", compress)
        if guard:
            file = self.playbook / "playbook.yaml"
            content = yaml.safe_load(file.read_text())
            content["guard"].update(guard)
            file.write_text(yaml.safe_dump(content, sort_keys=False))
        self.receiver = Receiver()
        receivers_on_loopback(self.playbook, self.receiver.url)
        self.alertmanager = Alertmanager(folder / "alertmanager", config=self.playbook / "alertmanager.yaml")
        self.app = RuleiqApp(folder / "app", unleash, self.names)
        self.prometheus = Prometheus(
            folder / "prometheus",
            config=SCRAPES % (self.app.port, self.playbook / "rules.yaml"),
            alertmanagers=[f"127.0.0.1:{self.alertmanager.port}"],
        )
        self.prometheus_proxy = CountingProxy(self.prometheus.port)
        self.unleash_proxy = CountingProxy(unleash.port)
        self.guards: list[GuardProcess] = []

    @property
    def flag(self) -> str:
        return self.names[0]

    @property
    def environment(self) -> dict[str, str]:
        """For `opsconsole` as a process: this configuration, and a state folder of the scene's own."""
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL")}
        return {
            **kept,
            "HOME": str(self.folder),
            "USER": "oncall",
            "LOGNAME": "oncall",
            "PYTHONPATH": str(ROOT),
            "OPSCONSOLE_CONFIG": str(self.folder / "config.yaml"),
            "OPSCONSOLE_STATE_DIR": str(self.folder / "state"),
            "OPSCONSOLE_CACHE_DIR": str(self.folder / "cache"),
        }

    # The application and its flags

    def release(self, percentage: int, flag: str = "") -> float:
        """Serve a flag to so many percent of the users, as somebody of the team; the wall time of it."""
        name = flag or self.flag
        self.unleash.set_rollout(name, percentage)
        if not self.unleash.is_on(name):
            self.unleash.turn_on(name)
        return time.time()

    def error_rate(self) -> float | None:
        """The guard's own expression now, 0 to 1; None when it has no value."""
        found = self.ask("query", query=self.expression())["result"]
        return float(found[0]["value"][1]) if found else None

    def first_breach(self, since: float, until: float) -> float | None:
        """The first time at which the guard's expression is over its bound, to the second; None when it never
        is."""
        bound = float(self._rule()["above"])
        asked = {"query": self.expression(), "start": f"{since:.0f}", "end": f"{until:.0f}", "step": "1"}
        for series in self.ask("query_range", **asked)["result"]:
            for at, value in series["values"]:
                if float(value) > bound:
                    return float(at)
        return None

    def expression(self) -> str:
        return str(self._rule()["expr"])

    def ask(self, what: str, **parameters: str) -> Any:
        """`data` of an answer of Prometheus, asked directly."""
        url = f"{self.prometheus.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        return json.loads(http("GET", url))["data"]

    # opsconsole

    def run(self, *arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """`opsconsole` with these arguments, in this scene's configuration."""
        command = [sys.executable, "-m", "opsconsole", *arguments]
        return subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
        )

    def arm(self) -> None:
        """Let the guards write for an hour."""
        done = self.run("guard", "arm", "--for", "1h", "--reason", "a test", "--yes", "--context", CONTEXT)
        assert done.returncode == 0, done.stderr

    @property
    def kill_switch(self) -> Path:
        """The file that stops every write, when it is there."""
        return self.folder / "state" / "guard" / CONTEXT / "stop"

    def status(self) -> dict[str, Any]:
        """The guard's own last word, empty when there is none."""
        told = self.run("guard", "status", "--json").stdout
        return dict(json.loads(told)["status"] or {}) if told.strip() else {}

    def phase(self, rule: str = RULE) -> str:
        """Where the guard says that a rule is, "" when it does not say."""
        rules = self.status().get("rules", ())
        return next((str(one["phase"]) for one in rules if one["rule"] == rule), "")

    def journalled(self, words: str) -> bool:
        """Whether the journal has these words."""
        files = (self.folder / "state").glob("journal.db*")
        return any(words.encode() in file.read_bytes() for file in files)

    def turned_off(self, flag: str = "") -> int:
        """How often a flag was turned off, by the log of Unleash."""
        events = self.unleash.events(flag or self.flag)
        return sum(event["type"] == "feature-environment-disabled" for event in events)

    def guard(self, *arguments: str) -> GuardProcess:
        """Start one more `opsconsole guard run`; it ends with the scene."""
        guard = GuardProcess(self.folder / f"guard-{len(self.guards)}", self, *arguments)
        self.guards.append(guard)
        guard.start()
        return guard

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        for guard in self.guards:
            guard.stop()
        for server in (self.app, self.prometheus, self.alertmanager):
            server.stop()
        for proxy in (self.prometheus_proxy, self.unleash_proxy):
            proxy.close()
        self.receiver.close()

    def _start(self) -> None:
        for name in self.names:
            self.unleash.create_flag(name, strategies={"production": [rollout(0)]}, on=["production"])
        for proxy in (self.prometheus_proxy, self.unleash_proxy):
            proxy.open()
        for server in (self.alertmanager, self.app, self.prometheus):
            server.start()
        self._write_config()
        wait_for(lambda: self.error_rate() is not None, 60, "error rate in Prometheus")

    def _write_config(self) -> None:
        token = self.folder / "token"
        token.write_text(self.unleash.token)
        token.chmod(0o600)
        kinds = sorted(set(EVENT_KINDS) - {"test"})
        hook = {"kind": "webhook", "name": "hook", "url": f"{self.receiver.url}/guard", "on": kinds}
        context = {
            "environment": "production",
            "playbooks": [str(self.playbook)],
            "prometheus": {"url": self.prometheus_proxy.url},
            "alertmanager": [{"name": "main", "members": [self.alertmanager.url]}],
            "flags": {
                "provider": "unleash",
                "url": self.unleash_proxy.url,
                "token_file": str(token),
                "timeout": "3s",
            },
            "guard": {"notify": [hook]},
        }
        file = self.folder / "config.yaml"
        file.write_text(yaml.safe_dump({"current_context": CONTEXT, "contexts": {CONTEXT: context}}))

    def _rule(self) -> dict[str, Any]:
        rules = yaml.safe_load((self.playbook / "playbook.yaml").read_text())["guard"]["rules"]
        return next(dict(rule) for rule in rules if rule["id"] == RULE)
