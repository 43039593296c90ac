"""A home-made flag system, as teams have them: a command on a file. `flag_service` is the same as a service.

    python flag_store.py FILE VERB …         list, off, restore, changes; the key is in FLAG_KEY

A flag is {"name", "state": "ACTIVE" or "PAUSED", "percent", "kind", "labels", "rule", "rev", "updated_at"}; every
change raises `rev` and is logged. It knows nothing of opsconsole, and imports little: it is started often.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

PAUSED, ACTIVE = "PAUSED", "ACTIVE"


class Store:
    """Flags by name, and the log of their changes."""

    def __init__(self) -> None:
        self.flags: dict[str, dict[str, Any]] = {}
        self.log: list[dict[str, Any]] = []
        self.writes = 0

    def load(self, path: str) -> Store:
        with open(path) as file:
            self.__dict__.update(json.load(file))
        return self

    def save(self, path: str) -> None:
        with open(path + ".new", "w") as file:
            json.dump(self.__dict__, file)
        os.replace(path + ".new", path)

    def change(self, name: str, actor: str, note: str, members: dict[str, Any]) -> None:
        old = dict(self.flags[name])
        new = {**old, **members, "name": name, "rev": old["rev"] + 1, "updated_at": time.time()}
        self.flags[name] = new
        at = datetime.now(UTC).isoformat()
        self.log.append(
            {"nr": len(self.log), "flag": name, "time": at, "actor": actor, "note": note, "rev": new["rev"]}
            | {"old": old, "new": new}
        )
        self.writes += 1


def new_flag(name: str, **members: Any) -> dict[str, Any]:
    usual = {"name": name, "state": ACTIVE, "percent": 100, "kind": "release", "labels": [], "rule": None}
    return {**usual, **members, "rev": 1, "updated_at": time.time()}


def command(path: str, verb: str, *rest: str) -> int:
    store, told = Store().load(path), os.environ
    if "--as-nobody" in rest:
        print("nobody may do that", file=sys.stderr)
        return 5
    if verb == "list":
        print(json.dumps(store.flags))
        return 0
    if verb == "changes":
        print(json.dumps(store.log))
        return 0
    name = told["FLAG_KEY"]
    if name not in store.flags:
        return 4
    if verb == "off" and told["FLAG_VERSION"] != str(store.flags[name]["rev"]):
        return 3
    members = {"state": PAUSED} if verb == "off" else json.load(sys.stdin)
    store.change(name, told["FLAG_WHO"], told.get("FLAG_REASON", ""), members)
    store.save(path)
    if "--hang" in rest:
        time.sleep(60)
    return 0


if __name__ == "__main__":
    sys.exit(command(*sys.argv[1:]))
