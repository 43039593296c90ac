"""What is known of the past, to try a guard on."""

from __future__ import annotations

import msgspec

from opsconsole.text import SafeText, trusted


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """An incident that is known to have been, from when to when (seconds since the epoch)."""

    start: float
    end: float
    name: SafeText = trusted("")
