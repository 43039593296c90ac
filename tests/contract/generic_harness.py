"""Home-made systems that are described in YAML: a real service on HTTP, and a real command."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from opsconsole.clients.flags import make_provider
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.config.load import read_config
from tests.contract.harness import HOSTILE, Harness, Keys
from tests.support import flag_store
from tests.support.flag_store import ACTIVE, PAUSED, Store, new_flag
from tests.support.homemade import Service
from tests.support.servers import free_port

FLAGS: Mapping[str, Mapping[str, Any]] = {
    "full": {},
    "partial": {"percent": 50},
    "off": {"state": PAUSED},
    "turned_off": {},
    "kill_switch": {"kind": "kill-switch"},
    "targeted": {"percent": 0, "rule": "plan == pro"},
}
HOSTILE_FLAG = {"kind": HOSTILE, "labels": [HOSTILE], HOSTILE: HOSTILE}
NO_ZERO = HOSTILE.replace("\x00", "")
"""What the environment of a command can hold."""

FIELDS = """\
      fields:
        key: name
        enabled: {path: state, on: [ACTIVE], off: [PAUSED]}
        rollout: percent
        type: kind
        tags: labels
        targeting: rule
        version: rev
      ignore: [/updated_at]
"""
LOG = "{key: flag, at: time, who: actor, summary: note, before: old, after: new, version: rev, id: nr}"

HTTP = """\
contexts:
  main:
    flags:
      provider: http
      url: http://127.0.0.1:%(port)d/%(prefix)s
      authorization: {credentials_file: %(secret)s}
      timeout: %(timeout)s
%(fields)s
      requests:
        list: {path: /flags, items: data.flags, total: page.total}
        get: {path: "/flags/{key}", items: /data}
        off:
          path: /flags/{key}/off
          body: {rev: "{version}", actor: "{who}", note: "because {reason}"}
        restore:
          method: PUT
          path: /flags/{key}
          body: {flag: "{definition}", rev: "{version}", actor: "{who}", note: "{reason}"}
        changes: {path: "/audit?since={since}", items: entries, fields: %(log)s}
      capabilities: {swap: version, propagation: 5s}
"""

EXEC = """\
contexts:
  main:
    flags:
      provider: exec
      timeout: %(timeout)s
%(fields)s
      commands:
        list: [%(program)s, -I, -S, %(script)s, %(file)s, list%(more)s]
        off: [%(program)s, -I, -S, %(script)s, %(file)s, off%(more)s]
        restore: {run: [%(program)s, -I, -S, %(script)s, %(file)s, restore%(more)s]}
        changes: {run: [%(program)s, -I, -S, %(script)s, %(file)s, changes%(more)s], fields: %(log)s}
      capabilities: {reason: yes}
"""


def served(flag: Mapping[str, Any]) -> float:
    """As the applications of this system do it."""
    if flag["state"] == PAUSED:
        return 0.0
    return max(float(flag["percent"]), 10.0 if flag["rule"] else 0.0)


def changed(percent: float) -> dict[str, Any]:
    return {"state": PAUSED} if percent == 0 else {"state": ACTIVE, "percent": percent}


class HttpHarness(Harness):
    keys = Keys(hostile=HOSTILE, kill_switch="kill_switch", targeted="targeted")
    other = "ann"

    def __init__(self, service: Service, folder: Path) -> None:
        self._folder = folder
        self._service = service

    async def start(self) -> None:
        self._service.ask("PUT", "/everything", {**FLAGS, HOSTILE: HOSTILE_FLAG})

    def provider(self) -> FlagProvider:
        return self._made()

    def unreachable(self) -> FlagProvider:
        return self._made(port=free_port())

    def unauthorised(self) -> FlagProvider:
        return self._made(token="wrong")

    def answerless(self) -> FlagProvider:
        return self._made(prefix="deaf", timeout="2s")

    def writes(self) -> int:
        found: int = self._service.ask("GET", "/writes")
        return found

    async def serves(self, key: str) -> float:
        return served(self._service.ask("GET", f"/flags/{quote(key, safe='')}")["data"])

    async def change(self, key: str, percent: float) -> None:
        body = {"flag": changed(percent), "actor": self.other}
        self._service.ask("PUT", f"/flags/{quote(key, safe='')}", body)

    def _made(
        self, *, port: int = 0, token: str = "right", prefix: str = "api", timeout: str = "10s"
    ) -> FlagProvider:
        secret = self._folder / f"{token}.token"
        secret.write_text(token)
        secret.chmod(0o600)
        told = {"port": port or self._service.port, "secret": secret, "prefix": prefix, "timeout": timeout}
        return described(self._folder, HTTP % (told | {"fields": FIELDS, "log": LOG}))


class ExecHarness(Harness):
    keys = Keys(hostile=NO_ZERO, kill_switch="kill_switch", targeted="targeted")
    other = "ann"
    steps = 5

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = str(folder / "store.json")

    async def start(self) -> None:
        store = Store()
        flags = {**FLAGS, NO_ZERO: {"kind": HOSTILE, "labels": [HOSTILE]}}
        store.flags = {name: new_flag(name, **members) for name, members in flags.items()}
        store.save(self._file)

    def provider(self) -> FlagProvider:
        return self._made()

    def unreachable(self) -> FlagProvider:
        return self._made(program=str(self._folder / "gone"))

    def unauthorised(self) -> FlagProvider:
        return self._made(more=", --as-nobody")

    def answerless(self) -> FlagProvider:
        return self._made(more=", --hang", timeout="2s")

    def writes(self) -> int:
        return Store().load(self._file).writes

    async def serves(self, key: str) -> float:
        return served(Store().load(self._file).flags[key])

    async def change(self, key: str, percent: float) -> None:
        store = Store().load(self._file)
        store.change(key, self.other, "", changed(percent))
        store.save(self._file)

    def _made(self, *, program: str = sys.executable, more: str = "", timeout: str = "20s") -> FlagProvider:
        told = {"program": program, "script": flag_store.__file__, "file": self._file, "more": more}
        return described(self._folder, EXEC % (told | {"timeout": timeout, "fields": FIELDS, "log": LOG}))


def described(folder: Path, text: str) -> FlagProvider:
    """The provider of a configuration file."""
    file = folder / "config.yaml"
    file.write_text(text)
    flags = read_config(file, folder).contexts["main"].flags
    assert flags is not None
    return make_provider(flags)


HARNESSES = {
    "http": lambda request, folder: HttpHarness(request.getfixturevalue("flag_service"), folder),
    "exec": lambda request, folder: ExecHarness(folder),
}
