"""From the connection options to an engine, and to a runner for what changes things."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from opsconsole.clients.sources import Sources
from opsconsole.clock import Clock, SystemClock
from opsconsole.config.discover import Options, resolve_context
from opsconsole.config.paths import journal_file
from opsconsole.config.playbooks import find_playbook, load_playbook
from opsconsole.config.schema import Context
from opsconsole.model.playbook import Playbook
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import ContextInfo
from opsconsole.text import safe, trusted

JOURNAL_SHOWN = 300
"""Journal entries that a snapshot carries."""


@dataclass(frozen=True)
class Reading:
    """Everything that a command which only reads needs."""

    context: Context
    playbooks: tuple[Playbook, ...]
    engine: Engine
    clock: Clock


def resolve(options: Options, env: Mapping[str, str] | None = None) -> Context:
    """The context that the options name. Raises ConfigError or UsageError."""
    return resolve_context(options, os.environ if env is None else env, Path.home())


def load_playbooks(context: Context, *, runbooks: bool = True) -> tuple[Playbook, ...]:
    """The context's playbooks. Raises ConfigError with all problems of the first bad one."""
    return tuple(load_playbook(find_playbook(name), runbooks=runbooks) for name in context.playbooks)


def os_user(context: Context) -> str:
    """Who acts: the context's author, else the OS user."""
    if context.author:
        return context.author
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def context_info(context: Context, demo: str = "", user: str = "") -> ContextInfo:
    """What the screens say of a context; `user` is who acts, "" when nobody does."""
    return ContextInfo(
        name=safe(context.name, 40),
        environment=safe(context.environment, 40),
        user=safe(user, 40),
        read_only=context.read_only,
        demo=trusted(demo),
        acks=context.acks,
        limits=context.limits,
        guarded=context.guard is not None,
    )


def open_reading(options: Options, *, clock: Clock | None = None) -> Reading:
    """Resolve the options and make the engine; nothing is connected yet."""
    clock = clock or SystemClock()
    context = resolve(options)
    playbooks = load_playbooks(context, runbooks=False)
    engine = Engine(context_info(context), Sources(context, clock), playbooks, clock)
    return Reading(context=context, playbooks=playbooks, engine=engine, clock=clock)


def journal_path() -> Path:
    return journal_file(os.environ)


def host_name() -> str:
    return safe(socket.gethostname(), 80)
