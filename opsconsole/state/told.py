"""An answer together with what its server said against it."""

from __future__ import annotations

import msgspec

from opsconsole.text import SafeText


class Told(msgspec.Struct, frozen=True):
    """What was asked for; partial when there are warnings."""

    data: object
    warnings: tuple[SafeText, ...] = ()
