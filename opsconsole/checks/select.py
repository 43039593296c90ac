"""Which checks a run is limited to."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec

from opsconsole.checks.base import Check
from opsconsole.checks.run import INTERNAL
from opsconsole.model.verdicts import Level, Verdict


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Globs on ids and groups: `thresholds`, `sources.*`, `*.latency`. A glob that matches the beginning of an
    id up to one of its dots matches what is below, too. Without `only` it is everything."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    def checks(self, catalog: Iterable[Check]) -> tuple[Check, ...]:
        """The checks that may yield a wanted verdict."""
        return tuple(
            check
            for check in catalog
            if (not self.only or any(_may_yield(glob, check) for glob in self.only))
            and not any(covers(glob, check.id) for glob in self.skip)
        )

    def keeps(self, verdict: Verdict) -> bool:
        """Whether a verdict is wanted, or is all that can be said of one that is."""
        wanted = not self.only or any(_answers(verdict, glob) for glob in self.only)
        return wanted and not any(covers(glob, verdict.id) for glob in self.skip)

    def names(self, id: str) -> bool:
        """Whether verdicts of this id are wanted."""
        wanted = not self.only or any(covers(glob, id) for glob in self.only)
        return wanted and not any(covers(glob, id) for glob in self.skip)

    def unmatched(self, catalog: Iterable[Check]) -> str | None:
        """The first glob that no check can match."""
        known = tuple(catalog)
        return next((g for g in (*self.only, *self.skip) if not any(_may_yield(g, c) for c in known)), None)

    def unmet(self, catalog: Iterable[Check], verdicts: Iterable[Verdict]) -> str | None:
        """The first glob of `only` below a check that matched no verdict. A whole check may have nothing to
        judge, and what is skipped may come and go."""
        known, made = tuple(catalog), tuple(verdicts)
        return next(
            (
                glob
                for glob in self.only
                if not any(_answers(v, glob) for v in made) and not any(covers(glob, c.id) for c in known)
            ),
            None,
        )


def covers(glob: str, id: str) -> bool:
    """Whether a glob matches an id or one of the dotted beginnings of it."""
    parts = id.split(".")
    return any(fnmatchcase(".".join(parts[: n + 1]), glob) for n in range(len(parts)))


def _may_yield(glob: str, check: Check) -> bool:
    return covers(glob, check.id) or _may_match_below(glob, check.id)


def _may_match_below(glob: str, id: str) -> bool:
    literal, below = _literal(glob), f"{id}."
    return literal.startswith(below) or (literal != glob and below.startswith(literal))


def _answers(verdict: Verdict, glob: str) -> bool:
    """Whether a glob matches a verdict, or one that the verdict is an UNKNOWN in place of: `targets`, when no
    target is known, for `targets.api`."""
    if covers(glob, verdict.id):
        return True
    if verdict.level is not Level.UNKNOWN:
        return False
    if verdict.id.endswith(INTERNAL):
        return _may_match_below(glob, verdict.id.removesuffix(INTERNAL))
    return _literal(glob).startswith(f"{verdict.id}.")


def _literal(glob: str) -> str:
    """What stands before the first wildcard."""
    return glob[: min((glob.find(c) for c in "*?[" if c in glob), default=len(glob))]
