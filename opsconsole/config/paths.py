"""Where files are: configuration, amtool's configuration, our state, the shipped playbooks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import opsconsole
from opsconsole.config.reader import expand

ETC = Path("/etc")


def home_of(env: Mapping[str, str]) -> Path:
    """The home folder: `HOME`, else what the system says."""
    return Path(env["HOME"]) if env.get("HOME") else Path.home()


def user_config(env: Mapping[str, str], home: Path) -> Path:
    """The user's configuration file, whether or not it is there; `XDG_CONFIG_HOME` moves it."""
    return _config_home(env, home) / "opsconsole" / "config.yaml"


def config_files(env: Mapping[str, str], home: Path, etc: Path = ETC) -> tuple[Path, ...]:
    """The places of the configuration file, the first that is there counts. `OPSCONSOLE_CONFIG` replaces
    them all. Never the working directory, unless the variable itself holds a relative path."""
    named = env.get("OPSCONSOLE_CONFIG", "")
    if named:
        return (expand(named, Path.cwd(), home),)
    return (user_config(env, home), etc / "opsconsole" / "config.yaml")


def amtool_files(home: Path, etc: Path = ETC) -> tuple[Path, ...]:
    """The places of amtool's configuration, upstream's and Debian's; of each key the first value counts."""
    user = home / ".config"
    return (
        user / "amtool" / "config.yml",
        user / "prometheus" / "amtool.yml",
        etc / "amtool" / "config.yml",
        etc / "prometheus" / "amtool.yml",
    )


def state_dir(env: Mapping[str, str]) -> Path:
    """The folder of the journal, absolute, whether or not it is there; `OPSCONSOLE_STATE_DIR` overrides."""
    named = env.get("OPSCONSOLE_STATE_DIR", "")
    if named:
        return expand(named, Path.cwd(), home_of(env))
    import platformdirs  # only here: most commands keep no state

    return Path(platformdirs.user_state_dir("opsconsole", appauthor=False))


def cache_dir(env: Mapping[str, str]) -> Path:
    """The folder of what can be worked out again, whether or not it is there; `OPSCONSOLE_CACHE_DIR` overrides."""
    named = env.get("OPSCONSOLE_CACHE_DIR", "")
    if named:
        return expand(named, Path.cwd(), home_of(env))
    import platformdirs  # only here: most commands keep nothing

    return Path(platformdirs.user_cache_dir("opsconsole", appauthor=False))


def journal_file(env: Mapping[str, str]) -> Path:
    """The journal's file, absolute, whether or not it is there."""
    return state_dir(env) / "journal.db"


def shipped_playbooks() -> Path:
    """The folder of the shipped playbooks: inside the package when installed, else the repository's."""
    package = Path(opsconsole.__file__).resolve().parent
    inside = package / "_playbooks"
    return inside if inside.is_dir() else package.parent / "playbooks"


def _config_home(env: Mapping[str, str], home: Path) -> Path:
    named = env.get("XDG_CONFIG_HOME", "")
    return Path(named) if named.startswith("/") else home / ".config"
