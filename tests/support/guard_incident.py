"""One incident before a guard, with a playbook, a configuration and a state folder of its own, in a shared scene.

with GuardScene(folder, unleash, "unused", compress=12.0) as scene:
    with Incident(scene, tmp_path, "flag-of-this-one") as incident:
        incident.arm()
        incident.guard()
        incident.release()
        incident.wait_until_told("rolled-back")
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from opsconsole.clock import SystemClock
from opsconsole.config.guard import GuardPlaces
from opsconsole.guard.arming import ArmingFile
from opsconsole.guard.state import Moment, RuleState, State
from opsconsole.guard.store import StateStore
from opsconsole.journal.store import Journal
from opsconsole.model.journal import Entry
from tests.support.counting_proxy import CountingProxy
from tests.support.edited import EditedServer
from tests.support.flag_servers import rollout
from tests.support.guard_scene import CONTEXT, RULE, GuardProcess, GuardScene
from tests.support.servers import require, wait_for

LIMIT = 60.0
"""Seconds in which a guard does what it has to, on the slowest machine."""

GUARD: Mapping[str, object] = {
    "interval": "1s",
    "samples": 3,
    "clear_for": "2s",
    "look_back": "10m",
    "cooldown": "10m",
    "blind_after": "10s",
}


class HostedGuard(GuardProcess):
    """`tests.support.guard_host`: its arguments, and those of `guard run`."""

    def __init__(self, directory: Path, incident: Incident, *arguments: str) -> None:
        super().__init__(directory, incident.scene, *arguments)
        self._incident = incident

    def command(self) -> Sequence[str]:
        program = (sys.executable, "-m", "tests.support.guard_host", *self._arguments)
        return (require("setpriv"), "--pdeathsig", "KILL", *program)

    def environment(self) -> Mapping[str, str]:
        return self._incident.environment

    def wait_until_dead(self) -> int:
        """The code that it ended with by itself: -9 when it was killed."""
        process, self._process = self._process, None
        assert process is not None
        return process.wait(LIMIT)


class Incident:
    """`flags` are new ones of the scene's Unleash, on for nobody, which its application asks for. `guard` are keys
    of the playbook's `guard:` section; without others it may touch these flags and no others.

    Prometheus and Unleash are behind proxies of its own.
    """

    def __init__(
        self, scene: GuardScene, folder: Path, *flags: str, guard: Mapping[str, object] | None = None
    ) -> None:
        self.scene, self.folder, self.flags = scene, folder, flags
        self.prometheus = EditedServer(scene.prometheus.port)
        self.unleash = CountingProxy(scene.unleash.port)
        self.guards: list[HostedGuard] = []
        place = folder / "state" / "guard" / CONTEXT
        self.places = GuardPlaces(
            folder=place,
            store=place / "guard.db",
            outbox=place / "outbox.db",
            arming=place / "armed.json",
            kill_switch=place / "stop",
            lease=place / "lease.db",
        )
        self._guard = {**GUARD, "only": list(flags), **(guard or {})}
        self._heard = len(scene.receiver.heard)

    @property
    def flag(self) -> str:
        return self.flags[0]

    @property
    def environment(self) -> dict[str, str]:
        return {
            **self.scene.environment,
            "HOME": str(self.folder),
            "OPSCONSOLE_CONFIG": str(self.folder / "config.yaml"),
            "OPSCONSOLE_STATE_DIR": str(self.folder / "state"),
            "OPSCONSOLE_CACHE_DIR": str(self.folder / "cache"),
        }

    # What happens

    def arm(self) -> None:
        ArmingFile(self.places.arming, CONTEXT, SystemClock()).arm(3600.0, "oncall", "a release")

    def guard(self, *arguments: str) -> HostedGuard:
        """Start one more guard, and wait until it has looked. It ends with the incident."""
        guard = HostedGuard(self.folder / f"guard-{len(self.guards)}", self, *arguments)
        self.guards.append(guard)
        guard.start()
        return guard

    def release(self, *flags: str) -> None:
        """Serve flags to everybody, as somebody of the team; the incident's own if none is named."""
        for flag in flags or self.flags:
            self.scene.release(100, flag)

    # What became of it

    def told(self, kind: str = "") -> list[Any]:
        """What the receiver has heard in this incident, in order."""
        heard = [one.body for one in list(self.scene.receiver.heard)[self._heard :] if one.path == "/guard"]
        return [event for event in heard if kind in ("", event["kind"])]

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.told()]

    def wait_until_told(self, kind: str, limit: float = LIMIT) -> Any:
        """The first event of the kind."""
        try:
            wait_for(lambda: bool(self.told(kind)), limit, f"{kind} told")
        except BaseException as error:
            error.add_note(self.story())
            raise
        return self.told(kind)[0]

    def journal(self, kind: str = "") -> list[Entry]:
        """What the journal has of this guard, the oldest first: its events of a kind, or everything."""
        journal = Journal(self.folder / "state" / "journal.db", SystemClock())
        try:
            entries = journal.entries(5000)
        finally:
            journal.close()
        return [entry for entry in reversed(entries) if kind in ("", entry.detail.get("kind"))]

    def noted(self) -> list[str]:
        """The kinds of the guard's events in the journal, in order."""
        return [str(entry.detail["kind"]) for entry in self.journal() if entry.action == "guard"]

    def journal_problems(self) -> list[str]:
        """What `opsconsole journal verify` finds wrong with it."""
        journal = Journal(self.folder / "state" / "journal.db", SystemClock())
        try:
            return [str(problem) for problem in journal.verify()]
        finally:
            journal.close()

    def state(self) -> State:
        """What the guard that acts has saved."""
        return StateStore(self.places.store).load(Moment(time.time(), time.monotonic()))

    def rule(self) -> RuleState:
        """Its one rule; a new one before it has looked."""
        return next(iter(self.state().rules.values()), RuleState())

    def writes(self, flag: str = "") -> list[str]:
        """What Unleash's own log has of a flag by somebody else than the team: the types of these events, the
        oldest first."""
        team = self.scene.unleash.someone
        events = reversed(self.scene.unleash.events(flag or self.flag))
        return [event["type"] for event in events if event["createdBy"] != team]

    def is_on(self, flag: str = "") -> bool:
        return self.scene.unleash.is_on(flag or self.flag)

    def rounds(self, number: int = 5) -> None:
        """Wait until a guard has made so many more rounds: what it does not do in them it does not do."""
        begun = self.state().wall
        wait_for(lambda: self.state().wall >= begun + number, LIMIT, f"{number} more rounds of a guard")

    def story(self) -> str:
        """All that is known, for whoever has to find out why a test failed."""
        logs = "\n".join(f"{guard.directory.name}: {guard.log()[-1500:]}" for guard in self.guards)
        journal = "\n".join(f"{entry.action} {entry.result.value}: {entry.message}" for entry in self.journal())
        told = "\n".join(f"{event['kind']}: {event['summary']}" for event in self.told())
        return f"told:\n{told}\njournal:\n{journal}\nstate: {self.rule()}\nlogs:\n{logs}"

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
        if error is not None:
            error.add_note(self.story())
        self.stop()

    def stop(self) -> None:
        for guard in self.guards:
            guard.stop()
        for flag in self.flags:
            self.scene.unleash.turn_off(flag)
        for proxy in (self.prometheus, self.unleash):
            proxy.close()

    def _start(self) -> None:
        for flag in self.flags:
            self.scene.unleash.create_flag(flag, strategies={"production": [rollout(0)]}, on=["production"])
        self.prometheus.open()
        self.unleash.open()
        self._write_playbook()
        self._write_config()
        wait_for(lambda: self.scene.error_rate() == 0.0, LIMIT, "application without errors")

    def _write_playbook(self) -> None:
        shutil.copytree(self.scene.playbook, self.folder / "ruleiq")
        file = self.folder / "ruleiq" / "playbook.yaml"
        content = yaml.safe_load(file.read_text())
        rules = [{**rule, "for": "3s"} for rule in content["guard"]["rules"] if rule["id"] == RULE]
        content["guard"] = {**content["guard"], **self._guard, "rules": rules}
        file.write_text(yaml.safe_dump(content, sort_keys=False))

    def _write_config(self) -> None:
        token = self.folder / "token"
        token.write_text(self.scene.unleash.token)
        token.chmod(0o600)
        hook = {"kind": "webhook", "name": "hook", "url": f"{self.scene.receiver.url}/guard"}
        context = {
            "environment": "production",
            "playbooks": [str(self.folder / "ruleiq")],
            "prometheus": {"url": self.prometheus.url, "timeout": "2s"},
            "alertmanager": [{"name": "main", "members": [self.scene.alertmanager.url]}],
            "flags": {"provider": "unleash", "url": self.unleash.url, "token_file": str(token), "timeout": "3s"},
            "guard": {"notify": [hook]},
        }
        file = self.folder / "config.yaml"
        file.write_text(yaml.safe_dump({"current_context": CONTEXT, "contexts": {CONTEXT: context}}))
