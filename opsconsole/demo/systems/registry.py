"""Finding simulated systems: every module beside this one that holds a `SYSTEM`."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from pathlib import Path

from opsconsole.config.reader import nearest
from opsconsole.demo.systems.base import System
from opsconsole.errors import UsageError
from opsconsole.text import safe


def system_names() -> tuple[str, ...]:
    """The names of all simulated systems, sorted."""
    names = (module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    return tuple(sorted(name for name in names if _system(name) is not None))


def find_system(name: str) -> System:
    """The simulated system of that name. Raises UsageError that names the nearest known one."""
    system = _system(name) if name.isidentifier() else None
    if system is None:
        raise UsageError(f"there is no simulated system `{safe(name, 60)}`", hint=nearest(name, system_names()))
    return system


def _system(name: str) -> System | None:
    where = f"{__package__}.{name}"
    if importlib.util.find_spec(where) is None:
        return None
    found = getattr(importlib.import_module(where), "SYSTEM", None)
    return found if isinstance(found, System) else None
