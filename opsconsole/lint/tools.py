"""The programs that rules ask: promtool, amtool and bash."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

import msgspec

LIMIT = 30.0
"""Seconds after which a program is given up."""


class Answer(msgspec.Struct, frozen=True):
    """What a program said, both streams together, and whether it was content."""

    fine: bool
    text: str


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """The paths of the programs; None for those that are not there."""

    promtool: str | None = None
    amtool: str | None = None
    bash: str | None = None


def find_tools() -> Tools:
    """The programs on the search path."""
    return Tools(promtool=shutil.which("promtool"), amtool=shutil.which("amtool"), bash=shutil.which("bash"))


def ask(argv: Sequence[str], stdin: str = "") -> Answer:
    """Run a program. It speaks English and reads none of the user's start-up files."""
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    try:
        done = subprocess.run(
            argv,
            input=stdin.encode("utf-8", "replace"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT,
            env=env,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(False, f"{argv[0]} did not end within {LIMIT:g} s")
    except OSError as error:
        return Answer(False, f"{argv[0]} cannot be run: {error.strerror}")
    return Answer(done.returncode == 0, done.stdout.decode("utf-8", "replace"))
