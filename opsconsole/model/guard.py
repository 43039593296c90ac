"""When flags are to be rolled back without a person: the playbook's `guard:` section."""

from __future__ import annotations

import msgspec

from opsconsole.text import SafeText


class GuardRule(msgspec.Struct, frozen=True, kw_only=True):
    """A bound on the value of `expr`: exactly one of `above` and `below` is set.

    `hold` (`for:` in the file) is seconds that it must last; `unit` is one of opsconsole.model.units.UNITS.
    """

    id: str
    title: SafeText
    expr: str
    above: float | None = None
    below: float | None = None
    hold: float = 0.0
    unit: str = "none"

    def crossed(self, value: float) -> bool:
        """Whether the value is beyond the bound; never for NaN."""
        if self.above is not None:
            return value > self.above
        return self.below is not None and value < self.below


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """`never` are the flags that may not be touched. Any one of the rules is enough."""

    rules: tuple[GuardRule, ...] = ()
    never: tuple[str, ...] = ()
