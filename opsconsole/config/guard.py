"""The `guard:` of a context, and where a guard keeps its files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from opsconsole.config.http import Places
from opsconsole.config.notify import read_notify
from opsconsole.config.paths import state_dir
from opsconsole.config.reader import Section, Value
from opsconsole.config.schema import Context, GuardConfig

SHAPE = "write it as {listen: 127.0.0.1:9464, kill_switch: /run/opsconsole/stop}"

_KEYS = frozenset({"state", "kill_switch", "lease", "listen", "textfile", "expect_armed", "notify"})
_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:]+)\]|(?P<host>[^:\[\]]+)):(?P<port>[0-9]{1,5})")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


class GuardPlaces(msgspec.Struct, frozen=True, kw_only=True):
    """Where the files of the guards of one context are, whether or not they are there; all absolute.

    `folder` holds what each guard says of itself and, unless the context names other places, all the rest:
    `store` (where each rule is), `outbox` (notifications to be sent), `arming`, `kill_switch` and `lease`.
    Guards that are to take over from each other share all of them.
    """

    folder: Path
    store: Path
    outbox: Path
    arming: Path
    kill_switch: Path
    lease: Path


def guard_places(context: Context, env: Mapping[str, str]) -> GuardPlaces:
    """The places that the context names, else those below the state folder: `guard/<context>/`."""
    named = context.guard or GuardConfig()
    folder = named.state or state_dir(env) / "guard" / _folder_name(context.name)
    return GuardPlaces(
        folder=folder,
        store=folder / "guard.db",
        outbox=folder / "outbox.db",
        arming=folder / "armed.json",
        kill_switch=named.kill_switch or folder / "stop",
        lease=named.lease or folder / "lease.db",
    )


def read_guard(section: Section, places: Places) -> GuardConfig:
    """Problems are noted."""
    section.only(_KEYS)
    listen, textfile = section.get("listen"), section.path("textfile", places.folder, places.home)
    if textfile is not None and textfile.suffix != ".prom":
        section.problem("does not end in .prom", "node-exporter reads *.prom only", at="textfile")
    return GuardConfig(
        state=section.path("state", places.folder, places.home),
        kill_switch=section.path("kill_switch", places.folder, places.home),
        lease=section.path("lease", places.folder, places.home),
        listen=None if listen is None else _listen(listen),
        textfile=textfile,
        expect_armed=section.boolean("expect_armed"),
        notify=read_notify(section, places),
    )


def _listen(value: Value) -> tuple[str, int] | None:
    """The metrics say what a guard does and when: nobody but this machine is answered."""
    text = value.text(hint="write it as 127.0.0.1:9464")
    if text is None:
        return None
    found = _ADDRESS.fullmatch(text)
    host = "" if found is None else found["six"] or found["host"]
    port = 0 if found is None else int(found["port"])
    if not 1 <= port <= 65535:
        value.problem("must be an address and a port", "write it as 127.0.0.1:9464")
        return None
    if not _loopback(host):
        value.problem(
            "is not a loopback address",
            "use 127.0.0.1, and let a proxy that asks who is there publish it; or use textfile",
        )
        return None
    return host, port


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    import ipaddress  # only here: most contexts have no guard

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _folder_name(context: str) -> str:
    """The context's name where it can be a folder's; else what is left of it, and a hash that tells it apart."""
    if _NAME.fullmatch(context):
        return context
    import hashlib  # only here: most names are fine

    rest = re.sub(r"[^A-Za-z0-9_-]+", "_", context)[:40]
    return f"{rest}-{hashlib.sha256(context.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
