"""The lint of a playbook's folder, kept in the user's cache until a file of it changes.

Linting asks promtool, amtool and bash, which takes half a second: too long for a check that runs every minute.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

import opsconsole
from opsconsole.config.paths import cache_dir
from opsconsole.model.linting import Linted
from opsconsole.text import safe

MAX_FILES = 2000
"""A folder with more files is no playbook's; only so many are looked at."""

_SUFFIXES = frozenset({".yaml", ".yml", ".md"})


class _Kept(msgspec.Struct):
    """What is on the disk: the state of the files that were linted, and what was found."""

    stamp: str
    findings: tuple[Linted, ...]


_DECODER = msgspec.json.Decoder(_Kept)


def lint_folder(folder: Path) -> tuple[Linted, ...]:
    """Lint now."""
    from opsconsole.lint.finding import WARNING  # only here: all rules are loaded with it
    from opsconsole.lint.run import lint

    return tuple(Linted(line=safe(str(f), 500), warning=f.severity == WARNING) for f in lint(folder))


def cached_lint(
    folder: Path,
    *,
    cache: Path | None = None,
    lint: Callable[[Path], tuple[Linted, ...]] = lint_folder,
) -> tuple[Linted, ...]:
    """What is found in a folder; from the cache when no file of it has another size or time than then.

    Raises OSError when the folder cannot be looked at. A cache that cannot be used is done without.
    """
    stamp = _stamp(folder)
    cache = cache_dir(os.environ) if cache is None else cache
    kept = cache / f"lint-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:24]}.json"
    with suppress(OSError, msgspec.MsgspecError, UnicodeError):
        found = _DECODER.decode(kept.read_bytes())
        if found.stamp == stamp:
            # The cache is a file like any other: what it says is made safe again.
            return tuple(Linted(line=safe(f.line, 500), warning=f.warning) for f in found.findings)
    findings = lint(folder)
    with suppress(OSError):
        _keep(kept, _Kept(stamp, findings))
    return findings


def _stamp(folder: Path) -> str:
    """Names, sizes and times of the folder's files, which program linted, and with which others."""
    digest = hashlib.sha256(f"{opsconsole.__version__} {os.environ.get('PATH', '')}".encode())
    for path, status in _files(folder):
        digest.update(f"\n{path} {status.st_mtime_ns} {status.st_size}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    folders, count = [folder], 0
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                elif Path(entry.name).suffix in _SUFFIXES:
                    count += 1
                    yield entry.path, entry.stat()
                if count >= MAX_FILES:
                    return


def _keep(path: Path, kept: _Kept) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".lint-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(kept))
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise
